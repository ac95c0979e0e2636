"""A second client of channel-hmac, written from its specification alone, for checking the kernel.

It imports nothing of the project. What it receives it verifies exactly, and raises at the first
message that is not as the specification says. What it sends can be made wrong in every way.
"""

from __future__ import annotations

import hmac
import json
import os
import struct
import time
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any

import zmq
from independent_wire import (
    CHALLENGE,
    CHANNELS,
    DATA,
    DELIMITER,
    MAGIC,
    NOBODY,
    OWNER,
    PING,
    PONG,
    PUBLISH,
    TO_CLIENT,
    TO_KERNEL,
    Session,
    challenge_tag,
    client_psk,
    data_tag,
    head,
    heartbeat,
    hello,
    publish_tag,
    require,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Message = dict[str, Any]

PATIENCE = 20  # seconds
AGAIN = 0.2  # seconds until the first HELLO and each bind_request is repeated
LONGEST = 5  # seconds between two HELLOs
NAMES = 3  # that are tried after the first
JSON_FRAMES = ("header", "parent_header", "metadata", "content")


class IndependentClient:
    """One client: the owner (`key`) or an invited one (`client_id`, `rights`, `client_key`)."""

    def __init__(self, info: dict[str, Any] | Path, *, name: str | None = None) -> None:
        self.info = info if isinstance(info, dict) else json.loads(info.read_text())
        assert self.info["signature_scheme"] == "channel-hmac-sha256"
        assert ("key" in self.info) != ("client_key" in self.info)
        self.client_id: str = self.info.get("client_id", "")
        self.rights: int = self.info.get("rights", OWNER)
        given = self.info.get("client_key")
        self.psk = bytes.fromhex(given) if given else client_psk(self.info["key"])
        self.name = name or uuid.uuid4().hex  # header.session
        self.context = zmq.Context()
        self.context.linger = 0
        self.all: list[zmq.Socket[bytes]] = []  # kept open until the end
        self.sockets: dict[str, zmq.Socket[bytes]] = {}
        self.reconnect()
        self.session: Session
        self.old: list[Session] = []
        self.inbox: dict[str, list[Message]] = {name: [] for name in CHANNELS}
        self.verified: Counter[str] = Counter()
        self.untagged = 0  # PUBLISH without an entry for us
        self.ignored: list[bytes] = []  # each CHALLENGE to another HELLO than the last
        self.last_hello = b""
        self.agreed: Session | None = None

    # sockets

    def socket(self, channel: str) -> zmq.Socket[bytes]:
        """One more connection of that channel, without an identity."""
        socket = self.context.socket(zmq.SUB if channel == "iopub" else zmq.DEALER)
        self.all.append(socket)
        socket.reconnect_ivl = 5
        if channel == "iopub":
            socket.set_hwm(0)
            socket.subscribe(b"")
        port = self.info["hb_port" if channel == "heartbeat" else f"{channel}_port"]
        separator = "-" if self.info["transport"] == "ipc" else ":"
        socket.connect(f"{self.info['transport']}://{self.info['ip']}{separator}{port}")
        return socket

    def reconnect(self) -> None:
        """New connections on all channels."""
        for socket in self.sockets.values():
            socket.close(0)
        self.sockets = {channel: self.socket(channel) for channel in CHANNELS}

    def close(self) -> None:
        self.context.destroy(0)

    def raw(
        self, channel: str, frames: list[bytes], socket: zmq.Socket[bytes] | None = None
    ) -> None:
        (socket or self.sockets[channel]).send_multipart(frames)

    # section 3, the handshake

    def make_hello(self) -> bytes:
        return hello(self.psk, os.urandom(32), self.rights, self.client_id)

    def say_hello(self) -> None:
        self.agreed, self.last_hello = None, self.make_hello()
        self.raw("control", [DELIMITER, self.last_hello])

    def shake_hands(self, patience: float = PATIENCE) -> Session:
        """HELLO, again and again until its CHALLENGE has come; the session is not yet confirmed."""
        self.agreed = None
        wait, deadline = AGAIN, time.monotonic() + patience
        while self.agreed is None:
            if time.monotonic() > deadline:
                raise TimeoutError("no CHALLENGE")
            self.say_hello()
            end, wait = time.monotonic() + wait, min(2 * wait, LONGEST)
            while self.agreed is None and (left := end - time.monotonic()) > 0:
                self.pump("control", left)
        return self.agreed

    def _take_challenge(self, auth: bytes, frames: list[bytes]) -> None:
        require(not frames, "framing: frames after CHALLENGE")
        require(auth[:8] == MAGIC + bytes([CHALLENGE, CHANNELS["control"], 0, 0]), "framing", auth)
        require(auth[8:16] != NOBODY, "framing: a session id of zeros")
        require(auth[16:24] == bytes(8), "framing: CHALLENGE with a counter")
        if hmac.compare_digest(challenge_tag(self.psk, self.last_hello, auth[:80]), auth[80:]):
            self.agreed = Session(self.psk, self.last_hello, auth)
        else:
            self.ignored.append(auth)

    def ignored_answers(self, hello_sent: bytes, psk: bytes) -> int:
        """How many of the ignored CHALLENGEs answer that HELLO."""
        return sum(a[80:] == challenge_tag(psk, hello_sent, a[:80]) for a in self.ignored)

    def join(self, session: Session | None = None, **content: Any) -> dict[str, Any]:
        """Binds control, shell and stdin, waits for the welcome; the bind_reply's content."""
        agreed = session or self.shake_hands()
        if hasattr(self, "session"):
            self.old.append(self.session)
            if agreed.run_id != self.session.run_id:
                self.rename()  # no name outlives its run
        self.session = agreed
        reply = self.request("control", "bind_request", content)
        for _ in range(NAMES):
            if reply.get("ename") != "SessionNameTaken":
                break
            self.rename()
            reply = self.request("control", "bind_request", content)
        if reply["status"] == "ok":
            self.binds = {c: self.send(c, "bind_request") for c in ("shell", "stdin")}
            if self.rights & 1:
                self._await_welcome()
        return reply

    def rename(self) -> None:
        """From now on messages bear a new name."""
        self.name = uuid.uuid4().hex

    def leave(self) -> None:
        """Goodbye, as the last DATA on control: no reply comes."""
        self.send("control", "bind_request", {"leaves": True})

    def bound(self) -> None:
        """Waits for the bind_reply of shell and of stdin."""
        for channel, msg_id in self.binds.items():
            assert self.reply(channel, msg_id)["content"]["status"] == "ok"

    def rejoin(self, *, reconnect: bool = False) -> dict[str, Any]:
        """Shakes hands again, over the same connections or new ones."""
        if reconnect:
            self.reconnect()
        return self.join(self.shake_hands(), replaces=self.session.id.hex())

    def welcomed(self) -> None:
        """A welcome comes, though not more than five of them in a second."""
        self.request("control", "bind_request")
        self._await_welcome()

    def _await_welcome(self) -> None:
        for _ in range(50):
            with_its_tag = self._find("iopub", self.is_welcome, AGAIN)
            if with_its_tag is not None:
                return
            self.request("control", "bind_request")
        raise TimeoutError("no iopub_welcome")

    def is_welcome(self, message: Message) -> bool:
        ours = message["to"] == self.session.id
        return ours and message["header"]["msg_type"] == "iopub_welcome"

    # section 4, sending

    def body(
        self,
        msg_type: str,
        content: dict[str, Any] | None = None,
        parent: dict[str, Any] | None = None,
        **header: Any,
    ) -> tuple[str, list[bytes]]:
        """The four JSON frames, and the msg_id."""
        fields = {
            "msg_id": uuid.uuid4().hex,
            "msg_type": msg_type,
            "session": self.name,
            "username": "independent",
            "date": "2026-01-01T00:00:00Z",
            "version": "5.4",
            **header,
        }
        dicts = (fields, parent or {}, {}, content or {})
        return fields["msg_id"], [json.dumps(d).encode() for d in dicts]

    def seal(
        self,
        channel: str,
        frames: list[bytes],
        *,
        counter: int | None = None,
        session: Session | None = None,
        key: bytes | None = None,
        direction: int = TO_KERNEL,
    ) -> list[bytes]:
        """A DATA message; without `counter` the next one is drawn."""
        session = session or self.session
        if counter is None:
            counter = session.sent[channel] = session.sent[channel] + 1
        head24 = head(DATA, channel, session.id, counter)
        tag = data_tag(key or session.keys[channel, direction], head24, frames)
        return [DELIMITER, head24 + tag, *frames]

    def send(
        self,
        channel: str,
        msg_type: str,
        content: dict[str, Any] | None = None,
        parent: dict[str, Any] | None = None,
        **header: Any,
    ) -> str:
        """Sends a message as it should be; its msg_id."""
        msg_id, frames = self.body(msg_type, content, parent, **header)
        self.raw(channel, self.seal(channel, frames))
        return msg_id

    def request(
        self, channel: str, msg_type: str, content: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        reply = self.reply(channel, self.send(channel, msg_type, content))
        assert reply["header"]["msg_type"] == msg_type.replace("_request", "_reply")
        found: dict[str, Any] = reply["content"]
        return found

    def execute(self, code: str, *answers: str, **content: Any) -> tuple[Message, list[Message]]:
        """Runs a cell, answers its questions; the reply's content, and all of its iopub."""
        msg_id = self.send("shell", "execute_request", {"code": code, **content})
        for answer in answers:
            self.answer(self.question(msg_id), answer)
        return self.reply("shell", msg_id)["content"], self.outputs(msg_id)

    def answer(self, question: Message, value: str) -> str:
        return self.send("stdin", "input_reply", {"value": value}, parent=question["header"])

    def ping(self) -> int:
        """PING, and its PONG; the counter."""
        counter = self.session.sent["heartbeat"] = self.session.sent["heartbeat"] + 1
        key = self.session.keys["heartbeat", TO_KERNEL]
        self.raw("heartbeat", [b"", heartbeat(key, PING, self.session.id, counter)])
        self.take("heartbeat", lambda m: bool(m["counter"] == counter))
        return counter

    # section 5, receiving

    def reply(self, channel: str, msg_id: str, patience: float = PATIENCE) -> Message:
        return self.take(channel, lambda m: self._is_child(m, msg_id), patience)

    def question(self, msg_id: str) -> Message:
        """The input_request of the cell that runs, in the present session."""
        return self.take(
            "stdin",
            lambda m: self._is_child(m, msg_id) and bool(m["to"] == self.session.id),
        )

    def output(self, msg_id: str, kind: str) -> Message:
        """The first of this type that iopub says about a request."""
        return self.take(
            "iopub",
            lambda m: self._is_child(m, msg_id) and bool(m["header"]["msg_type"] == kind),
        )

    def outputs(self, msg_id: str) -> list[Message]:
        """What iopub says about a request, up to its idle, all of it verified."""
        found = []
        while not found or found[-1]["content"].get("execution_state") != "idle":
            found.append(self.take("iopub", lambda m: self._is_child(m, msg_id)))
        return found

    def _is_child(self, message: Message, msg_id: str) -> bool:
        parent = message["parent_header"]
        return parent.get("msg_id") == msg_id and parent.get("session") == self.name

    def take(
        self, channel: str, wanted: Callable[[Message], bool], patience: float = PATIENCE
    ) -> Message:
        """The first message of that kind; others stay in the inbox."""
        message = self._find(channel, wanted, patience)
        if message is None:
            raise TimeoutError(f"{channel}: {[m['header'] for m in self.inbox[channel]]}")
        return message

    def _find(
        self, channel: str, wanted: Callable[[Message], bool], patience: float
    ) -> Message | None:
        deadline = time.monotonic() + patience
        while True:
            for i, message in enumerate(self.inbox[channel]):
                if wanted(message):
                    return self.inbox[channel].pop(i)
            if not self.pump(channel, deadline - time.monotonic()):
                return None

    def pump(self, channel: str, patience: float) -> bool:
        """Receives and verifies one message; False if none has come."""
        if not self.sockets[channel].poll(max(0, patience) * 1000):
            return False
        self.open(channel, self.sockets[channel].recv_multipart())
        return True

    def open(self, channel: str, frames: list[bytes]) -> None:
        """Verifies a message and puts it into the inbox.

        Raises:
            Rejected: It is not what a kernel sends.
        """
        if channel == "heartbeat":
            self._open_pong(frames)
            return
        require(DELIMITER in frames, "framing: no delimiter", frames)
        at = frames.index(DELIMITER)
        before, auth, body = frames[:at], frames[at + 1], frames[at + 2 :]
        require(len(before) == (channel == "iopub"), "framing: before the delimiter", before)
        if channel == "control" and len(auth) == 112:
            self._take_challenge(auth, body)
        elif channel == "iopub":
            self._open_publish(before[0], auth, body)
        else:
            session = self._session_of(auth[8:16])
            counter = self._check(auth, DATA, channel, session, 56)
            tag = data_tag(session.keys[channel, TO_CLIENT], auth[:24], body)
            require(hmac.compare_digest(tag, auth[24:]), "bad signature", body)
            self._accept(channel, session, counter, body)

    def _open_publish(self, topic: bytes, auth: bytes, body: list[bytes]) -> None:
        (m,) = struct.unpack(">H", auth[24:26])
        require(len(auth) == 26 + 24 * m, "framing: length of PUBLISH", auth)
        require(m <= 1024, "framing: too many entries", m)
        entries = [auth[i : i + 24] for i in range(26, len(auth), 24)]
        for session in (self.session, *self.old):
            entry = next((e for e in entries if e[:8] == session.id), None)
            if entry is not None:
                counter = self._check(auth, PUBLISH, "iopub", session, len(auth))
                key = session.keys["iopub", TO_CLIENT]
                tag = publish_tag(key, auth[:24], topic, body)
                require(hmac.compare_digest(tag, entry[8:]), "bad signature", body)
                self._accept("iopub", session, counter, body)
                self.inbox["iopub"][-1]["sessions"] = [e[:8] for e in entries]
                return
        self.untagged += 1

    def _open_pong(self, frames: list[bytes]) -> None:
        require(frames[:-1] == [b""], "framing: before PONG", frames)
        pong = frames[-1]
        session = self._session_of(pong[8:16])
        counter = self._check(pong, PONG, "heartbeat", session, 56)
        require(counter <= session.sent["heartbeat"], "not asked: PONG", counter)
        expected = heartbeat(session.keys["heartbeat", TO_CLIENT], PONG, session.id, counter)
        require(hmac.compare_digest(expected, pong), "bad signature: PONG", pong)
        session.mark("heartbeat", counter)
        self.verified["heartbeat"] += 1
        self.inbox["heartbeat"].append({"counter": counter, "header": {}})

    def _session_of(self, session_id: bytes) -> Session:
        known = [s for s in (self.session, *self.old) if s.id == session_id]
        require(known, "unknown session", session_id)
        return known[0]

    def _check(self, auth: bytes, kind: int, channel: str, session: Session, size: int) -> int:
        """Steps 2 to 4; the counter."""
        require(len(auth) == size, "framing: length", auth)
        fixed = MAGIC + bytes([kind, CHANNELS[channel], 0, 0])
        require(auth[:8] == fixed, "framing", auth)
        names = session.run_id[:8] if kind == PUBLISH else session.id
        require(auth[8:16] == names, "unknown session", auth)
        (counter,) = struct.unpack(">Q", auth[16:24])
        require(counter > session.received[channel], "replayed counter", (channel, counter))
        return int(counter)

    def _accept(self, channel: str, session: Session, counter: int, body: list[bytes]) -> None:
        """Steps 6 to 8."""
        session.mark(channel, counter)
        message = dict(zip(JSON_FRAMES, map(json.loads, body[:4]), strict=True))
        kind = message["header"]["msg_type"]
        if channel == "iopub":
            require(not kind.endswith(("_request", "_reply")), "refused: on iopub", kind)
        elif channel != "stdin" or kind != "input_request":
            require(kind.endswith("_reply"), f"refused: on {channel}", kind)
        self.verified[channel] += 1
        self.inbox[channel].append(
            {**message, "buffers": body[4:], "to": session.id, "counter": counter}
        )
