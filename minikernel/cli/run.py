"""`minikernel run`: a kernel. Imports nothing that a kernel doesn't need."""

from __future__ import annotations

import argparse
from pathlib import Path

from minikernel.auth.registry import canonical
from minikernel.cli.arguments import seconds
from minikernel.cli.engines import engine
from minikernel.errors import ConfigError
from minikernel.interpreter.python import PythonEngine
from minikernel.kernel.options import Options
from minikernel.kernel.service import run as run_kernel
from minikernel.transport import plugins
from minikernel.transport.connection import POLICIES

MAX_SESSIONS = 1024  # as many as one PUBLISH has room for
EPILOG = """\
examples:
  minikernel run                    a kernel for whoever may read its file
  minikernel run --transport ipc    reachable from this machine only
  minikernel run -f kernel.json --history off --max-age 5
  minikernel run --encryption required

Jupyter starts the kernel like this, with a connection file of its own making:
  minikernel run -f kernel.json
By hand, leave out -f: the path of the file that was written is printed, for
  jupyter console --existing PATH
That file goes with the kernel. To start again with the same key, so that
invitations stay good, copy it first. To end one of them:
  cp PATH kernel.json
  minikernel run -f kernel.json --refuse alice
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `run`."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add(
        "-f",
        "--connection-file",
        metavar="FILE",
        help="connection file to use; ports given as 0 are chosen and written back",
    )
    add(
        "--scheme",
        type=canonical,
        metavar="NAME",
        help="who may talk: hmac-sha256 (default; also jupyter-hmac), hmac-HASH,"
        " channel-hmac-sha256 (also channel-hmac); to compare: challenge-once, clear-key, null",
    )
    add(
        "--guards",
        choices=("on", "off"),
        default="on",
        help="off: Jupyter's bare specification, replays are accepted (default: on)",
    )
    add(
        "--max-age",
        type=seconds,
        metavar="SECONDS",
        help="refuse messages whose signed date is further than that from this machine's clock"
        " (default: any date is taken)",
    )
    add(
        "--sessions",
        type=_sessions,
        default=32,
        metavar="N",
        help="most clients at a time, under channel-hmac (default: 32)",
    )
    add(
        "--refuse",
        action="append",
        default=[],
        type=_invited,
        metavar="ID",
        help="name of an invitation to end, under channel-hmac; with -f; may be repeated",
    )
    add(
        "--engine",
        metavar="MODULE:CLASS",
        help="the language engine, imported from there (default: Python)",
    )
    add(
        "--history",
        metavar="FILE",
        type=_history,
        help='sqlite file that remembers cells; "off": none (default: one for all kernels)',
    )
    add(
        "--transport",
        choices=("tcp", "ipc"),
        default="tcp",
        help="how clients reach the kernel, for a file that is written (default: tcp)",
    )
    add(
        "--encryption",
        choices=POLICIES,
        help="required: encrypt, refuse a FILE without CURVE keys; auto: encrypt if FILE has keys"
        " or is new; disabled: refuse a FILE with keys (default: as FILE says; a new one has none)",
    )
    add(
        "--curve-clients",
        metavar="LIST",
        help="only clients whose public keys are in this file may connect; see `minikernel admit`",
    )
    add(
        "--ip",
        default="127.0.0.1",
        help="address to listen on, for a file that is written (default: 127.0.0.1)",
    )


def run(args: argparse.Namespace) -> int:
    """Run a kernel until it is told to end.

    Raises:
        ConfigError: an option is refused.
    """
    new = args.refuse and args.connection_file is None
    if new and args.scheme is not None and plugins.find(args.scheme).traits.invitations:
        raise ConfigError(
            "run: --refuse needs -f FILE, a copy of the connection file of the invitation's kernel:"
            " without it the kernel gets a new key, and no invitation is valid"
        )
    return run_kernel(
        Options(
            engine=PythonEngine if args.engine is None else engine(args.engine),
            connection_file=args.connection_file,
            scheme=args.scheme,
            guards=args.guards == "on",
            max_age=args.max_age,
            sessions=args.sessions,
            refuse=tuple(args.refuse),
            history_file=args.history,
            transport=args.transport,
            ip=args.ip,
            encryption=args.encryption,
            curve_clients=args.curve_clients,
        )
    )


def _sessions(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_SESSIONS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {MAX_SESSIONS}")
    return int(text)


def _invited(text: str) -> str:
    from minikernel.cli.invite import client_id  # few kernels need it

    return client_id(text)


def _history(text: str) -> str:
    if Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a directory: name a file in it")
    return text
