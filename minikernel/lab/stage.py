"""Where an attack is played: a kernel, a victim, and a man in the middle between them.

The kernel is a process of its own, the victim the scheme's own client. The warden is one more
client, straight to the kernel; the lab itself asks it what has come of an attack.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import create
from minikernel.client.launch import connect
from minikernel.errors import LocalProtocolError, MinikernelError
from minikernel.lab.attackers import (
    GUEST_RIGHTS,
    PING,
    Copy,
    SharedKey,
    invitation,
    is_greeting,
    msg_type,
    session_pen,
)
from minikernel.lab.network.middle import Loose, Middle
from minikernel.lab.network.relay import Relay
from minikernel.lab.people import PATIENCE, BareClient, Person
from minikernel.transport import connection
from minikernel.transport.curve import (
    add_client,
    client_fields,
    client_keys,
    kernel_pair,
    new_pair,
)
from minikernel.wire.channels import Channel, Role
from minikernel.wire.frames import DELIMITER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typing_extensions import Self

    from minikernel.client.blocking import MiniKernelClient
    from minikernel.lab.attackers import Pen
    from minikernel.lab.columns import Column
    from minikernel.lab.network.passing import Passing
    from minikernel.transport.curve import ClientKeys
    from minikernel.wire.message import Json

MOMENT = 1.0  # seconds that nothing must happen, for it to count as not happening
TURN = 0.01  # seconds between two looks
GUEST, NARROW = "guest", "onlooker"  # ids of invitations


class Unreadable(Exception):
    """The attack ends before it has begun: what passes is encrypted."""


class Marker:
    """A file that a cell writes to when it runs."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def code(self, letter: str = "x") -> str:
        """A cell that leaves one letter."""
        return f"open({str(self.path)!r}, 'a').write({letter!r})"

    @property
    def text(self) -> str:
        """All letters so far."""
        return self.path.read_text() if self.path.exists() else ""

    def __str__(self) -> str:
        return f"ran {len(self.text)} times" if len(self.text) != 1 else "ran once"


