# `make demo` and `make test` need Python 3.10 or newer and nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo test check-all nightly bench notebooks clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(firstword $(MAKEFILE_LIST)) | sed 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.installed  ## watch a kernel, a client, and forgeries that are refused
	@$(BIN)/minikernel demo

test: $(VENV)/.installed-for-tests  ## every check; under 10 minutes
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -m "not slow"

check-all: $(VENV)/.installed-for-tests  ## what takes longer; under 40 minutes
	$(BIN)/python -m pytest -m slow

nightly: check-all  ## what takes a night

bench: $(VENV)/.installed-for-tests  ## speed, start and memory, beside other kernels
	$(BIN)/python benchmarks/wire.py
	$(BIN)/python benchmarks/client.py
	$(BIN)/python benchmarks/kernels.py

notebooks: $(VENV)/.installed-for-tests  ## run the notebooks
	$(BIN)/python -m pytest tests/notebooks

clean:  ## remove what make has made
	rm -rf $(VENV) artifacts

# The stamps are written last: an installation that was cut off is made again.
$(VENV)/.installed: pyproject.toml | python-is-new-enough
	@echo "installing into $(VENV) (once; about half a minute) ..."
	@"$(PYTHON)" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all]'
	@touch $@

$(VENV)/.installed-for-tests: $(VENV)/.installed pyproject.toml
	@echo "installing what the tests need (once; a minute or two) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@

.PHONY: python-is-new-enough
python-is-new-enough:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null \
	  || { echo "minikernel needs Python 3.10 or newer: make PYTHON=/path/to/python" >&2; exit 2; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "this Python can't make environments: apt install python3-venv, or make PYTHON=..." >&2; exit 2; }
