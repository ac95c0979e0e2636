"""`minikernel run`: a kernel. Imports nothing that a kernel doesn't need."""

from __future__ import annotations

import argparse

from minikernel.kernel.service import Options
from minikernel.kernel.service import run as run_kernel

EPILOG = """\
Jupyter starts the kernel like this, with a connection file of its own making:
  minikernel run -f kernel.json
By hand, leave out -f: the path of the file that was written is printed, for
  jupyter console --existing PATH
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `run`."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("-f", "--connection-file", metavar="FILE", help="a connection file; ports 0 are chosen")
    add(
        "--scheme",
        metavar="NAME",
        help="who may talk: hmac-sha256 (default), hmac-HASH, clear-key, null",
    )
    add("--guards", choices=("on", "off"), default="on", help="off: the bare specification")
    add("--max-age", type=_seconds, metavar="SECONDS", help="refuse messages older than that")
    add("--history", metavar="FILE", help='where cells are remembered; "off": nowhere')
    add("--transport", choices=("tcp", "ipc"), default="tcp", help="of a file that is written")
    add("--ip", default="127.0.0.1", help="address to listen on, of a file that is written")


def run(args: argparse.Namespace) -> int:
    """Run a kernel until it is told to end."""
    return run_kernel(
        Options(
            connection_file=args.connection_file,
            scheme=args.scheme,
            guards=args.guards == "on",
            max_age=args.max_age,
            history_file=args.history,
            transport=args.transport,
            ip=args.ip,
        )
    )


def _seconds(text: str) -> float:
    seconds = float(text)
    if not seconds > 0:
        raise argparse.ArgumentTypeError(f"{text} is no positive number of seconds")
    return seconds
