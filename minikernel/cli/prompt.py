"""The console's conversation: prompt, cell, outputs, and again."""

from __future__ import annotations

import codeop
import contextlib
from typing import TYPE_CHECKING, Any

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import Completer, Completion
from prompt_toolkit.formatted_text import ANSI
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings

import minikernel
from minikernel.cli.bottom import verdicts
from minikernel.cli.highlight import Highlighter, language_of
from minikernel.cli.interrupts import Orders, interrupting
from minikernel.cli.keys import KEYS
from minikernel.cli.others import Others
from minikernel.cli.pages import page
from minikernel.cli.printer import Printer
from minikernel.cli.questions import UNANSWERED, Questions
from minikernel.cli.terminal import safe, style
from minikernel.cli.watch import SHUTDOWN, add_end
from minikernel.client.terminal import END_OF_FILE
from minikernel.errors import RequestLost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document
    from prompt_toolkit.key_binding import KeyPressEvent

    from minikernel import MiniKernelClient, Result

REMEMBERED = 1000  # cells of earlier sessions
MENU = 6  # lines kept free for completions
REFRESH = 1.0  # seconds
SOON = 0.5  # seconds in which an idle kernel answers


class Console:
    """Talks with the user on one side and with a kernel on the other.

    Args:
        client: on the kernel.
    """

    def __init__(self, client: MiniKernelClient) -> None:
        self._client = client
        self._orders = Orders(client)
        self._questions = Questions(client)
        self._language = language_of(self._questions.info)
        self._highlighter = Highlighter(self._language)
        self._others = Others(client, self._highlighter)
        self._number: int | str = 1
        self._inner: PromptSession[str] = PromptSession(bottom_toolbar=self._toolbar)

    def close(self) -> None:
        """Close what the console opened; the client stays open."""
        self._orders.close()

    def talk(self) -> None:
        """Prompt for cells and run them until the user has enough."""
        self._greet()
        self._number = self._first_number()
        session = self._session()
        while not self._is_left_alone:
            self._questions.count_rejected()
            try:
                code = session.prompt(pre_run=self._follow_others)
            except KeyboardInterrupt:
                continue
            except EOFError:
                return
            if code.strip() == "?":
                page(
                    f"{KEYS}\nThe bottom line counts the messages that were rejected and verified."
                )
            elif code.strip() and self._run(code):
                return

    def _greet(self) -> None:
        print(safe(str(self._questions.info.get("banner", "")), colours=False))
        print(style("every message is verified; ? shows the keys, Ctrl-D or exit ends", "dim"))
        if not self._client.verifier.scheme.observes:
            print(style("this invitation is not for outputs: you see whether a cell failed", "dim"))

    def _session(self) -> PromptSession[str]:
        return PromptSession(
            message=lambda: ANSI(style(f"In [{self._next_number()}]: ", "green")),
            history=self._history(),
            auto_suggest=AutoSuggestFromHistory(),
            lexer=self._highlighter.for_prompt(),
            completer=KernelCompleter(self._complete),
            complete_while_typing=False,
            reserve_space_for_menu=MENU,
            multiline=True,
            prompt_continuation=lambda width, _line, _wrapped: "...: ".rjust(width),
            key_bindings=self._keys(),
            bottom_toolbar=self._toolbar,
            refresh_interval=REFRESH,
        )

    def _follow_others(self) -> None:
        get_app().create_background_task(self._others.follow(self._shown))

    def _shown(self) -> None:
        if self._is_left_alone:
            get_app().exit(exception=EOFError)
        else:
            self._questions.count_rejected()

    @property
    def _is_left_alone(self) -> bool:
        """Whether somebody has told the kernel to end, and it is not ours to start another."""
        return self._others.ended and not self._client.owns_kernel

    def _next_number(self) -> int | str:
        """The next cell's number: others may have run some meanwhile."""
        if isinstance(self._number, int):
            return max(self._number, self._others.count + 1)
        return self._others.count + 1 if self._others.count else self._number

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
        except minikernel.KernelDied as problem:
            if not self._client.owns_kernel:
                printer.note(str(problem))
                return True
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

    def _first_number(self) -> int | str:
        if self._client.owns_kernel:
            return 1
        with contextlib.suppress(*UNANSWERED):
            return self._count(SOON)
        print(
            style("waiting for the kernel, which is busy ... (Ctrl-C stops waiting)", "dim"),
            flush=True,
        )
        with contextlib.suppress(*UNANSWERED, KeyboardInterrupt):
            return self._count(None)
        return "*"

    def _count(self, timeout: float | None) -> int:
        """The number of the next cell; asked again if somebody's error aborts that."""
        result = self._client.run("", silent=True, timeout=timeout)
        while result.status == "aborted":
            result = self._client.run("", silent=True, timeout=timeout)
        return (result.execution_count or 0) + 1

    def _history(self) -> InMemoryHistory:
        if self._number == "*":
            return InMemoryHistory()  # it would be waited for
        tail = {"hist_access_type": "tail", "n": REMEMBERED, "output": False}
        past = self._questions.ask("history", **tail).get("history", [])
        return InMemoryHistory([str(entry[-1]) for entry in past if isinstance(entry, list)])

    def _complete(self, code: str, cursor: int) -> dict[str, Any]:
        return self._questions.ask("complete", code, cursor)

    def _is_complete(self, code: str) -> dict[str, Any]:
        if self._questions.may("is_complete_request"):
            return self._questions.ask("is_complete", code)
        with contextlib.suppress(SyntaxError, ValueError, OverflowError):
            if self._language.startswith("python") and codeop.compile_command(code) is None:
                return {"status": "incomplete"}
        return {}

    # The prompt

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("enter")
        def enter(event: KeyPressEvent) -> None:
            buffer = event.current_buffer
            if buffer.document.text_after_cursor.strip():
                buffer.newline()
                return
            said = self._is_complete(buffer.text) if buffer.text.strip(" \n?") else {}
            if said.get("status") == "incomplete":
                buffer.insert_text("\n" + " " * len(str(said.get("indent", ""))))
            else:
                buffer.validate_and_handle()

        if not self._client.owns_kernel and self._questions.may(SHUTDOWN):
            add_end(keys, self._questions)
        return keys

    def _toolbar(self) -> str:
        return verdicts(
            self._client.ledger,
            self._questions.rejected,
            said=[] if self._client.owns_kernel else self._questions.news(),
            width=get_app().output.get_size().columns,
        )


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
        """Yield what may be at the cursor."""
        cursor = document.cursor_position
        said = self._complete(document.text, cursor)
        start = said.get("cursor_start", cursor)
        for match in said.get("matches", []):
            text = safe(str(match), colours=False, keep="")
            yield Completion(text, start_position=min(0, start - cursor))
