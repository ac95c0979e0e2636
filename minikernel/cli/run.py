"""`minikernel run`: a kernel. Imports nothing that a kernel doesn't need."""

from __future__ import annotations

import argparse
from pathlib import Path

from minikernel.cli.arguments import seconds
from minikernel.cli.engines import engine
from minikernel.interpreter.python import PythonEngine
from minikernel.kernel.options import Options
from minikernel.kernel.service import run as run_kernel
from minikernel.transport.connection import POLICIES

MAX_SESSIONS = 1024  # that one PUBLISH has room for
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
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `run`."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("-f", "--connection-file", metavar="FILE", help="connection file; its ports 0 are chosen")
    add(
        "--scheme",
        metavar="NAME",
        help="who may talk: hmac-sha256 (default), hmac-HASH, channel-hmac-sha256; to compare:"
        " challenge-once, clear-key, null",
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
        help="refuse messages with an older date (default: any date is taken)",
    )
    add(
        "--sessions",
        type=_sessions,
        default=32,
        metavar="N",
        help="clients at most, under channel-hmac (default: 32)",
    )
    add(
        "--refuse",
        action="append",
        default=[],
        type=_invited,
        metavar="ID",
        help="an invitation that is not let in, under channel-hmac; may be repeated",
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
        help='sqlite file that remembers cells; "off": none',
    )
    add(
        "--transport",
        choices=("tcp", "ipc"),
        default="tcp",
        help="of the file that is written without -f (default: tcp)",
    )
    add(
        "--encryption",
        choices=POLICIES,
        help="required: keys for CURVE are written, and must be in a FILE; auto: written, and need"
        " not be in a FILE; disabled: neither (default: what the FILE says)",
    )
    add(
        "--curve-clients",
        metavar="LIST",
        help="only clients whose public keys are in this file may connect; see `minikernel admit`",
    )
    add("--ip", default="127.0.0.1", help="address to listen on, likewise (default: 127.0.0.1)")


def run(args: argparse.Namespace) -> int:
    """Run a kernel until it is told to end."""
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
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {MAX_SESSIONS}")
    return int(text)


def _invited(text: str) -> str:
    from minikernel.cli.invite import client_id  # noqa: PLC0415 - few kernels need it

    return client_id(text)


def _history(text: str) -> str:
    if Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a directory: name a file in it")
    return text
