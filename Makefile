# `make demo` and `make test` need Python 3.10 or newer and nothing else.

# Thousands of processes are started by the tests: each module is compiled once, and kept.
export PYTHONDONTWRITEBYTECODE =

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest
FOR_DEMO := $(VENV)/.stamp-demo
FOR_TEST := $(VENV)/.stamp-test
FOR_DOCS := $(VENV)/.stamp-docs
INSTALLED := pyproject.toml minikernel/cli/kernelspec/kernel.json

FOR_BENCH := .venv-peers/.stamp
PEERS := ipykernel xeus-python ipymini

.PHONY: help demo test check-all nightly bench soak notebooks docs docs-lab docs-pictures mutants clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-13s %s\n", $$1, $$2}' Makefile
	@echo "make PYTHON=/path/to/python ... takes another Python than python3 for .venv"

demo: $(FOR_DEMO) ## watch a kernel, a client, and forgeries that are refused
	@$(BIN)/python -m minikernel demo

test: $(FOR_TEST) ## every check; under 10 minutes
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports --no-logo
	$(PYTEST) -n 3 --dist loadfile --no-loadscope-reorder -m "not slow"

check-all: $(FOR_TEST) docs ## what takes longer, and the site; under 40 minutes
	$(PYTEST) -m slow --ignore tests/sabotage
	$(PYTEST) -n 2 -m slow tests/sabotage

nightly: check-all ## everything five times: what fails now and then? Soak, a million requests
	for turn in 1 2 3 4 5; do $(PYTEST) || exit; done
	MINIKERNEL_FRAMES=1000000 $(PYTEST) tests/properties/test_million.py # for each end
	$(BIN)/python benchmarks/soak.py --hours 1
	$(BIN)/python benchmarks/many.py

bench: $(FOR_TEST) $(FOR_BENCH) ## docs/benchmarks.md, beside other kernels; under 10 minutes
	$(BIN)/python benchmarks/suite.py

soak: $(FOR_TEST) ## two minutes of a thousand cells a second; `make soak HOURS=1`
	$(BIN)/python benchmarks/soak.py $(if $(HOURS),--hours $(HOURS))

notebooks: $(FOR_TEST) ## write the notebooks from their text, and run them
	$(BIN)/python notebooks/from_text.py
	$(PYTEST) tests/notebooks

docs: $(FOR_DOCS) ## the site, artifacts/docs/index.html; a warning is an error
	$(BIN)/python -m sphinx --quiet --nitpicky --fail-on-warning --keep-going -E -c docs . artifacts/docs
	@echo "artifacts/docs/index.html"

docs-lab: $(FOR_TEST) ## write docs/attacks.md and docs/channels.md from the tables
	$(BIN)/python -m minikernel lab --expected --markdown > docs/attacks.md
	$(BIN)/python -m minikernel lab --channels --markdown > docs/channels.md

docs-pictures: $(FOR_DOCS) ## write the pictures of README
	$(BIN)/python docs/pictures/matrix.py
	$(BIN)/python docs/pictures/console.py

mutants: $(FOR_TEST) ## does a test fail for each change to auth and protocol? over half an hour
	@$(install) -e '.[mutation]'
	nice -n 19 $(BIN)/python -m mutmut run
	$(BIN)/python benchmarks/mutants.py

clean: ## remove what make has made
	rm -rf $(VENV) .venv-peers artifacts build dist mutants .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# The stamps are written last: an installation that was cut off is made again.
$(FOR_DEMO): $(INSTALLED)
	@$(make-venv)
	@echo "installing into $(VENV) (once; about half a minute) ..."
	@$(install) -e '.[all]'
	@touch $@

$(FOR_TEST): $(INSTALLED)
	@$(make-venv)
	@echo "installing into $(VENV), with what the tests need (once; a minute or two) ..."
	@$(install) -e '.[test]'
	@touch $@ $(FOR_DEMO)

$(FOR_DOCS): $(INSTALLED)
	@$(make-venv)
	@echo "installing into $(VENV), with what the site needs (once; a minute or two) ..."
	@$(install) -e '.[docs]'
	@touch $@

# A kernel that can't be installed is left out of the benchmarks; its log says why.
$(FOR_BENCH): $(FOR_TEST)
	@echo "installing other kernels into .venv-peers (once; a minute or two) ..."
	@"$(PYTHON)" -m venv --clear .venv-peers
	@for peer in $(PEERS); do \
	  .venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
	    --only-binary :all: $$peer >.venv-peers/$$peer.log 2>&1 || echo "left out: $$peer"; \
	done
	@touch $@

install = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input

# What stands there is kept if it works: it may be a developer's own.
define make-venv
"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || { \
  echo 'minikernel needs Python 3.10 or newer, and $(PYTHON) is not: make PYTHON=/path/to/python' >&2; \
  exit 2; }; \
"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
  echo '$(PYTHON) cannot make environments: apt install python3-venv, or make PYTHON=/path/to/python' >&2; \
  exit 2; }; \
$(BIN)/python -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv --clear $(VENV)
endef
