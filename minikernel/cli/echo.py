"""`minikernel echo`: an echo server over plain TCP that begins with a one-time challenge.

The recipe of the Python Cookbook (section 11.9): 32 random bytes, an HMAC back, and from then on
the connection is trusted. docs/challenge.md says what that is worth.
"""

from __future__ import annotations

import os
import stat
import sys
import threading
import time
from argparse import ArgumentTypeError
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from minikernel.auth.challenge import PLAIN, Challenger, Responder
from minikernel.auth.keys import SecretKey
from minikernel.cli.arguments import seconds
from minikernel.cli.terminal import say
from minikernel.errors import ChallengeError, ConfigError
from minikernel.tcp.server import Server
from minikernel.tcp.stream import (
    Stream,
    answer_challenge,
    connect,
    deliver_challenge,
)
from minikernel.transport.connection import MAX_PORT

if TYPE_CHECKING:
    import argparse

KEY_VARIABLE = "MINIKERNEL_ECHO_KEY"
MIN_KEY, MAX_KEY = 16, 4096  # bytes
CHUNK = 8192  # bytes echoed at a time
MAX_MESSAGE = 1 << 20  # bytes that `send` takes
LOG_INTERVAL = 1.0  # seconds between two lines on stderr, at least
EPILOG = """\
examples:
  (umask 077; head -c 32 /dev/urandom | base64 > echo.key)
  minikernel echo serve --key-file echo.key
  minikernel echo send --key-file echo.key --text "Hello World"

The key is never given on the command line, where others can read it. Only the
client proves that it holds the key, only once, and what follows is neither
signed nor encrypted.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `echo`."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("action", choices=("serve", "send"), help="be the server, or have it echo a text")
    add("--text", help="send: what to send; without it, standard input")
    at = "address of the server (default: 127.0.0.1)"
    add("--host", type=_host, default="127.0.0.1", help=at)
    add("--port", type=_port, default=18000, help="its port, 0: any (default: 18000)")
    add("--key-file", metavar="FILE", help=f"holds the key, mode 0600; else ${KEY_VARIABLE} does")
    add(
        "--timeout",
        type=_seconds,
        default=5.0,
        metavar="SECONDS",
        help="for the challenge, and then for each answer (default: 5)",
    )
    add(
        "--idle",
        type=_seconds,
        default=60.0,
        metavar="SECONDS",
        help="serve: until a silent connection is closed (default: 60)",
    )
    add(
        "--connections",
        type=_count,
        default=16,
        metavar="N",
        help="serve: at a time, one thread each; more are closed at once (default: 16)",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted, or send one text."""
    if args.action == "serve":
        if args.text is not None:
            raise ConfigError("echo serve takes no --text")
        return _serve(_key(args.key_file), args)
    return _send(_key(args.key_file), _text(args.text), args)


def _serve(key: SecretKey, args: argparse.Namespace) -> int:
    def handle(stream: Stream) -> None:
        nonce = os.urandom(PLAIN.nonce_length)
        deliver_challenge(stream, Challenger(key, nonce=nonce, dialect=PLAIN))
        stream.allow(args.idle)
        while some := stream.receive_some(CHUNK):
            stream.send(some)
            stream.allow(args.idle)

    try:
        server = Server(
            (args.host, args.port),
            handle,
            limit=args.connections,
            timeout=args.timeout,
            log=Log().line,
        )
    except OSError as error:
        raise ConfigError(f"can't listen on {args.host}:{args.port}: {error.strerror}") from None
    with server:
        print(f"listening on {args.host} port {server.server_address[1]}", flush=True)
        server.serve_forever()
    return 0


def _send(key: SecretKey, data: bytes, args: argparse.Namespace) -> int:
    try:
        echoed = _echo(key, data, args)
    except (ChallengeError, EOFError) as problem:
        return _fail(f"{problem}; does it have another key, or too many connections?")
    except OSError as problem:
        return _fail(f"{args.host}:{args.port}: {problem.strerror or problem}")
    if sys.stdout.isatty():
        say(echoed.decode(errors="backslashreplace"))
    else:
        sys.stdout.buffer.write(echoed)
        sys.stdout.flush()
    if echoed == data:
        return 0
    return _fail("what came back is not what was sent")


def _echo(key: SecretKey, data: bytes, args: argparse.Namespace) -> bytes:
    with closing(connect((args.host, args.port), args.timeout)) as stream:
        answer_challenge(stream, Responder(key, dialect=PLAIN))
        echoed = []
        for start in range(0, len(data), CHUNK):
            chunk = data[start : start + CHUNK]
            stream.allow(args.timeout)
            stream.send(chunk)
            echoed.append(stream.receive(len(chunk)))
        return b"".join(echoed)


def _fail(text: str) -> int:
    say(f"minikernel echo: {text}", sys.stderr)
    return 1


def _text(given: str | None) -> bytes:
    data = os.fsencode(given) if given is not None else sys.stdin.buffer.read(MAX_MESSAGE + 1)
    if not 0 < len(data) <= MAX_MESSAGE:
        raise ConfigError(f"a text to echo has 1 to {MAX_MESSAGE} bytes")
    return data


def _key(file: str | None) -> SecretKey:
    if file is not None:
        key = _read(file)
    elif KEY_VARIABLE in os.environ:
        key = os.environb[KEY_VARIABLE.encode()]
    else:
        raise ConfigError(f"name a key with --key-file or in ${KEY_VARIABLE}")
    key = key.strip()
    if len(key) < MIN_KEY:
        raise ConfigError(f"the key has {len(key)} bytes: take {MIN_KEY} or more, at random")
    return SecretKey(key)


def _read(file: str) -> bytes:
    try:
        with Path(file).open("rb") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            key = opened.read(MAX_KEY + 1)
    except OSError as error:
        raise ConfigError(f"key file {file!r}: {error.strerror}") from None
    if mode & 0o077:
        raise ConfigError(f"key file {file!r} can be used by others: chmod 600 it")
    if len(key) > MAX_KEY:
        raise ConfigError(f"key file {file!r} has more than {MAX_KEY} bytes")
    return key


class Log:
    """Lines on stderr, at most one a second: a stranger decides how many there are."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 0.0
        self._left_out = 0

    def line(self, text: str) -> None:
        """Write a line, or count it."""
        with self._lock:
            now = time.monotonic()
            if now < self._next:
                self._left_out += 1
                return
            more = f" (and {self._left_out} lines left out)" if self._left_out else ""
            self._next, self._left_out = now + LOG_INTERVAL, 0
        print(f"minikernel echo: {text}{more}", file=sys.stderr, flush=True)


def _port(text: str) -> int:
    if not text.isdecimal() or not int(text) <= MAX_PORT:
        raise ArgumentTypeError(f"{text} is not a port number")
    return int(text)


def _host(text: str) -> str:
    try:
        text.encode("idna")
    except UnicodeError:
        raise ArgumentTypeError(f"no host has the name {text!r}") from None
    return text


def _seconds(text: str) -> float:
    return seconds(text, below=threading.TIMEOUT_MAX)


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise ArgumentTypeError(f"{text} is not a number of connections")
    return int(text)
