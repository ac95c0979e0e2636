"""CURVE, ZeroMQ's encryption (RFC 25 and 26; JEP 145), and who may connect (ZAP, RFC 27).

The connection file has the kernel's key pair, and Jupyter's clients use it as their own. A client
that is not to pose as the kernel has a file with the kernel's public key and a pair of its own, and
the kernel has a list of the clients that it takes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import zmq
from zmq.utils import z85

from minikernel.auth.keys import SecretKey
from minikernel.errors import ConfigError

if TYPE_CHECKING:
    import io
    from collections.abc import Mapping, Sequence

KEY_LENGTH = 40  # characters of Z85 (RFC 32)
ZAP = "inproc://zeromq.zap.01"  # where libzmq asks (RFC 27)
DOMAIN = b"minikernel"
HANDSHAKE = 3000  # ms that somebody may take to be admitted
KERNEL_PAIR = ("curve_publickey", "curve_secretkey")
CLIENT_PAIR = ("curve_client_publickey", "curve_client_secretkey")
SERVER_KEY = "curve_serverkey"
SETTLED = 2_000_000_000  # ns after which a file that is changed has another date, on any disk
COMMENT = "#"  # no key begins so: the largest digit of Z85 would make more than 32 bits


class KeyPair(NamedTuple):
    """A long-term key pair, in Z85."""

    public: bytes
    secret: SecretKey


class ClientKeys(NamedTuple):
    """The kernel's public key, in Z85, and the client's pair."""

    server: bytes
    own: KeyPair

    def secure(self, socket: zmq.Socket[Any]) -> None:
        """Let the socket talk to this kernel only; to be called before it connects."""
        socket.curve_publickey = self.own.public
        socket.curve_secretkey = self.own.secret.reveal()
        socket.curve_serverkey = self.server


class Server:
    """The kernel's end: makes CURVE servers of its sockets, and says who may connect.

    Args:
        context: of those sockets.
        fields: of the connection file.
        clients: path of the list of clients; None: whoever knows the kernel's public key.

    Raises:
        ConfigError: there are no keys of a kernel, or the list can't be used.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        fields: Mapping[str, Any],
        clients: str | None = None,
    ) -> None:
        self._keys = kernel_pair(fields)
        self._clients = None if clients is None else Clients(clients)
        if self._clients is not None:
            self._asked = context.socket(zmq.REP)
            self._asked.linger = 0
            self._asked.bind(ZAP)

    def secure(self, socket: zmq.Socket[bytes]) -> None:
        """To be called before the socket is bound."""
        socket.curve_server = True
        socket.curve_secretkey = self._keys.secret.reveal()
        if self._clients is not None:
            socket.zap_domain = DOMAIN
            socket.handshake_ivl = HANDSHAKE
            socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # nobody to ask: nobody connects

    @property
    def asks(self) -> bool:
        """Whether `admit` has something to do."""
        return self._clients is not None

    def admit(self) -> None:
        """Answer libzmq's questions who may connect until the context ends: a thread's work."""
        with contextlib.suppress(zmq.ContextTerminated):
            while True:
                self._asked.send_multipart(self._answer(self._asked.recv_multipart()))
        self._asked.close()

    def _answer(self, question: Sequence[bytes]) -> list[bytes]:
        """A reply of RFC 27: version, request_id, status_code, status_text, user_id, metadata."""
        version, request, domain, _address, _identity, mechanism, *credentials = question
        allowed = (
            (version, domain, mechanism) == (b"1.0", DOMAIN, b"CURVE")
            and self._clients is not None
            and len(credentials) == 1
            and z85.encode(credentials[0]) in self._clients
        )
        # Not 400: a client that is told so never tries again, and waits for good when it sends.
        # This one hears nothing, is cut off after HANDSHAKE, and tries again.
        status = (b"200", b"OK") if allowed else (b"300", b"not on the list of clients")
        return [b"1.0", request, *status, b"", b""]


