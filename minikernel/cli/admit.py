"""`minikernel admit`: a connection file with which a client can't pose as the kernel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from minikernel.cli.terminal import say
from minikernel.errors import ConfigError
from minikernel.transport import connection
from minikernel.transport.curve import add_client, client_fields, remove_client

if TYPE_CHECKING:
    import argparse

PATIENCE = 5.0  # seconds that the kernel may take
EPILOG = """\
The file has the kernel's public CURVE key and a key pair of its own; it is for
this project's client. The kernel's secret key, which every client holds in
Jupyter's own way, is not in it. With --curve-clients the new public key is put
on the list of a kernel that runs with the same option, at once.
The file is tried, and removed again if no client can connect with it.
To remove a client, delete its line: it can no longer connect.

examples:
  minikernel run --encryption required --curve-clients clients.txt
  minikernel admit PATH alice.json --curve-clients clients.txt
  minikernel console --existing alice.json
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `admit`."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("kernel", metavar="FILE", help="connection file of the running kernel")
    add("client", metavar="NEW", help="connection file to write; nothing is overwritten")
    add(
        "--curve-clients",
        metavar="LIST",
        help="the list that the kernel runs with: add the client to it",
    )


def run(args: argparse.Namespace) -> int:
    """Write the file, then put the client on the list.

    Raises:
        ConfigError: the kernel's file has no keys or no ports, or something can't be written.
    """
    info, fields = connection.read(args.kernel)
    if not all(getattr(info, port) for port in connection.PORTS.values()):
        raise ConfigError(f"connection file {args.kernel!r}: no ports yet, start the kernel first")
    try:
        new, public = client_fields(fields)
    except ConfigError as error:
        raise ConfigError(f"connection file {args.kernel!r}: {error}") from None
    connection.create(args.client, new)
    try:
        if args.curve_clients is not None:
            add_client(args.curve_clients, public, Path(args.client).stem)
        _try(args.client, args.curve_clients)
    except BaseException:  # without the file the command can be repeated
        Path(args.client).unlink()
        if args.curve_clients is not None:
            remove_client(args.curve_clients, public)
        raise
    say(args.client)
    listed = (
        f"its key is on {args.curve_clients}" if args.curve_clients else "the kernel has no list"
    )
    say(f"a client with this file may connect: {listed}")
    return 0


def _try(file: str, listed: str | None) -> None:
    """Check that a client can connect with the new file.

    Raises:
        ConfigError: it can't.
    """
    import minikernel  # noqa: PLC0415 - the client, when all else is right

    try:
        minikernel.connect(file, timeout=PATIENCE).close()
    except minikernel.KernelDied:
        why = (
            "does the kernel have a list? Then name it with --curve-clients LIST"
            if listed is None
            else f"is the kernel running, with --curve-clients {listed}?"
        )
        raise ConfigError(f"no kernel answers a client with {file!r}; {why}") from None
