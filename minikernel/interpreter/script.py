"""Run a script in `__main__`, as `python FILE.py` does, with the display functions too.

Not imported but executed, by a fresh interpreter (`cli/script.py`). It imports nothing that the
interpreter has not imported already: a script's `import typing` finds the file beside it, if there
is one. Nothing here is a kernel: what a script expects of its process, from descriptors to the way
it ends, is what the interpreter itself does.
"""

import builtins
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

DISPLAYS = ("display", "update_display", "clear_output")


def run(path: str, *, terminal: bool) -> None:
    """Run a script, and let the interpreter say how it ended.

    Args:
        path: as it was given; it is `sys.argv[0]`.
        terminal: whether one waits behind the pipe that is our standard output.

    Raises:
        BaseException: what the script raised; sys.excepthook shows none of our frames.
    """
    if terminal:
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr] # a TextIOWrapper
    if not getattr(sys.flags, "safe_path", sys.flags.isolated):  # the flag came with Python 3.11
        sys.path[0] = os.path.dirname(os.path.realpath(path))  # noqa: PTH120 - os is there already
    for name in DISPLAYS:
        setattr(builtins, name, _on_first_use(name))
    file = os.path.join(os.getcwd(), path)  # noqa: PTH109, PTH118 - os is there already
    try:
        with open(file, "rb") as source:  # noqa: PTH123 - no pathlib yet
            code = compile(source.read(), file, "exec")
        exec(code, _namespace(file))  # noqa: S102 - what it is for
    except BaseException as error:  # raised again: the interpreter knows what to do with each
        sys.excepthook = _hiding_us(sys.excepthook, _without_ours(error.__traceback__))
        raise


def _namespace(file: str) -> "dict[str, Any]":
    """What `__main__` holds before a script's first line."""
    namespace = sys.modules["__main__"].__dict__
    for name in [name for name in namespace if not name.startswith("__")]:
        del namespace[name]
    loader = sys.modules["_frozen_importlib_external"].SourceFileLoader("__main__", file)
    namespace.update(__file__=file, __cached__=None, __loader__=loader)
    return namespace


def _without_ours(frames: "TracebackType | None") -> "TracebackType | None":
    while frames is not None and frames.tb_frame.f_code.co_filename == run.__code__.co_filename:
        frames = frames.tb_next
    return frames


def _hiding_us(
    hook: "Callable[..., object]", frames: "TracebackType | None"
) -> "Callable[..., None]":
    def show(kind: "type[BaseException]", error: BaseException, _: object) -> None:
        """Call the hook that was there, with the script's frames only."""
        sys.excepthook = hook
        hook(kind, error.with_traceback(frames), frames)

    return show


def _on_first_use(name: str) -> "Callable[..., object]":
    def show(*args: object, **options: object) -> object:
        """Print the plain text of what is displayed."""
        displayer = _displayer()
        for each in DISPLAYS:
            setattr(builtins, each, getattr(displayer, each))
        return getattr(displayer, name)(*args, **options)

    return show


def _displayer() -> object:
    sys.path.append(run.__code__.co_filename.rpartition("minikernel")[0])
    try:
        from minikernel.interpreter.display import Displayer  # noqa: PLC0415 - few scripts need it
    finally:
        sys.path.pop()
    return Displayer(_Printing())


class _Printing:
    """The `Frontend` of a script: standard output."""

    def display(
        self,
        data: "dict[str, Any]",
        metadata: object,
        *,
        display_id: "str | None" = None,
        update: bool = False,
        transient: object = None,
    ) -> None:
        """Print the plain text of a bundle; nothing of a place that is filled later."""
        del metadata, display_id, update, transient
        if data:
            print(data.get("text/plain", ""))  # noqa: T201 - its purpose

    def result(self, count: int, data: "dict[str, Any]", metadata: object) -> None:
        """Print a value."""
        del count
        self.display(data, metadata)

    def clear_output(self, *, wait: bool = False) -> None:
        """Do nothing: what is printed stays."""

    def input(self, prompt: str, *, password: bool = False) -> str:
        """Ask at standard input."""
        del password
        return input(prompt)
