"""What a message brought about: a client that sends what is wrong, and another meanwhile."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from independent import IndependentClient

    Counts = dict[tuple[str, str], int]  # by channel and reason

LEAP = 100  # how far ahead of the honest counter a refused message is
HEARTBEAT = "hb"  # its name in the auth_status_reply
BOUND = ("shell", "control", "stdin")
EXECUTED = {"code": "open('executed', 'w')"}
PATIENCE = 20  # seconds that a test waits for a count


class Stage:
    """A client that sends what is wrong, another meanwhile, and what the kernel counts."""

    def __init__(self, client: IndependentClient, other: IndependentClient) -> None:
        self.client, self.other = client, other
        self.strange = {channel: client.socket(channel) for channel in BOUND}
        for one in (client, other):
            one.join()
            one.bound()
            one.ping()

    def ahead(self, channel: str) -> int:
        """A counter that no honest message will reach in this test."""
        return self.client.session.sent[channel] + LEAP

    def good(self, channel: str, **seal: Any) -> list[bytes]:
        """A message that the kernel would take: [delimiter, AUTH, four JSON frames, a buffer]."""
        kind = "input_reply" if channel == "stdin" else "execute_request"
        _, frames = self.client.body(kind, EXECUTED)
        seal = {"counter": self.ahead(channel), **seal}
        return self.client.seal(channel, [*frames, b"buffer"], **seal)

    def counts(self) -> Counts:
        """Refusals and gaps, by channel and reason."""
        status = self.client.request("control", "auth_status_request")
        found = {}
        for channel, line in status["channels"].items():
            found[channel, "gaps"] = line.get("gaps", 0)
            for reason, n in line["rejected"].items():
                found[channel, reason] = n
        return found

    def counted(self, before: Counts) -> Counts:
        """What has been counted since; waits for the first."""
        deadline = time.monotonic() + PATIENCE
        while (after := self.counts()) == before and time.monotonic() < deadline:
            pass
        return {k: n - before.get(k, 0) for k, n in after.items() if n != before.get(k, 0)}

    def probe(self, channel: str) -> None:
        """One honest message of either client works, with the next counter."""
        for one in (self.client, self.other):
            if channel == "heartbeat":
                one.ping()
                continue
            kind = "bind_request" if channel == "stdin" else "kernel_info_request"
            assert one.request(channel, kind)["status"] == "ok"

    def welcome(self) -> None:
        """All that was published until now is here: what control has refused goes to all."""
        msg_id = self.client.send("control", "usage_request")
        assert self.client.reply("control", msg_id)["content"]["status"] == "error"
        self.client.outputs(msg_id)

    def forget(self) -> None:
        """What an earlier test has left."""
        for one in (self.client, self.other):
            one.ignored.clear()
            for messages in one.inbox.values():
                messages.clear()

    def quiet(self) -> None:
        """Of what was sent last nothing is answered."""
        self.welcome()
        assert not self.client.ignored  # no CHALLENGE either
        for channel in BOUND:
            assert not self.client.inbox[channel]
        self.client.inbox["iopub"].clear()


def refused(
    stage: Stage, channel: str, frames: list[bytes], reason: str, socket: Any = None
) -> None:
    """Steps 1 to 5: silent, counted, and nothing is spent."""
    before = stage.counts()
    verdict = {(HEARTBEAT if channel == "heartbeat" else channel, reason): 1}
    stage.client.raw(channel, frames, socket)
    assert stage.counted(before) == verdict
    stage.probe(channel)
    assert stage.counted(before) == verdict  # no gap either
    stage.quiet()


def authentic(frames: list[bytes], **changes: Any) -> list[bytes]:
    """The fixed fields of AUTH changed: magic, kind, channel byte, zero, session."""
    auth = frames[1]
    parts = {
        "magic": auth[:4],
        "kind": auth[4:5],
        "channel": auth[5:6],
        "zero": auth[6:8],
        "session": auth[8:16],
        **changes,
    }
    return [frames[0], b"".join(parts.values()) + auth[16:], *frames[2:]]


def rejected(client: IndependentClient, channel: str) -> dict[str, int]:
    """What the kernel has refused on a channel, by reason."""
    status = client.request("control", "auth_status_request")
    found: dict[str, int] = status["channels"][channel]["rejected"]
    return {reason: n for reason, n in found.items() if n}
