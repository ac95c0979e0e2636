"""A script on a fresh kernel: what goes in and comes out is what `python FILE.py` would do."""

from __future__ import annotations

import io
import re
import sys
import tokenize
from typing import TYPE_CHECKING, TextIO

import minikernel
from minikernel.cli.exec import contents
from minikernel.cli.kernels import orderly_end
from minikernel.cli.terminal import has_colours, plain_text, safe
from minikernel.client.terminal import ask_terminal
from minikernel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from minikernel import Result
    from minikernel.client.verifier import Msg

LAYOUT = "\n\t\r\b"  # a progress bar may return to the begin of its line
DISPLAYS = ("display_data", "update_display_data")
INTERRUPTED = 130
# The surroundings that a script expects of `python FILE.py`, where a kernel has others.
PRELUDE = """\
import builtins, sys
builtins.exit = builtins.quit = sys.exit
sys.argv = {argv!r}
sys.path[0] = {directory!r}
sys.stdin.read = lambda size=-1, stdin=sys.stdin: "".join(stdin)
__file__ = {file!r}
del builtins, sys
"""
# The word asyncio puts a cell into the kernel's loop; asyncio.run, in a script, wants none.
ASYNCIO = """\
import asyncio
def _run(main, *, run=asyncio.run, **options):
    loop = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    try:
        return run(main, **options)
    finally:
        asyncio._set_running_loop(loop)
asyncio.run = _run
del asyncio, _run
"""


def run(path: Path, arguments: Sequence[str]) -> int:
    """Run a script; the exit code.

    Raises:
        ConfigError: the file can't be read, or is no text.
        KernelDied: the kernel ended before the script did.
    """
    source = _source(path)
    prelude = PRELUDE.format(
        argv=[str(path), *arguments],
        directory=str(path.resolve().parent),
        file=str(path.absolute()),
    )
    if "asyncio" in source:
        prelude += ASYNCIO
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    with orderly_end(), minikernel.launch(extra_arguments=["--history", "off"]) as client:
        client.run(prelude, silent=True).raise_for_error()
        result = client.run(source, on_output=_show, on_input=_ask)
    return _end(result, path)


def _source(path: Path) -> str:
    """The text of a script, in the encoding that it declares (PEP 263)."""
    content = contents(path)
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        return io.TextIOWrapper(io.BytesIO(content), encoding).read()
    except (SyntaxError, UnicodeDecodeError) as error:
        raise ConfigError(f"{str(path)!r} is no text: {error}") from None


def _show(msg: Msg) -> None:
    content = msg["content"]
    if msg["msg_type"] == "stream":
        stream = sys.stderr if content.get("name") == "stderr" else sys.stdout
        _write(str(content.get("text", "")), stream)
    elif msg["msg_type"] in DISPLAYS:
        _write(plain_text(content.get("data")) + "\n", sys.stdout)


def _write(text: str, stream: TextIO) -> None:
    if stream.isatty():
        text = safe(text, colours=has_colours(stream), keep=LAYOUT)
    stream.write(text)
    stream.flush()


def _ask(prompt: str, password: bool) -> str:  # noqa: FBT001 - on_input's signature
    return ask_terminal(safe(prompt, colours=False), password)


def _end(result: Result, path: Path) -> int:
    """Say why the script ended, as Python would; the exit code."""
    if result.error is None:
        return 0
    if result.error.ename == "SystemExit":
        return _exit(result.error.evalue)
    trace = "\n".join(result.error.traceback)
    trace = trace.replace(f'"<cell {result.execution_count}>"', f'"{path}"')
    print(safe(trace, colours=has_colours(sys.stderr)), file=sys.stderr)
    return INTERRUPTED if result.error.ename == "KeyboardInterrupt" else 1


def _exit(code: str) -> int:
    if re.fullmatch(r"-?\d+", code):
        return int(code) & 0xFF
    if code in {"", "None"}:
        return 0
    print(safe(code, colours=has_colours(sys.stderr)), file=sys.stderr)
    return 1
