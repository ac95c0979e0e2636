"""Outputs on a terminal."""

from __future__ import annotations

import re
from typing import Any

import pytest

from minikernel.cli.printer import Printer


@pytest.mark.parametrize(
    "content",
    [{}, {"data": 3}, {"text": 3, "name": 4}, {"traceback": [1]}, {"execution_count": "\x1b[2J"}],
)
def test_odd_messages_are_printed_all_the_same(
    content: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    printer = Printer()
    for kind in ("stream", "execute_result", "display_data", "error", "status", "unknown"):
        printer({"msg_type": kind, "content": content})
    assert "\x1b" not in re.sub(r"\\x1b", "", capsys.readouterr().out)
