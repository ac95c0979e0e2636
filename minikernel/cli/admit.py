"""`minikernel admit`: a connection file with which a client can't pose as the kernel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from minikernel.errors import ConfigError
from minikernel.transport import connection
from minikernel.transport.curve import add_client, client_fields

if TYPE_CHECKING:
    import argparse

EPILOG = """\
The file has the kernel's public CURVE key and a key pair of its own; it is for
this project's client. The kernel's secret key, which every client holds by
Jupyter's own way, is not in it. With --curve-clients the new public key is put
on the list of a kernel that runs with the same option; it is heeded at once.
To take a client out, remove its line: it can't connect any more.

examples:
  minikernel run --encryption required --curve-clients clients.txt
  minikernel admit PATH alice.json --curve-clients clients.txt
  minikernel console --existing alice.json
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `admit`."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("kernel", metavar="FILE", help="the connection file of a kernel that runs")
    add("client", metavar="NEW", help="the connection file to write; there must be none yet")
    add("--curve-clients", metavar="LIST", help="the kernel's list, to add the client to")


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
    if args.curve_clients is not None:
        try:
            add_client(args.curve_clients, public, Path(args.client).stem)
        except ConfigError:  # without the file the command can be repeated
            Path(args.client).unlink()
            raise
    return 0
