"""The outputs of a cell on a terminal, escaped: colours, and nothing else that acts there."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TextIO

from minikernel.cli.pages import page
from minikernel.cli.terminal import has_colours, plain_text, safe, style
from minikernel.client.escape import shortened

if TYPE_CHECKING:
    from minikernel import Result
    from minikernel.client.verifier import Msg


class Printer:
    """Prints what a cell publishes, as it comes."""

    def __init__(self) -> None:
        self._line_is_open = False
        self._told = False  # the error, if there is one

    def __call__(self, msg: Msg) -> None:
        """Print one message of iopub."""
        content = msg["content"]
        kind = msg["msg_type"]
        if kind == "stream":
            name = content.get("name")
            self._write(
                str(content.get("text", "")), sys.stderr if name == "stderr" else sys.stdout
            )
        elif kind == "execute_result":
            self._result(content)
        elif kind in {"display_data", "update_display_data"}:
            self._line(plain_text(content.get("data")))
        elif kind == "error":
            self._told = True
            self._line("\n".join(map(str, content.get("traceback", []))))

    def finish(self, result: Result) -> None:
        """Print what the reply brings, and end the last line."""
        for item in result.payload:
            if item.get("source") == "page":
                self.end_line()
                page(safe(plain_text(item.get("data")), colours=False))
        if result.error is not None and not self._told:  # who may not observe hears it only here
            name = f"{result.error.ename}: {result.error.evalue}"
            self._line("\n".join(result.error.traceback) or name)
        if result.status == "aborted":
            self.note("the kernel did not run this cell")
        self.end_line()

    def note(self, text: str) -> None:
        """A line of our own."""
        self.end_line()
        print(style(text, "dim"))

    def end_line(self) -> None:
        """Begin a new line, unless the last one has ended."""
        if self._line_is_open:
            print()
        self._line_is_open = False

    def _result(self, content: dict[str, Any]) -> None:
        text = plain_text(content.get("data"))
        self.end_line()
        prompt = style(f"Out[{shortened(str(content.get('execution_count')), 9)}]: ", "red")
        print(end=prompt + ("\n" if "\n" in text else ""))
        self._line(text)

    def _line(self, text: str) -> None:
        self.end_line()
        self._write(text.rstrip("\n") + "\n", sys.stdout)

    def _write(self, text: str, stream: TextIO) -> None:
        if text:
            stream.write(safe(text, colours=has_colours(stream)))
            stream.flush()
            self._line_is_open = not text.endswith("\n")