class Clients:
    """The public keys of clients, in a file: one a line, what follows on the line is a remark.

    The file is looked at for each new connection, and read if it has changed. What it says then
    counts; one that is missing, or another's, or no file, or that others can write, admits nobody.

    Args:
        path: of the file; made, empty, if it is missing.

    Raises:
        ConfigError: the file is malformed or can't be read or used.
    """

    def __init__(self, path: str) -> None:
        self._seen: tuple[int, ...] = ()
        self._listed: frozenset[bytes] = frozenset()
        self._path = Path(path).absolute()  # user code may change the directory
        self._make()
        for number, key in self._keys():
            try:
                _z85("its first word", key)
            except ConfigError as error:
                raise ConfigError(f"list of clients {path!r}, line {number}: {error}") from None

    def _make(self) -> None:
        try:
            self._path.touch(0o600, exist_ok=False)
        except FileExistsError:
            return
        except OSError as error:
            raise _unusable(self._path, error) from None

    def _check(self, status: os.stat_result) -> None:
        _check_file(self._path, status)
        if status.st_uid not in {os.getuid(), 0}:
            raise ConfigError(f"list of clients {str(self._path)!r}: it belongs to another user")
        if stat.S_IMODE(status.st_mode) & 0o022:
            raise ConfigError(f"list of clients {str(self._path)!r}: others can write it")

    def __contains__(self, key: bytes) -> bool:
        try:
            seen = _state(self._path.stat())
            if seen != self._seen:
                self._listed = frozenset(listed.encode() for _, listed in self._keys())
                # What was written within the last moments may be followed by more under this date.
                fresh = time.time_ns() - max(seen[:2]) < SETTLED
                self._seen = () if fresh else seen
        except (ConfigError, OSError):
            self._seen, self._listed = (), frozenset()
        return key in self._listed

    def _keys(self) -> list[tuple[int, str]]:
        """The first words of the lines, and the numbers of the lines."""
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(handle, encoding="utf-8", errors="replace") as file:
                self._check(os.fstat(handle))
                lines = file.read().splitlines()
        except OSError as error:
            raise _unusable(self._path, error) from None
        words = ((number, line.split()) for number, line in enumerate(lines, 1))
        return [(n, line[0]) for n, line in words if line and not line[0].startswith(COMMENT)]


def _state(status: os.stat_result) -> tuple[int, ...]:
    """What differs once a file was changed or replaced, or its mode or owner was."""
    return (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev)


def new_pair() -> dict[str, str]:
    """The fields of a connection file for a new key pair of the kernel (JEP 145).

    Raises:
        ConfigError: libzmq has no CURVE.
    """
    return _new_pair(KERNEL_PAIR)


