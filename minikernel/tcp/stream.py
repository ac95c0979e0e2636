"""Byte streams: TCP connections that begin with a one-time challenge.

The framing is that of `multiprocessing.connection` (a length before each message), and for the
cookbook's recipe none at all. After the challenge the bytes are nobody's in particular.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from minikernel.auth.challenge import MAX_MESSAGE, SHA256, Challenger, Dialect, Responder
from minikernel.errors import ChallengeError, FramingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minikernel.auth.keys import SecretKey

    Address = tuple[str, int]

PATIENCE = 5.0  # seconds that a handshake may take, all of it
MAX_CONTENT = 1 << 20  # bytes of one message after the handshake
SHORT, LONG = struct.Struct("!i"), struct.Struct("!Q")  # lengths up to 2 GiB, and after a -1


class Stream:
    """A connected socket. What it does has to be done by a deadline: see `allow`.

    Args:
        connection: the socket; it is closed with the stream.
        timeout: seconds until the first deadline.
    """

    def __init__(self, connection: socket.socket, timeout: float = PATIENCE) -> None:
        self._socket = connection
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.allow(timeout)

    def allow(self, seconds: float) -> None:
        """Everything until the next call of this may take so long, all of it together."""
        self._deadline = time.monotonic() + seconds

    def send(self, data: bytes) -> None:
        """Send bytes. Raises OSError; TimeoutError, which is one, at the deadline."""
        self._socket.settimeout(self._left())
        self._socket.sendall(data)

    def receive_some(self, limit: int) -> bytes:
        """What has come, at most `limit` bytes; empty at the end. Raises OSError."""
        self._socket.settimeout(self._left())
        return self._socket.recv(limit)

    def receive(self, size: int) -> bytes:
        """Exactly that many bytes. Raises OSError, or EOFError: the peer closed."""
        data = bytearray()
        while len(data) < size:
            if not (some := self.receive_some(min(size - len(data), MAX_CONTENT))):
                raise EOFError("the peer closed the connection")
            data += some
        return bytes(data)

    def send_message(self, message: bytes) -> None:
        """Send a message as `Connection.send_bytes` does. Raises OSError."""
        self.send(SHORT.pack(len(message)) + message)

    def receive_message(self, limit: int = MAX_CONTENT) -> bytes:
        """A message as `Connection.recv_bytes` reads it.

        Raises:
            FramingError: it is longer than `limit` bytes; the stream is of no use any more.
            OSError, EOFError: as `receive`.
        """
        (size,) = SHORT.unpack(self.receive(SHORT.size))
        if size == -1:
            (size,) = LONG.unpack(self.receive(LONG.size))
        if not 0 <= size <= limit:
            raise FramingError(f"a message of {size} bytes; {limit} are allowed")
        return self.receive(size)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the peer took too long")
        return left


def deliver_challenge(stream: Stream, challenger: Challenger) -> None:
    """Let the peer prove that it holds the key. Raises ChallengeError."""
    words = challenger.dialect.words
    with _peer_s_faults():
        (stream.send_message if words else stream.send)(challenger.challenge)
        size = challenger.dialect.answer_length
        answer = stream.receive_message(MAX_MESSAGE) if words else stream.receive(size)
        try:
            verdict = challenger.verify(answer)
        except ChallengeError as refusal:
            if refusal.reply:
                with suppress(OSError):  # it is told if it still listens
                    stream.send_message(refusal.reply)
            raise
        if verdict:
            stream.send_message(verdict)


def answer_challenge(stream: Stream, responder: Responder) -> None:
    """Prove to the peer that we hold the key. Raises ChallengeError."""
    dialect = responder.dialect
    with _peer_s_faults():
        if not dialect.words:
            stream.send(responder.answer(stream.receive(dialect.nonce_length)))
            return
        stream.send_message(responder.answer(stream.receive_message(MAX_MESSAGE)))
        responder.conclude(stream.receive_message(MAX_MESSAGE))


@contextmanager
def _peer_s_faults() -> Iterator[None]:
    try:
        yield
    except EOFError:
        raise ChallengeError("the peer closed the connection during the challenge") from None
    except FramingError as problem:
        raise ChallengeError(str(problem)) from None
    except TimeoutError:
        raise ChallengeError("the peer took too long over the challenge") from None
    except OSError as problem:
        raise ChallengeError(f"the connection broke: {problem.strerror or problem}") from None


def welcome(stream: Stream, key: SecretKey, dialect: Dialect = SHA256) -> None:
    """Authenticate each other as `multiprocessing.connection.Listener` does.

    Raises:
        ChallengeError: the peer holds another key, or speaks another dialect.
        ConfigError: an empty key.
    """
    deliver_challenge(stream, _challenger(key, dialect))
    answer_challenge(stream, Responder(key, dialect=dialect))


def introduce(stream: Stream, key: SecretKey, dialect: Dialect = SHA256) -> None:
    """The same as `multiprocessing.connection.Client` does it."""
    answer_challenge(stream, Responder(key, dialect=dialect))
    deliver_challenge(stream, _challenger(key, dialect))


def _challenger(key: SecretKey, dialect: Dialect) -> Challenger:
    return Challenger(key, nonce=os.urandom(dialect.nonce_length), dialect=dialect)


def connect(address: Address, timeout: float = PATIENCE) -> Stream:
    """A stream to a server that listens there. Raises OSError."""
    deadline = time.monotonic() + timeout
    connection = socket.create_connection(address, timeout)
    return Stream(connection, max(0.0, deadline - time.monotonic()))
