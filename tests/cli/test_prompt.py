"""What the console's prompt asks the kernel; the rest of it is in test_console.py."""

from __future__ import annotations

from typing import Any

from prompt_toolkit.document import Document

from minikernel.cli.prompt import KernelCompleter


def test_completions_are_escaped() -> None:
    said = {"matches": ["print", "\x1b[2J"], "cursor_start": 3, "cursor_end": 5}
    asked: list[tuple[str, int]] = []

    def complete(code: str, cursor: int) -> dict[str, Any]:
        asked.append((code, cursor))
        return said

    found = list(KernelCompleter(complete).get_completions(Document("x; pr"), None))  # type: ignore[arg-type]
    assert [(c.text, c.start_position) for c in found] == [("print", -2), (r"\x1b[2J", -2)]
    assert asked == [("x; pr", 5)]