def client_fields(fields: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """A connection file for a client with a key pair of its own.

    Args:
        fields: of the kernel's connection file.

    Returns:
        The fields without the kernel's secret CURVE key, and the client's public key: for
        `add_client`.

    Raises:
        ConfigError: there are no keys of a kernel.
    """
    own = _new_pair(CLIENT_PAIR)
    kept = {name: value for name, value in fields.items() if name not in KERNEL_PAIR}
    server = kernel_pair(fields).public.decode()
    return {**kept, SERVER_KEY: server, **own}, own[CLIENT_PAIR[0]]


def add_client(path: str | os.PathLike[str], public: str, remark: str) -> None:
    """Add a client to the list, which is made, mode 0600, if it is missing.

    Args:
        path: of the list.
        public: the client's key.
        remark: whose it is; its line breaks become blanks.

    Raises:
        ConfigError: it can't be written.
    """
    line = " ".join([public, *remark.split()]).encode(errors="replace") + b"\n"
    try:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
        handle = os.open(path, flags, 0o600)
        with os.fdopen(handle, "r+b", buffering=0) as file:
            _check_file(path, os.fstat(handle))
            listed = file.read()
            _append(file, line if listed[-1:] in {b"", b"\n"} else b"\n" + line, len(listed))
    except OSError as error:
        raise _unusable(path, error) from None


def remove_client(path: str | os.PathLike[str], public: str) -> None:
    """Take a client off the list; a list that can't be changed keeps a line that harms nobody."""
    with contextlib.suppress(OSError), Path(path).open("r+b") as file:  # its mode stays
        kept = [line for line in file if not line.startswith(public.encode())]
        file.seek(0)
        file.writelines(kept)
        file.truncate()


def _append(file: io.FileIO, line: bytes, end: int) -> None:
    """Write a line, whole or not at all: half a key would make the list malformed."""
    try:
        if file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # noqa: TRY301 - as the next write would
    except OSError:
        file.truncate(end)
        raise


def _check_file(path: str | os.PathLike[str], status: os.stat_result) -> None:
    """Nobody waits for whoever writes into a FIFO."""
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(f"list of clients {os.fspath(path)!r}: it is not a file")


def _unusable(path: str | os.PathLike[str], error: OSError) -> ConfigError:
    return ConfigError(f"list of clients {os.fspath(path)!r}: {error.strerror}")


def kernel_pair(fields: Mapping[str, Any]) -> KeyPair:
    """The kernel's key pair.

    Raises:
        ConfigError: it is not there, or it is invalid.
    """
    pair = _pair(fields, KERNEL_PAIR)
    if pair is not None:
        return pair
    if fields.get(SERVER_KEY) is not None:
        raise ConfigError("the kernel's CURVE keys are missing: this is the file of a client")
    raise ConfigError("there are no CURVE keys: start the kernel with --encryption required")


def client_keys(fields: Mapping[str, Any]) -> ClientKeys | None:
    """What a client is to use: its own pair, or the kernel's (JEP 145); None: no encryption.

    Args:
        fields: of the connection file; keys may be bytes, as jupyter_client has them.

    Raises:
        ConfigError: a key is invalid or missing, or there are those of a kernel and of a client.
    """
    shared, own, server = _pair(fields, KERNEL_PAIR), _pair(fields, CLIENT_PAIR), SERVER_KEY
    if shared is not None and (own is not None or fields.get(server) is not None):
        raise ConfigError("there are CURVE keys of a kernel and of a client")
    if shared is not None:
        return ClientKeys(shared.public, shared)
    if (own is None) != (fields.get(server) is None):
        raise ConfigError(f"{server} and {' and '.join(CLIENT_PAIR)} go together")
    return None if own is None else ClientKeys(_z85(server, fields[server]), own)


def _new_pair(names: tuple[str, str]) -> dict[str, str]:
    check_available()
    public, secret = zmq.curve_keypair()
    return {names[0]: public.decode(), names[1]: secret.decode()}


def _pair(fields: Mapping[str, Any], names: tuple[str, str]) -> KeyPair | None:
    given = [name for name in names if fields.get(name) is not None]
    if not given:
        return None
    if len(given) == 1:
        raise ConfigError(f"{given[0]} alone: {' and '.join(names)} go together")
    check_available()
    public, secret = (_z85(name, fields[name]) for name in names)
    if zmq.curve_public(secret) != public:
        raise ConfigError(f"{names[0]} is not the public part of {names[1]}")
    return KeyPair(public, SecretKey(secret))


def _z85(name: str, key: str | bytes) -> bytes:
    """The key as bytes, which are never part of an error's text."""
    content = key if isinstance(key, bytes) else key.encode(errors="replace")
    try:
        if len(content) == KEY_LENGTH and z85.decode(content):
            return content
    except (KeyError, struct.error):
        pass
    raise ConfigError(f"{name} is no CURVE key, {KEY_LENGTH} characters of Z85") from None


def check_available() -> None:
    """See that libzmq can encrypt.

    Raises:
        ConfigError: it was built without CURVE.
    """
    if not zmq.has("curve"):
        raise ConfigError("this libzmq was built without CURVE, and can't encrypt")
