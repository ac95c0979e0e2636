"""The console's conversation: prompt, cell, outputs, and again."""

from __future__ import annotations

import contextlib
import queue
from typing import TYPE_CHECKING, Any

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import Completer, Completion
from prompt_toolkit.formatted_text import ANSI
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings

import minikernel
from minikernel.cli.interrupts import Orders, interrupting
from minikernel.cli.printer import Printer
from minikernel.cli.terminal import safe, style
from minikernel.client.escape import shortened
from minikernel.client.terminal import END_OF_FILE
from minikernel.errors import RequestLost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document
    from prompt_toolkit.key_binding import KeyPressEvent

    from minikernel import Ledger, MiniKernelClient, Result

REMEMBERED = 1000  # cells of earlier sessions
PATIENCE = 2.0  # seconds that a question of ours may take: another client's cell may be running
MENU = 6  # lines kept free for completions
UNANSWERED = (TimeoutError, queue.Empty, RequestLost)


class Console:
    """Talks with the user on one side and with a kernel on the other.

    Args:
        client: on the kernel.
    """

    def __init__(self, client: MiniKernelClient) -> None:
        self._client = client
        self._orders = Orders(client)
        self._info = self._ask("kernel_info")
        self._theirs: int | None = None  # what the kernel rejected; None: it does not tell
        self._number = self._first_number()
        self._session: PromptSession[str] = PromptSession(
            message=lambda: ANSI(style(f"In [{self._number}]: ", "green")),
            history=self._history(),
            completer=KernelCompleter(self._complete),
            complete_while_typing=False,
            reserve_space_for_menu=MENU,
            multiline=True,
            prompt_continuation=lambda width, _line, _wrapped: "...: ".rjust(width),
            key_bindings=self._keys(),
            bottom_toolbar=self._toolbar,
        )
        self._inner: PromptSession[str] = PromptSession(bottom_toolbar=self._toolbar)

    def close(self) -> None:
        """Close what the console opened; the client stays open."""
        self._orders.close()

    def talk(self) -> None:
        """Prompt for cells and run them until the user has enough."""
        self._greet()
        while True:
            self._theirs = self._rejected_by_kernel()
            try:
                code = self._session.prompt()
            except KeyboardInterrupt:
                continue
            except EOFError:
                return
            if code.strip() and self._run(code):
                return

    def _greet(self) -> None:
        banner = str(self._info.get("banner", ""))
        print(safe(banner, colours=False))
        print(style("every message is verified; Ctrl-D or exit ends", "dim"))
        if not self._client.verifier.observes:
            print(style("this invitation is not for outputs: you see whether a cell failed", "dim"))

    def _run(self, code: str) -> bool:
        """Run a cell; whether the user wants to leave."""
        printer = Printer()
        try:
            result = self._result(code, printer)
        except KeyboardInterrupt:
            printer.note("no longer waiting for this cell; the kernel may still run it")
            return False
        except RequestLost as problem:
            printer.note(str(problem))
            return False
        except minikernel.KernelDied:
            printer.note("the kernel has died; a new one starts")
            self._client.restart()
            self._number = 1
            return False
        printer.finish(result)
        self._number = (result.execution_count or 0) + 1
        return any(item.get("source") == "ask_exit" for item in result.payload)

    def _result(self, code: str, printer: Printer) -> Result:
        def ask(prompt: str, password: bool) -> str | None:  # noqa: FBT001 - on_input's signature
            printer.end_line()
            try:
                return self._inner.prompt(safe(prompt, colours=False), is_password=password)
            except EOFError:
                return END_OF_FILE

        with interrupting(self._orders, ask) as on_input:
            return self._client.run(code, on_output=printer, on_input=on_input)

    # Questions to the kernel

    def _ask(self, request: str, *arguments: Any, **options: Any) -> dict[str, Any]:  # noqa: ANN401 - the client's
        """The content of a reply; empty if none comes in time."""
        method = getattr(self._client, request)
        try:
            reply = method(*arguments, reply=True, timeout=PATIENCE, **options)
        except UNANSWERED:
            return {}
        content: dict[str, Any] = reply["content"]
        return content

    def _first_number(self) -> int | str:
        if self._client.owns_kernel:
            return 1
        with contextlib.suppress(*UNANSWERED):
            return (self._client.run("", silent=True, timeout=PATIENCE).execution_count or 0) + 1
        return "*"

    def _history(self) -> InMemoryHistory:
        reply = self._ask("history", hist_access_type="tail", n=REMEMBERED, output=False)
        past = reply.get("history", [])
        return InMemoryHistory([str(entry[-1]) for entry in past if isinstance(entry, list)])

    def _complete(self, code: str, cursor: int) -> dict[str, Any]:
        return self._ask("complete", code, cursor)

    def _rejected_by_kernel(self) -> int | None:
        """How many messages the kernel has refused; None if it is not one of ours."""
        if self._info.get("implementation") != "minikernel":
            return None
        with contextlib.suppress(*UNANSWERED):
            return self._client.auth_status(PATIENCE).rejected
        return self._theirs

    # The prompt

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("enter")
        def enter(event: KeyPressEvent) -> None:
            buffer = event.current_buffer
            if buffer.document.text_after_cursor.strip():
                buffer.newline()
                return
            said = self._ask("is_complete", buffer.text) if buffer.text.strip() else {}
            if said.get("status") == "incomplete":
                buffer.insert_text("\n" + " " * len(str(said.get("indent", ""))))
            else:
                buffer.validate_and_handle()

        return keys

    def _toolbar(self) -> str:
        return verdicts(self._client.ledger, self._theirs)


class KernelCompleter(Completer):
    """Completes by `complete_request`.

    Args:
        complete: gives the content of the reply for code and cursor.
    """

    def __init__(self, complete: Callable[[str, int], dict[str, Any]]) -> None:
        self._complete = complete

    def get_completions(
        self,
        document: Document,
        complete_event: CompleteEvent,  # noqa: ARG002 - prompt_toolkit's signature
    ) -> Iterable[Completion]:
        """What may stand at the cursor."""
        cursor = document.cursor_position
        said = self._complete(document.text, cursor)
        start = said.get("cursor_start", cursor)
        for match in said.get("matches", []):
            text = safe(str(match), colours=False, keep="")
            yield Completion(text, start_position=min(0, start - cursor))


def verdicts(ledger: Ledger, theirs: int | None) -> str:
    """One line: what was verified on each channel, and what rejected.

    Args:
        ledger: of this end.
        theirs: what the kernel rejected; None: unknown.
    """
    rows = [row for row in ledger if row.beats is None]
    parts = [f"{row.channel} {row.verified}{' ok' if row.verified else ''}" for row in rows]
    reasons = ", ".join(row.reasons for row in rows if row.rejected)
    parts.append(f"rejected {ledger.rejected}" + (f": {reasons}" if reasons else ""))
    if theirs:
        parts.append(f"by the kernel {theirs}")
    return " " + shortened(" · ".join(parts), 200)
