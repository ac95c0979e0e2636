"""`minikernel console`: an interactive prompt on a kernel."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import minikernel
from minikernel.errors import ConfigError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from minikernel import MiniKernelClient

EPILOG = """\
examples:
  minikernel console
  minikernel console --existing kernel.json
  minikernel console --existing alice.json     with an invitation

keys:
  Enter         run the cell, or begin a new line if it is not complete
  Esc Enter     run it in any case
  Tab           complete
  Up, Down      earlier cells
  Ctrl-C        interrupt the running cell; at the prompt: drop what was typed
  Ctrl-D        end, as do exit and quit

The bottom line counts the messages that were verified on each channel, and
those rejected by this end and by the kernel. Without --existing the kernel is a
fresh one, and ends with the console; with it the kernel goes on running.
"""
ANSWER_TIMEOUT = 10.0  # seconds that a running kernel may take


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `console`."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("--existing", metavar="FILE", help="the connection file of a kernel that runs")
    add(
        "--scheme",
        metavar="NAME",
        help="who may talk: hmac-sha256 (default), channel-hmac-sha256, ...",
    )


def run(args: argparse.Namespace) -> int:
    """Let the user talk to a kernel; the exit code.

    Raises:
        ConfigError: there is no terminal, prompt_toolkit is missing, or an option is refused.
        KernelDied: the kernel did not start, or does not answer.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError("console needs a terminal; to run a file there is `minikernel exec FILE`")
    try:
        from minikernel.cli.prompt import Console  # noqa: PLC0415 - needs an extra
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] != "prompt_toolkit":
            raise
        raise ConfigError(
            "console needs prompt_toolkit: pip install 'minikernel[console]'"
        ) from None
    with (
        _client(args.existing, args.scheme) as client,
        contextlib.closing(Console(client)) as console,
    ):
        console.talk()
    return 0


@contextlib.contextmanager
def _client(existing: str | None, scheme: str | None) -> Iterator[MiniKernelClient]:
    from minikernel.cli.kernels import kernel_of_our_own, orderly_end  # noqa: PLC0415 - the client
    from minikernel.transport.connection import find  # noqa: PLC0415 - likewise

    if existing is None:
        with kernel_of_our_own(**({"scheme": scheme} if scheme else {})) as client:
            yield client
        return
    found = find(existing)
    with orderly_end(), minikernel.connect(found, scheme=scheme, timeout=ANSWER_TIMEOUT) as client:
        yield client
