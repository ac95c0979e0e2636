"""What a language engine is, and what it may ask of its surroundings.

An engine runs code. It knows no message and no socket: whatever it has to show goes through a
`Frontend`, which the kernel implements.
"""

from __future__ import annotations

import contextvars
import types
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from contextlib import AbstractContextManager

MimeBundle = dict[str, Any]  # mimetype -> data: str, or JSON for the JSON types; images base64
Value: TypeAlias = Any  # somebody else's: what it has and does is not known here
Option: TypeAlias = Any  # an argument for whatever it is handed on to
THEIRS = (Exception,)  # what the methods and attributes of the user's objects may raise

# What outputs and questions belong to. The kernel sets it, and asyncio and the kernel see to tasks
# and threads; an engine that runs code in a context of its own sets it there.
REQUEST: contextvars.ContextVar[Any] = contextvars.ContextVar("request")


@types.coroutine
def enter_loop() -> Generator[None, None, None]:
    """Suspend once: what drives the coroutine goes on with it inside a running asyncio loop.

    The kernel runs requests without any event loop until one is needed; a bare yield is the
    request for one, and to asyncio itself (``asyncio.sleep(0)``) it is one turn of the loop.
    Going on takes ``loop.create_task(coroutine)``: ``await`` refuses a suspended coroutine.

    Raises:
        OSError, ImportError: there can be no loop now, for lack of descriptors, say.
    """
    yield


class Frontend(Protocol):
    """The side of the user, as an engine sees it. Callable from any thread."""

    def display(
        self,
        data: MimeBundle,
        metadata: MimeBundle,
        *,
        display_id: str | None = None,
        update: bool = False,
        transient: MimeBundle | None = None,
    ) -> None:
        """Show a mime bundle, or replace what is shown under `display_id`.

        `transient` is for clients only; it does not get into notebooks.
        """

    def result(self, count: int, data: MimeBundle, metadata: MimeBundle) -> None:
        """Show the value of the cell's last expression."""

    def clear_output(self, *, wait: bool = False) -> None:
        """Clear the cell's output, with `wait` only when the next output comes."""

    def input(self, prompt: str, *, password: bool = False) -> str:
        """Ask the user for one line.

        Raises:
            NotImplementedError: the request did not allow stdin, or the client is gone.
            KeyboardInterrupt: the user interrupted instead.
        """


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An exception, as the protocol reports it."""

    ename: str
    evalue: str
    traceback: list[str]  # lines for the terminal, with ANSI colours

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Describe without a traceback, which would take an import, or the user's code to go on."""
        name = type(error).__name__
        text = "an exception without a text"
        with suppress(Exception):  # the user's __str__
            text = str(error)
        return cls(ename=name, evalue=text, traceback=[f"{name}: {text}"])

    @property
    def line(self) -> str:
        """Name and text, in one line."""
        return f"{self.ename}: {' '.join(self.evalue.split())}"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a cell ended; `failure` is None if it went well."""

    failure: Failure | None = None
    payload: Sequence[Mapping[str, Any]] = ()  # "page", "ask_exit", "set_next_input"
    user_expressions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Completion:
    """Matches for the text between two cursor positions (in Unicode code points)."""

    matches: list[str]
    start: int
    end: int
    types: list[str] = field(default_factory=list)  # parallel to matches, jedi's words


@dataclass(frozen=True, kw_only=True)
class LanguageInfo:
    """`language_info` of a kernel_info_reply, plus the banner."""

    name: str
    version: str
    mimetype: str = "text/plain"
    file_extension: str = ".txt"
    pygments_lexer: str = "text"
    codemirror_mode: str | Mapping[str, Any] = "null"  # that of plain text
    banner: str = ""
    implementation: str = "minikernel"
    implementation_version: str = "0"
    help_links: Sequence[Mapping[str, str]] = ()


class Engine(Protocol):
    """A language engine. All calls but `interrupted` come from the kernel's main thread."""

    info: LanguageInfo
    execution_count: int  # number of the last cell that was counted

    async def execute(
        self,
        code: str,
        *,
        silent: bool,
        store_history: bool,
        user_expressions: Mapping[str, str],
    ) -> Outcome:
        """Run one cell.

        Awaits only if the cell needs an event loop (top-level await, or asyncio in use):
        `await enter_loop()` asks the kernel for one. Everything the cell printed, Python-level,
        has been written to sys.stdout and sys.stderr when it returns; it never raises, not even
        KeyboardInterrupt or SystemExit of the user's code.
        """

    def begin(self) -> None:
        """Note that `execute` will follow: an interrupt from now on is for that cell."""

    def interrupted(self) -> None:
        """SIGINT came; called by its handler, so in the main thread between two bytecodes.

        Raises KeyboardInterrupt if the user's code is on the stack (a cell, a completion), cancels
        a cell that awaits, and does nothing between cells. Also raises in a task or callback of
        the user's that keeps the loop busy, then out of the loop as well.
        """

    def running(self) -> AbstractContextManager[None, bool | None]:
        """A context in which the user's code runs outside of cells: a comm's callback, say.

        An interrupt raises KeyboardInterrupt in there. Exceptions, this one too, end the block
        and are printed on sys.stderr.
        """

    def complete(self, code: str, cursor: int) -> Completion:
        """Complete `code` at `cursor` (code points)."""

    def inspect(self, code: str, cursor: int, detail: int) -> MimeBundle | None:
        """Describe the name at `cursor`; None if there is nothing to say."""

    def is_complete(self, code: str) -> tuple[Literal["complete", "incomplete", "invalid"], str]:
        """Whether the cell can run, and the indent to go on with if incomplete."""

    def history(
        self,
        access: str,
        *,
        output: bool,
        session: int,
        start: int,
        stop: int | None,
        n: int | None,
        pattern: str,
        unique: bool,
    ) -> list[tuple[int, int, Any]]:
        """Past cells as (session, line, source), with `output` (session, line, (source, out))."""

    @property
    def history_problem(self) -> str | None:
        """What keeps the history from being written to its file, if anything does."""

    def save(self) -> None:
        """Write pending history to disk. Called now and then from another thread; never raises."""

    def close(self) -> None:
        """Write what is pending and let go of files; called once at the end."""
