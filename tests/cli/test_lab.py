from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from minikernel.cli.app import main
from minikernel.cli.lab import Progress
from minikernel.lab.matrix import Finding

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def test_it_attacks_what_is_selected(call: Callable[..., Any]) -> None:
    said = call("lab", "--scheme", "null", "--scheme", "jupyter-hmac", "--attack", "forge-blind")
    assert (said.code, said.err) == (0, "")
    row = next(line for line in said.out.splitlines() if line.startswith("forge-blind"))
    assert row.split() == ["forge-blind", "OPEN", "-"]


@pytest.mark.parametrize(
    ("name", "column"), [("hmac-sha256", "jupyter-hmac"), ("channel-hmac-sha256", "channel-hmac")]
)
def test_a_scheme_has_the_name_that_run_gives_it_too(
    name: str, column: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lab", "--expected", "--json", "--scheme", name]) == 0
    findings = json.loads(capsys.readouterr().out)
    assert {finding["scheme"] for finding in findings} == {column}


def test_json_has_the_evidence(call: Callable[..., Any]) -> None:
    said = call("lab", "--scheme", "clear-key", "--attack", "change-content", "--json")
    assert said.code == 0
    (finding,) = json.loads(said.out)
    assert (finding["outcome"], finding["seen"]) == ("let through", "ran once")


@pytest.mark.parametrize(
    ("arguments", "start"),
    [
        (["--expected"], "N  null\n"),
        (["--expected", "--json"], "[\n"),
        (["--expected", "--markdown"], "# Attacks\n"),
        (["--expected", "--svg"], "<svg "),
        (["--channels"], "null\nchannel   direction origin"),
        (["--channels", "--markdown"], "# Who can prove what to whom"),
        (["--explain", "swap-requests"], "swap-requests: Swap two requests"),
        (["--list"], "schemes:\n  null\n"),
    ],
)
def test_what_needs_no_attack(
    arguments: list[str], start: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lab", *arguments]) == 0
    assert capsys.readouterr().out.startswith(start)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--attack", "forge-blnd"], "there is no attack 'forge-blnd'; did you mean forge-blind?"),
        (["--explain", "xyz"], "there is no attack 'xyz' (lab --list)"),
        (["--scheme", "jupyter"], "the lab has no scheme 'jupyter'"),
        (["--json", "--svg"], "lab: argument --svg: not allowed with argument --json"),
    ],
)
def test_what_is_wrong(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_progress_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    progress = Progress(2)
    progress(Finding("null", "forge-blind", None, "", 0))
    assert capsys.readouterr().err.endswith("1/2 null: forge-blind")
    progress.clear()
