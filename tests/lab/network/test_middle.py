"""What a man in the middle can do that no attack of the lab shows by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import pytest

from minikernel.lab.columns import CURVE, NULL
from minikernel.lab.network.middle import Middle
from minikernel.lab.stage import Stage
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from pathlib import Path


def test_a_connection_that_is_cut_is_made_anew(tmp_path: Path) -> None:
    with Stage(NULL, tmp_path) as stage:
        stage.victim.run("x = 6")
        assert isinstance(stage.middle, Middle)
        stage.middle.cut(stage.request().client)
        assert stage.victim.run("x * 7").value == "42"


def fail(_: object) -> NoReturn:
    raise LookupError("a rule that fails")


@pytest.mark.parametrize("column", [NULL, CURVE], ids=["middle", "relay"])
def test_a_rule_that_fails_lets_messages_pass_and_is_told_of(
    column: object, tmp_path: Path
) -> None:
    with Stage(column, tmp_path) as stage:  # type: ignore[arg-type]
        stage.middle.check()
        stage.middle.rule = fail
        assert stage.victim.run("6 * 7").value == "42"
        with pytest.raises(LookupError, match="a rule that fails"):
            stage.middle.check()


def test_nobody_is_there_in_the_end(tmp_path: Path) -> None:
    with Stage(NULL, tmp_path) as stage:
        stage.loose(Channel.SHELL).send([b"x"])
        assert stage.middle.wait(lambda _: False, timeout=0) is None
    assert stage.kernel.poll() is not None
