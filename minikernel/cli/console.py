"""`minikernel console`: an interactive prompt on a kernel."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import minikernel
from minikernel.cli.keys import KEYS
from minikernel.errors import ConfigError
from minikernel.transport.connection import find, read

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from minikernel import MiniKernelClient

EPILOG = f"""\
examples:
  minikernel console
  minikernel console --existing kernel.json
  minikernel console --existing alice.json     with an invitation

keys:
{KEYS}
With an invitation that lacks execute, the console shows what others
run, and its first lines say which of these keys work. Without --existing the
kernel is a fresh one, and ends with the console; with it the kernel keeps
running, and what its other clients run is shown too, with their names. The
bottom line counts the messages that this end and the kernel rejected, and
those that were verified on each channel.
"""
ANSWER_TIMEOUT = 10.0  # seconds that a running kernel may take


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `console`."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add(
        "--existing",
        metavar="FILE",
        help="connection file of a running kernel (default: start one)",
    )
    add(
        "--scheme",
        metavar="NAME",
        help="signature scheme: hmac-sha256 (default; also jupyter-hmac), channel-hmac-sha256 (also"
        " channel-hmac), ...; with --existing: refuse a file with another",
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
        from minikernel.cli.prompt import Console  # needs an extra
        from minikernel.cli.watch import Watch  # noqa: PLC0415 - as above
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] != "prompt_toolkit":
            raise
        raise ConfigError(
            "console needs prompt_toolkit: pip install 'minikernel[console]'"
        ) from None
    with _client(args.existing, args.scheme) as client:
        if client.verifier.scheme.permits("execute_request"):
            with contextlib.closing(Console(client)) as console:
                console.talk()
        else:
            Watch(client, _promise(client)).talk()
    return 0


def _promise(client: MiniKernelClient) -> str:
    """What the invitation of a client allows."""
    from minikernel.cli.invite import promise  # few consoles need it

    _, fields = read(client.connection_file)
    return promise(fields["client_id"], fields["rights"])


@contextlib.contextmanager
def _client(existing: str | None, scheme: str | None) -> Iterator[MiniKernelClient]:
    from minikernel.cli.kernels import kernel_of_our_own, orderly_end  # noqa: PLC0415 - the client

    if existing is None:
        with kernel_of_our_own(**({"scheme": scheme} if scheme else {})) as client:
            yield client
        return
    found = find(existing)
    with orderly_end(), minikernel.connect(found, scheme=scheme, timeout=ANSWER_TIMEOUT) as client:
        yield client
