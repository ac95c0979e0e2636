"""`minikernel invite`: a connection file for somebody who may do less than the owner."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import SCHEMES
from minikernel.auth.rights import OWNER_ID, Right, is_client, parse_rights
from minikernel.auth.spec import Invitation
from minikernel.cli.terminal import say
from minikernel.client.escape import printable
from minikernel.errors import ConfigError
from minikernel.transport import connection, plugins

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from minikernel.transport.connection import ConnectionInfo

# What is copied into an invitation. Nothing else is: what this version does not know may be secret.
COPIED = (*connection.PORTS.values(), "transport", "ip", "signature_scheme", "kernel_name")
EPILOG = """\
examples:
  minikernel run --scheme channel-hmac-sha256      prints the path of its file
  minikernel invite --name alice --rights observe --connection-file kernel.json
  minikernel invite --name bob --rights observe,execute,input,interrupt \\
      --connection-file kernel.json --output bob-laptop.json

rights:
  observe     see all cells, who runs them, and what they print and show
  execute     run code
  introspect  complete, inspect, read the history
  input       answer input() of their own cells; needs execute
  interrupt   interrupt the running cell, even somebody else's
  shutdown    end the kernel
  comms       talk to widgets
  debug       debug, and make subshells

Whoever may execute or debug is as good as the owner. Introspect and comms can
run the user's code, and the history shows what others typed. An invitation
holds until the kernel has another key, or runs with --refuse NAME.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `invite`."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add(
        "--name",
        required=True,
        type=client_id,
        help="name of the guest: 1 to 64 of A-Z a-z 0-9 . _ @ -",
    )
    add(
        "--rights",
        required=True,
        type=parse_rights,
        help="what the guest may do, separated by commas; see below",
    )
    add(
        "--connection-file",
        required=True,
        metavar="FILE",
        help="that of the running kernel: a path, or a name where Jupyter keeps such files",
    )
    add(
        "--output",
        metavar="FILE",
        type=Path,
        help="file to write (default: NAME.json in this directory)",
    )
    add("--curve-clients", metavar="LIST", help="add the client to the list of a kernel with CURVE")


def run(args: argparse.Namespace) -> int:
    """Write the invitation.

    Raises:
        ConfigError: the connection file does not allow inviting, or the output can't be written.
    """
    path = connection.find(args.connection_file)
    info, fields = connection.read(path)
    key_for = _inviting(path, info, listed=args.curve_clients is not None)
    key = SecretKey(key_for(info.secret, args.name, args.rights).encode())
    invited = Invitation(args.name, args.rights, key)
    output = args.output or Path(f"{args.name}.json")
    encryption, public = _encryption(info, fields)
    connection.create(output, {**invitation(fields, invited), **encryption})
    if args.curve_clients is not None:
        _add_to_list(args.curve_clients, public, args.name, output)
    say(f"{output}\n{promise(args.name, args.rights)}")
    return 0


def _encryption(info: ConnectionInfo, fields: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The CURVE fields of a client with a pair of its own, and its public key, if there are any."""
    if not info.curve:
        return {}, ""
    from minikernel.transport.curve import CLIENT_PAIR, SERVER_KEY, client_fields  # noqa: PLC0415 - zmq

    new, public = client_fields(fields)
    return {name: new[name] for name in (SERVER_KEY, *CLIENT_PAIR)}, public


def _add_to_list(path: str, public: str, name: str, output: Path) -> None:
    """Add a client; else remove its file, so that the command can be repeated."""
    from minikernel.transport.curve import add_client  # noqa: PLC0415 - as above

    try:
        add_client(path, public, name)
    except ConfigError:
        output.unlink()
        raise


def client_id(text: str) -> str:
    """The id of an invited client.

    Raises:
        ArgumentTypeError: it can't be one (channel-hmac, section 2).
    """
    if text == OWNER_ID or not is_client(text, Right.OBSERVE.value):
        raise argparse.ArgumentTypeError(f"{text!r} is not 1 to 64 of A-Z a-z 0-9 . _ @ -")
    return text


def _inviting(
    path: Path, info: ConnectionInfo, *, listed: bool
) -> Callable[[SecretKey, str, int], str]:
    """What makes the keys of invitations, if this file is one to invite to."""
    file = f"connection file {str(path)!r}"
    if info.is_invitation:
        raise ConfigError(f"{file}: an invitation can't invite; take the kernel's own file")
    invite = plugins.find(info.signature_scheme).invite
    if invite is None:
        inviting = [name for name in SCHEMES if plugins.find(name).invite is not None]
        raise ConfigError(
            f"{file}: {info.signature_scheme} has no invitations;"
            f" start the kernel with --scheme {' or '.join(inviting)}"
        )
    if listed and not info.curve:
        raise ConfigError(f"{file}: no CURVE keys, so there is no --curve-clients")
    if not all(getattr(info, port) for port in connection.PORTS.values()):
        raise ConfigError(f"{file}: its kernel has not chosen its ports yet; start it first")
    return invite


def invitation(fields: Mapping[str, Any], invited: Invitation) -> dict[str, Any]:
    """The fields of an invitation (channel-hmac, section 2).

    Args:
        fields: of the kernel's own connection file.
        invited: the guest.
    """
    return {
        **{name: fields[name] for name in COPIED if name in fields},
        "client_id": invited.client_id,
        "rights": invited.rights,
        "client_key": invited.key.reveal().decode(),
    }


def promise(name: str, rights: int) -> str:
    """One line: what the holder of an invitation may do."""
    granted = [right.name.lower() for right in Right if rights & right and right.name]
    said = f"{printable(name)} may {', '.join(granted)}"
    if rights & (Right.EXECUTE | Right.DEBUG):
        return f"{said}: code in the kernel's process, which is as good as being the owner"
    if rights & Right.INPUT:
        return f"{said}; input does nothing without execute"
    return said
