"""A server of byte streams that stays small, whoever connects."""

from __future__ import annotations

import socket
import socketserver
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from minikernel.errors import RemoteProtocolError
from minikernel.tcp.stream import PATIENCE, Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from minikernel.tcp.stream import Address

Request: TypeAlias = Any  # a socket; socketserver says more, for its other servers
POLL = 0.1  # seconds until a server notices that it was closed


class Server(socketserver.ThreadingTCPServer):
    """Gives each connection a thread, and closes those that are too many.

    Args:
        address: to listen on; port 0: any.
        handle: called with each stream, in its thread; may raise OSError or RemoteProtocolError.
        limit: connections at a time.
        timeout: seconds until a stream's first deadline.
        log: told what went wrong with a connection, without any bytes of the peer.

    Raises:
        OSError: it can't listen there.
    """

    allow_reuse_address = True
    daemon_threads = False  # `server_close` ends them
    request_queue_size = 128

    def __init__(
        self,
        address: Address,
        handle: Callable[[Stream], object],
        *,
        limit: int,
        timeout: float = PATIENCE,
        log: Callable[[str], object] = lambda _: None,
    ) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self._handle = handle
        self._limit = limit
        self._timeout = timeout
        self._log = log
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        super().__init__(address, socketserver.BaseRequestHandler)

    def serve_forever(self, poll_interval: float = POLL) -> None:
        """Serve until another thread calls `shutdown`."""
        super().serve_forever(poll_interval)

    def verify_request(self, request: Request, _client_address: object) -> bool:
        """Whether there is a thread to spare."""
        with self._lock:
            if len(self._open) < self._limit:
                self._open.add(request)
                return True
        self._log("a connection was closed: there are as many as may be")
        return False

    def finish_request(self, request: Request, _client_address: object) -> None:
        """One connection from its beginning to its end, in its thread."""
        self._handle(Stream(request, self._timeout))

    def handle_error(self, request: Request, client_address: Address) -> None:
        """Say in a line what went wrong with a connection; in more if it was our fault."""
        problem = sys.exc_info()[1]
        if isinstance(problem, RemoteProtocolError):
            self._log(f"a connection was refused: {problem}")
        elif isinstance(problem, OSError | EOFError):
            self._log("a connection broke")
        else:
            super().handle_error(request, client_address)

    def shutdown_request(self, request: Request) -> None:
        """Close a connection, however it ended."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Listen no more, and end all connections and their threads."""
        self.socket.close()
        with self._lock:
            for request in self._open:
                with suppress(OSError):  # it has just been closed
                    request.shutdown(socket.SHUT_RDWR)
        super().server_close()