class Stage:
    """A kernel and its victim; close it, or leave it as a context manager.

    Args:
        column: the scheme.
        directory: empty, for this stage alone.
        initiated: whether the man in the middle holds the kernel's CURVE keys, if there are any.
    """

    def __init__(self, column: Column, directory: Path, *, initiated: bool = False) -> None:
        self.column = column
        self.blind = column.curve and not initiated
        self._directory = directory
        self._file = directory / "kernel.json"
        self._admitted = directory / "clients.txt"
        self._markers: list[Marker] = []
        self._people: list[Person] = []
        self._closed_with_us = contextlib.ExitStack()
        key = "" if column.traits.keyless else os.urandom(32).hex()
        fields = connection.new_fields(
            transport="tcp", ip="127.0.0.1", signature_scheme=column.signature_scheme, key=key
        )
        connection.write(self._file, {**fields, **(new_pair() if column.curve else {})})
        self.key = SecretKey(key.encode())
        self.start()
        try:
            self._wait_for_ports()
            self.info, self._fields = connection.read(self._file)
            self.middle = self._middle()
            self._closed_with_us.callback(self.middle.close)
            self.warden = self.person()
            self.victim = self.behind_the_middle()
            self._begin = len(self.middle.tape)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the kernel and everybody."""
        for marker in self._markers:  # cells that wait for one end
            marker.path.touch()
        for person in reversed(self._people):
            person.close()
        self.kill()
        self._closed_with_us.close()

    def start(self) -> None:
        """Start the kernel's process, again if it has been killed."""
        command = [sys.executable, "-m", "minikernel", "run", "-f", str(self._file)]
        command += ["--history", "off", *self.column.options]
        if self.column.traits.keyless:
            command += ["--scheme", self.column.scheme]
        if self.column.curve:
            command += ["--encryption", "required", "--curve-clients", str(self._admitted)]
        with (self._directory / "terminal.txt").open("ab") as log:
            self.kernel = subprocess.Popen(  # noqa: S603 - ourselves
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._directory,
                env={**os.environ, "JPY_PARENT_PID": str(os.getpid())},
            )

    def _wait_for_ports(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while connection.read(self._file)[0].shell_port == 0:
            if self.kernel.poll() is not None or time.monotonic() > deadline:
                said = (self._directory / "terminal.txt").read_text(errors="replace")
                raise MinikernelError(f"the lab's kernel did not start: {said}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.kernel.wait(TURN)

    def kill(self) -> None:
        """End the kernel's process."""
        self.kernel.kill()
        self.kernel.wait()

    def restart(self) -> None:
        """Kill the kernel and start another on the same file; everybody reconnects."""
        self.kill()
        for person in self._people:
            person.close()
        self._people.clear()
        self.start()
        self.warden = self.person()
        self.victim = self.behind_the_middle()

    def person(self, *, patience: float = PATIENCE, **fields: Json) -> Person:
        """A client with a connection file of its own, straight to the kernel."""
        file = self._directory / f"client-{uuid.uuid4().hex}.json"
        given = {**self._own_keys(), **fields}
        connection.write(file, {k: v for k, v in given.items() if v is not None})
        person = Person.connect(lambda: self._client(file, patience))
        self._people.append(person)
        person.run("None", timeout=patience)  # a handshake on shell may end later than `connect`
        return person

    def _own_keys(self) -> dict[str, Any]:
        """The fields of a connection file for one more client."""
        if not self.column.curve:
            return self._fields
        fields, public = client_fields(self._fields)
        add_client(self._admitted, public, "client")
        return fields

    def _middle(self) -> Middle | Relay:
        if self.blind:
            return Relay({c: self._address(c) for c in connection.PORTS})
        urls = {c: self.info.url(c) for c in connection.PORTS}
        own = self._listed_keys()
        return Middle(urls, own and (kernel_pair(self._fields).secret, own))

    def _listed_keys(self) -> ClientKeys | None:
        """The CURVE keys of a client that may connect."""
        return client_keys(self._own_keys()) if self.column.curve else None

    def _address(self, channel: Channel) -> tuple[str, int]:
        return self.info.ip, getattr(self.info, connection.PORTS[channel])

    def _client(self, file: Path, patience: float) -> MiniKernelClient:
        if not self.column.bare:
            return connect(file, scheme=self.column.scheme, timeout=patience)
        client = BareClient(connection_file=str(file), scheme=self.column.scheme)
        client.load_connection_file()
        try:
            client.start_channels()
            client.wait_for_ready(patience)
        except BaseException:
            client.close()
            raise
        return client

    def behind_the_middle(self) -> Person:
        """One more client that takes the man in the middle for the kernel."""
        return self.person(**self.middle.ports)

    def other_holder(self, client_id: str = GUEST, rights: int = GUEST_RIGHTS) -> Person:
        """Somebody else who may use the kernel: with an invitation, where there are any."""
        if not self.column.traits.invitations:
            return self.person()
        return self.person(**self.invitation(client_id, rights))

    def invitation(self, client_id: str, rights: int) -> dict[str, Any]:
        """The fields of a connection file that make it an invitation."""
        return {"key": None, **invitation(self.key, client_id, rights)}

    def pen(self) -> Pen:
        """A pen of a holder of the connection file's key."""
        if not self.column.traits.invitations:
            return self._shared()
        self.heard(is_greeting)
        return session_pen(self.middle.tape, self.key)

    def other_pen(self) -> Pen:
        """Another client's pen: the same key, or that of a session with an invitation."""
        if not self.column.traits.invitations:
            return self._shared()
        start = len(self.middle.tape)
        self.person(**self.invitation(GUEST, GUEST_RIGHTS), **self.middle.ports)
        self.heard(is_greeting)
        return session_pen(self.middle.tape[start:], self.key, GUEST)

    def _shared(self) -> Pen:
        if self.column.traits.handshake:
            return Copy()  # nothing is signed after the challenge: nothing is all there is to copy
        return SharedKey(create(self.column.scheme, self.key))

    def loose(self, channel: Channel, identity: bytes = b"", *, listed: bool = False) -> Loose:
        """A socket straight to the kernel.

        Args:
            channel: to which port.
            identity: that it is to have, if it is one that was on the wire; empty: none.
            listed: whether its owner may connect, where CURVE has a list; a stranger may not.
        """
        keys = self._listed_keys() if listed else self._stranger_keys()
        socket = Loose(self.info.url(channel), channel, identity, keys)
        self._closed_with_us.callback(socket.close)
        return socket

    def _stranger_keys(self) -> ClientKeys | None:
        """Keys of a stranger: the kernel's public one, and a pair that is on no list."""
        return client_keys(client_fields(self._fields)[0]) if self.column.curve else None

    def marker(self) -> Marker:
        """A new marker."""
        self._markers.append(Marker(self._directory / f"ran-{uuid.uuid4().hex}"))
        return self._markers[-1]

    def request(self, start: int | None = None, kind: str = "execute_request") -> Passing:
        """The first request of this type on the tape, once it is there.

        Args:
            start: where on the tape to begin; None: after all have connected.
            kind: the message type.
        """
        begin = self._begin if start is None else start
        return self.heard(lambda p: p.to is Role.KERNEL and msg_type(p) == kind, begin)

    def heard(self, wanted: Callable[[Passing], bool], start: int = 0) -> Passing:
        """The first message on the tape that is wanted, once it is there.

        Raises:
            Unreadable: what passes is encrypted.
            TimeoutError: it was never sent.
        """
        if self.blind:
            raise Unreadable(self._what_passed())
        found = self.middle.wait(wanted, PATIENCE, start)
        if found is None:
            raise TimeoutError("what the attack waits for was never sent")
        return found

    def _what_passed(self) -> str:
        passed = b"".join(piece for p in list(self.middle.tape) for piece in p.frames)
        if any(sign in passed for sign in (DELIMITER, b"msg_type", PING)):
            raise LocalProtocolError("what should be encrypted can be read")
        return f"{len(passed)} bytes passed, and none of them could be read"

    def looked_at(self, channel: Channel) -> int:
        """How many messages of others than the warden the kernel has looked at, good or bad."""
        row = self.warden.do(lambda client: client.auth_status())[channel.value]
        own = self.warden.client.ledger[channel.value].sent
        return int(row.verified + row.refusals) - own

    def settle(self, channel: Channel, count: int, patience: float = MOMENT) -> None:
        """Wait until the kernel has looked at `count` messages, and has done what they asked.

        It may never: a connection that the kernel refuses is not looked at.
        """
        self.wait_until(lambda: self.looked_at(channel) >= count, patience)
        self.warden.run("None")

    def settle_control(self, count: int) -> None:
        """Do the same on control, while a cell runs."""
        self.wait_until(lambda: self.looked_at(Channel.CONTROL) >= count)

    def wait_until(self, done: Callable[[], bool], patience: float = MOMENT) -> bool:
        """Look again and again, for `patience` seconds at most; whether it came to be."""
        deadline = time.monotonic() + patience
        pause = threading.Event()
        while not done():
            if time.monotonic() > deadline:
                return False
            pause.wait(TURN)
        return True
