"""Cells of other clients on a terminal, as they come: who ran what, and what came of it."""

from __future__ import annotations

import asyncio
import queue
import time
from collections import deque
from typing import TYPE_CHECKING

from prompt_toolkit.application import run_in_terminal

from minikernel.cli.printer import Printer
from minikernel.cli.terminal import safe, style
from minikernel.client.escape import shortened

if TYPE_CHECKING:
    from collections.abc import Callable

    from minikernel import MiniKernelClient
    from minikernel.client.verifier import Author, Msg

TICK = 0.05  # seconds between two looks at iopub while a prompt is on the screen
LOOK = 0.001  # seconds that a look may take
MANY = 500  # messages shown at once; then the keyboard has its turn
UNFINISHED = 1.0  # seconds that the rest of a line is waited for
SHOWN = frozenset(
    {
        "execute_input",
        "stream",
        "execute_result",
        "display_data",
        "update_display_data",
        "error",
        "shutdown_reply",
    }
)
NAME = 64 + 2  # characters of the longest name


class Others:
    """Shows what iopub says of cells that this client has not run.

    Args:
        client: on the kernel.
        highlighted: colours code that is printable.
    """

    def __init__(self, client: MiniKernelClient, highlighted: Callable[[str], str]) -> None:
        self.count = 0  # of the last cell that another client has run
        self.ended = False  # the kernel has said that it ends
        self.seen = 0  # cells that were shown
        self._client = client
        self._highlighted = highlighted
        self._printer = Printer()
        self._waiting: deque[Msg] = deque()
        self._held = False  # a prompt is on the screen
        self._since = 0.0  # when the unfinished line began to wait
        client.on_others = self._note

    def _note(self, msg: Msg) -> None:
        if msg["msg_type"] not in SHOWN:
            return
        if msg["parent_header"].get("session") == self._client.session.session:
            return  # what is left of our own requests
        self._waiting.append(msg)
        if not self._held:
            self._show()

    async def follow(self, shown: Callable[[], object]) -> None:
        """Show what comes above the prompt that is on the screen, until it is cancelled.

        Args:
            shown: called when something was.
        """
        self._held = True
        try:
            while True:
                more = self._look()
                if self._is_due(time.monotonic()):
                    await run_in_terminal(self._show)
                    shown()
                await asyncio.sleep(0 if more else TICK)
        finally:
            self._held = False

    def _look(self) -> bool:
        """Take what has come, and see to a handshake that wants it; whether there may be more."""
        for _ in range(MANY):
            try:
                self._note(self._client.get_iopub_msg(timeout=LOOK))
            except queue.Empty:
                return False
        return True

    def _is_due(self, now: float) -> bool:
        """Whether to show what waits: a line that has no end yet may get one soon."""
        if not self._waiting:
            return False
        content = self._waiting[-1]["content"]
        if self._waiting[-1]["msg_type"] != "stream" or str(content.get("text")).endswith("\n"):
            self._since = 0.0
            return True
        self._since = self._since or now
        due = now - self._since > UNFINISHED
        self._since = 0.0 if due else self._since
        return due

    def _show(self) -> None:
        while self._waiting:
            msg = self._waiting.popleft()
            if msg["msg_type"] == "execute_input":
                self._cell(msg)
            elif msg["msg_type"] == "shutdown_reply":
                self.ended = not msg["content"].get("restart")
                self._printer.note("the kernel ends" if self.ended else "the kernel restarts")
            else:
                self._printer(msg)
        if self._held:
            self._printer.end_line()

    def _cell(self, msg: Msg) -> None:
        number = msg["content"].get("execution_count")
        if isinstance(number, int):
            self.count = number
        self.seen += 1
        self._printer.end_line()
        code = safe(str(msg["content"].get("code", "")).rstrip(), colours=False)
        head, prompt = who(self._client.verifier.author(msg)), f"In [{shortened(str(number), 9)}]: "
        first, *more = self._highlighted(code).split("\n")
        print(style(head, "cyan"), style(prompt, "green") + first)
        for line in more:
            print("...: ".rjust(len(head) + 1 + len(prompt)) + line)


def who(author: Author) -> str:
    """A verified name; in quotation marks what a client only calls itself."""
    name = shortened(author.name, NAME)
    return name if author.verified else f'"{name}"'
