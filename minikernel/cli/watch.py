"""A console for those who may not run cells: it shows what others run, and asks for little."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from prompt_toolkit.application import Application, get_app, run_in_terminal
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import FormattedTextControl, Layout, Window

from minikernel.cli.bottom import verdicts
from minikernel.cli.highlight import Highlighter, language_of
from minikernel.cli.others import Others
from minikernel.cli.questions import PATIENCE, UNANSWERED, Questions
from minikernel.cli.terminal import safe, style

if TYPE_CHECKING:
    from prompt_toolkit.key_binding import KeyPressEvent

    from minikernel import MiniKernelClient

REFRESH = 1.0  # seconds
INTERRUPT, SHUTDOWN = "interrupt_request", "shutdown_request"


class Watch:
    """Shows cells, outputs, errors, and who ran them, until the user has enough.

    Args:
        client: on the kernel.
        promise: says what the client may do.
    """

    def __init__(self, client: MiniKernelClient, promise: str) -> None:
        self._client = client
        self._promise = promise
        self._questions = Questions(client)
        self._others = Others(client, Highlighter(language_of(self._questions.info)))
        line = FormattedTextControl(self._line)
        self._app: Application[None] = Application(
            layout=Layout(Window(line, height=1, style="class:bottom-toolbar")),
            key_bindings=self._keys(),
            refresh_interval=REFRESH,
            erase_when_done=True,
        )

    def talk(self) -> None:
        """Show what comes until Ctrl-D, or the kernel's end."""
        print(safe(str(self._questions.info.get("banner", "")), colours=False))
        print(self._promise)
        if not self._client.verifier.scheme.observes:
            print("this invitation is not for outputs: nothing will be shown")
        print(style("\n".join(self._help()), "dim"))
        self._questions.count_rejected()
        with contextlib.suppress(EOFError):
            self._app.run(pre_run=self._start)

    def _help(self) -> list[str]:
        return [
            "what others run is shown here; you cannot run cells",
            *(["Ctrl-C interrupts the running cell"] if self._questions.may(INTERRUPT) else []),
            *(["Ctrl-Q Ctrl-Q ends the kernel"] if self._questions.may(SHUTDOWN) else []),
            "Ctrl-D ends this console",
        ]

    def _start(self) -> None:
        get_app().create_background_task(self._others.follow(self._shown))

    def _shown(self) -> None:
        if self._others.ended:
            self._app.exit()
        else:
            self._questions.count_rejected()

    def _line(self) -> str:
        return verdicts(
            self._client.ledger,
            self._questions.rejected,
            said=[*self._questions.news(), "watching, Ctrl-D ends"],
            width=self._app.output.get_size().columns,
        )

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("c-d")
        def leave(event: KeyPressEvent) -> None:
            event.app.exit()

        @keys.add("c-c")
        def interrupt(_event: KeyPressEvent) -> None:
            if not self._questions.may(INTERRUPT):
                say("you may not interrupt; Ctrl-D ends this console")
                return
            try:
                self._client.interrupt(PATIENCE)
            except UNANSWERED:
                say("the kernel does not answer")

        @keys.add(Keys.Any)
        def other(event: KeyPressEvent) -> None:
            if event.data.isprintable():
                say(f"{self._promise}; Ctrl-D ends this console")

        if self._questions.may(SHUTDOWN):
            add_end(keys, self._questions)
        return keys


def add_end(keys: KeyBindings, questions: Questions) -> None:
    """Let Ctrl-Q, pressed twice, end the kernel."""

    @keys.add("c-q", "c-q")
    def end(event: KeyPressEvent) -> None:
        if questions.end_kernel():
            event.app.exit(exception=EOFError)
        else:
            say("the kernel does not answer")


def say(text: str) -> None:
    """A line of our own above the prompt."""
    run_in_terminal(lambda: print(style(text, "dim")))
