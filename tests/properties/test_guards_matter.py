"""Each guard and each step of receiving: an attack that it refuses, and that goes through without.

What a guard is takes two things: with it the attack is refused, and when nothing but it is taken
out the attack succeeds. Where two checks stand behind each other both are taken out.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import types
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from minikernel.auth import jupyter_hmac, replay_memory
from minikernel.auth.channel_hmac import client as client_module
from minikernel.auth.channel_hmac import frames as frames_module
from minikernel.auth.channel_hmac import handshake, kernel_side, session_channel
from minikernel.auth.channel_hmac.client import ClientEnd
from minikernel.auth.channel_hmac.frames import NONCE, mac, unsigned_hello
from minikernel.auth.channel_hmac.kernel import KernelEnd
from minikernel.auth.channel_hmac.kernel_side import KernelChannelHmac
from minikernel.auth.channel_hmac.keys import Direction, Master, SessionKeys
from minikernel.auth.channel_hmac.session_channel import SessionChannel
from minikernel.auth.channel_hmac.sessions import Session, SessionLimits
from minikernel.auth.counter import Counter
from minikernel.auth.jupyter_hmac import JupyterHmac
from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import create
from minikernel.auth.replay_memory import ReplayMemory
from minikernel.auth.rights import OWNER_RIGHTS
from minikernel.errors import RemoteProtocolError, ReplayedCounter
from minikernel.protocol.end import ChannelEnd, Guards
from minikernel.wire.channels import Channel, Role
from minikernel.wire.frames import DELIMITER, LIMITS, Limits
from minikernel.wire.message import HeaderFactory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minikernel.auth.channel_hmac.keys import Credential
    from minikernel.auth.scheme import Scheme

    Patch = pytest.MonkeyPatch

C, S, P = Channel.CONTROL, Channel.SHELL, Channel.IOPUB
KEY = SecretKey(b"a key of 32 bytes, or some more")
NOW = datetime(2026, 9, 21, 13, 33, 20, tzinfo=timezone.utc)
OPTIONS: dict[str, Any] = {
    "guards": Guards(own_session="kernel", max_age=60.0),
    "limits": LIMITS,
}
INFO, EXECUTE = "kernel_info_request", "execute_request"


class GuardHeldError(RemoteProtocolError):
    """An attack came to nothing, though no single message of it was refused."""


def kernel_end(scheme: Scheme, channel: Channel = S) -> ChannelEnd:
    headers = HeaderFactory("kernel", "1", "user", lambda: b'"2026-09-21T13:33:20Z"')
    return ChannelEnd(channel, Role.KERNEL, scheme, headers, now=NOW.timestamp, **OPTIONS)


def stock_end(memory: ReplayMemory | None = None, channel: Channel = S) -> ChannelEnd:
    return kernel_end(create("hmac-sha256", KEY, memory or ReplayMemory()), channel)


def request(msg_type: str = EXECUTE, session: str = "s", date: datetime = NOW) -> list[bytes]:
    header = {"msg_id": "1", "msg_type": msg_type, "session": session, "date": date.isoformat()}
    return [json.dumps(header).encode(), b"{}", b"{}", b'{"code":""}']


def signed(*frames: bytes) -> list[bytes]:
    digest = hmac.new(KEY.reveal(), b"".join(frames[:4]), hashlib.sha256).hexdigest()
    return [b"id", DELIMITER, digest.encode(), *frames]


# Section 8, by name: how to take a guard out, and the attack


def replay() -> None:
    end = stock_end()
    for _ in range(2):
        end.receive(signed(*request()))


def replay_in_other_letters() -> None:
    end, frames = stock_end(), signed(*request())
    end.receive(list(frames))
    end.receive([*frames[:2], frames[2].upper(), *frames[3:]])


def replay_after_a_flood_of_junk() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay_memory, "CAPACITY", 8)
        end = stock_end()
        end.receive(signed(*request()))
        for n in range(20):
            with contextlib.suppress(RemoteProtocolError):
                end.receive([b"id", DELIMITER, b"%064x" % n, *request()])
        end.receive(signed(*request()))


def replay_after_a_restart() -> None:
    written = bytearray(64)

    def record(slot: int, digest: bytes) -> None:
        written[slot * 16 : slot * 16 + 16] = digest

    stock_end(ReplayMemory(record=record)).receive(signed(*request()))
    stock_end(ReplayMemory(bytes(written))).receive(signed(*request()))


def reflect() -> None:
    stock_end().receive(signed(*request(session="kernel")))


def reflect_in_other_words() -> None:
    header, *rest = request(session="kernel")
    stock_end().receive(signed(header.replace(b"kernel", rb"\u006bernel"), *rest))


def shell_request_on_control() -> None:
    stock_end(channel=C).receive(signed(*request()))


def another_buffer() -> None:
    stock = stock_end()
    header, parent, _, content = request("comm_msg")
    frames = stock.frames_of(header, parent, None, content, [b"mine"])
    stock_end().receive([*signed(*frames)[:-1], b"theirs"])


def another_key() -> None:
    stock_end().receive([b"id", DELIMITER, b"0" * 64, *request()])


def delay() -> None:
    stock_end().receive(signed(*request(date=NOW.replace(minute=0))))


def remember_before_verifying(patch: Patch) -> None:
    verify = JupyterHmac.verify

    def verify_late(self: JupyterHmac, signature: bytes, frames: Sequence[bytes]) -> None:
        assert self._memory is not None
        self._memory.admit(hashlib.sha256(signature).digest()[:16])
        memory, self._memory = self._memory, None
        try:
            verify(self, signature, frames)
        finally:
            self._memory = memory

    patch.setattr(JupyterHmac, "verify", verify_late)


def any_spelling(patch: Patch) -> None:
    def verify(self: JupyterHmac, signature: bytes, frames: Sequence[bytes]) -> None:
        assert signature.lower() == self.sign(frames)
        assert self._memory is not None
        self._memory.admit(hashlib.sha256(signature).digest()[:16])

    patch.setattr(JupyterHmac, "verify", verify)


def guards(**changed: Any) -> Callable[[Patch], None]:
    return lambda patch: patch.setitem(OPTIONS, "guards", replace(OPTIONS["guards"], **changed))


def nothing(*_: object, **__: object) -> None:
    return None


def no_comparing(module: types.ModuleType) -> Callable[[Patch], None]:
    blind = types.SimpleNamespace(compare_digest=lambda *_: True, new=hmac.new)
    return lambda patch: patch.setattr(module, "hmac", blind)


def no_replay_memory(patch: Patch) -> None:
    patch.setattr(ReplayMemory, "_holds", nothing)


def forgetful_restart(patch: Patch) -> None:
    patch.setattr(ReplayMemory, "_restore", lambda *_: 0)


GUARDS: dict[str, tuple[Callable[[Patch], None], Callable[[], None]]] = {
    "the signature": (no_comparing(jupyter_hmac), another_key),
    "verify, then remember": (remember_before_verifying, replay_after_a_flood_of_junk),
    "one spelling of a signature": (any_spelling, replay_in_other_letters),
    "replay memory": (no_replay_memory, replay),
    "replay memory that survives": (forgetful_restart, replay_after_a_restart),
    "no reflection": (guards(own_session=None), reflect),
    "no reflection in other words": (guards(own_session=None), reflect_in_other_words),
    "channel table": (guards(channel_table=False), shell_request_on_control),
    "signed buffers": (guards(buffers=False), another_buffer),
    "freshness": (guards(max_age=None), delay),
}


# Section 5, by step


class Run:
    """A kernel of channel-hmac and its clients, in memory."""

    def __init__(self) -> None:
        self.kernel = KernelEnd(KEY, entropy=os.urandom, limits=SessionLimits(challenges=2))
        self.scheme = KernelChannelHmac(self.kernel)

    def client(self, credential: Credential | None = None) -> Client:
        return Client(self, credential or Master(KEY).owner())


class Client:
    """A client whose session is bound on control."""

    def __init__(self, run: Run, credential: Credential) -> None:
        self.run = run
        self.end = ClientEnd(credential, entropy=os.urandom)
        self.session = self.end.challenge(run.kernel.hello(self.end.hello(), 0.0))
        self.first = self.seal(C, request(INFO))

    def join(self) -> Client:
        self.give(self.first, C)
        self.end.bound()
        return self

    def seal(self, channel: Channel, frames: list[bytes]) -> list[bytes]:
        return [b"id", DELIMITER, self.session.seal(channel, frames), *frames]

    def give(self, frames: list[bytes], channel: Channel = S, route: bytes = b"id") -> Any:
        return kernel_end(self.run.scheme, channel).receive([route, *frames[1:]])

    def say(self, msg_type: str = EXECUTE, session: str = "s", channel: Channel = S) -> Any:
        return self.give(self.seal(channel, request(msg_type, session)), channel)


def joined() -> Client:
    return Run().client().join()


def too_many_frames() -> None:
    client = joined()
    client.give(client.seal(S, [*request(), *[b""] * LIMITS.after]))


def junk_after_a_publish() -> None:
    client = joined()
    auth = client.run.kernel.publish(b"stream", request())
    client.end.open(P, auth + b"junk", request(), [b"stream"])


def hello_on_shell() -> None:
    run = Run()
    run.scheme.greet(S, ClientEnd(Master(KEY).owner(), entropy=os.urandom).hello(), (), 0.0)


def rights_that_nobody_has() -> None:
    credential = Master(KEY).credential("alice", 0x80000002)
    unsigned = unsigned_hello(bytes(NONCE), credential.rights, "alice")
    Run().kernel.hello(unsigned + mac(credential.hello_key, unsigned), 0.0)


def shell_message_on_control() -> None:
    client = joined()
    client.seal(S, request(INFO))  # now the next one's counter is new on control too
    client.give(client.seal(S, request(INFO)), C)


def speak_before_confirming() -> None:
    client = Run().client()
    client.say()


def speak_in_a_session_that_was_replaced() -> None:
    client = joined()
    old = client.session
    late = client.seal(S, request())
    client.session = client.end.challenge(client.run.kernel.hello(client.end.hello(), 0.0))
    peer = client.say(INFO, channel=C).peer
    client.run.scheme.bind(peer, old.id.hex(), 0.0, busy=False)
    client.give(late)


def present_it_on_another_connection() -> None:
    client = joined()
    client.say()
    client.give(client.seal(S, request()), route=b"thief")


def replay_a_counter() -> None:
    client = joined()
    frames = client.seal(S, request())
    for _ in range(2):
        client.give(list(frames))


def replay_of_iopub() -> None:
    client = joined()
    auth = client.run.kernel.publish(b"stream", request())
    for _ in range(2):
        client.end.open(P, auth, request(), [b"stream"])


def pong_twice() -> None:
    client = joined()
    pong = client.run.kernel.pong(client.session.ping(), 0.0)
    client.end.pong(pong)
    client.end.pong(pong)


def change_content() -> None:
    client = joined()
    client.give([*client.seal(S, request())[:-1], b'{"code":"evil"}'])


def move_a_frame_boundary() -> None:
    client = joined()
    *frames, one, two = client.seal(S, [*request(), b"ab", b"c"])
    client.give([*frames, one[:1], one[1:] + two])


def reflect_a_reply() -> None:
    client = joined()
    frames = client.seal(S, request())
    client.give(frames)
    peer = client.say().peer
    for _ in range(3):
        sealed = client.run.scheme.seal(S, request(), peer)
    assert sealed is not None
    client.give([b"id", DELIMITER, sealed.signature, *request()])


def forge_iopub() -> None:
    client = joined()
    auth = bytearray(client.run.kernel.publish(b"stream", request()))
    client.end.open(P, bytes(auth), request("stream"), [b"stream"])


def pose_as_the_kernel() -> None:
    end = ClientEnd(Master(KEY).owner(), entropy=os.urandom)
    end.hello()
    other = KernelEnd(SecretKey(b"the key of somebody else"), entropy=os.urandom)
    stranger = ClientEnd(Master(SecretKey(b"the key of somebody else")).owner(), entropy=os.urandom)
    end.challenge(other.hello(stranger.hello(), 0.0))


def knock_without_a_key() -> None:
    unsigned = unsigned_hello(bytes(NONCE), OWNER_RIGHTS, "")
    Run().kernel.hello(unsigned + bytes(32), 0.0)


def burn_the_counters() -> None:
    client = joined()
    frames = client.seal(S, request())
    header = frames[2][:16] + bytes([255] * 8)
    with contextlib.suppress(RemoteProtocolError):
        client.give([b"id", DELIMITER, header + bytes(32), *request()])
    try:
        client.give(frames)
    except ReplayedCounter:
        return
    raise GuardHeldError


def execute_with_the_right_to_observe() -> None:
    client = Run().client(Master(KEY).invite("alice", 1)).join()
    client.say()


def widen_ones_rights() -> None:
    narrow = Master(KEY).invite("alice", 1)
    unsigned = unsigned_hello(bytes(NONCE), 255, "alice")
    Run().kernel.hello(unsigned + mac(narrow.hello_key, unsigned), 0.0)


def speak_under_anothers_session() -> None:
    run = Run()
    run.client().join().say(INFO, "owner's", C)
    run.client(Master(KEY).invite("alice", 2)).say(INFO, "owner's", C)


def hellos_without_end() -> None:
    run = Run()
    end = ClientEnd(Master(KEY).owner(), entropy=os.urandom)
    for _ in range(9):
        run.kernel.hello(end.hello(), 0.0)


def no_limits(patch: Patch) -> None:
    patch.setitem(OPTIONS, "limits", Limits(before=10**6, after=10**6))


def taken_out(owner: object, *names: str) -> Callable[[Patch], None]:
    """Functions that only raise, or don't."""

    def take_out(patch: Patch) -> None:
        for name in names:
            patch.setattr(owner, name, nothing)

    return take_out


def greet_anywhere(patch: Patch) -> None:
    patch.setattr(
        KernelChannelHmac, "greet", lambda self, _, frame, *__: self._end.hello(frame, 0.0)
    )


def any_client(patch: Patch) -> None:
    patch.setattr(handshake, "is_client", lambda *_: True)


def no_channels(patch: Patch) -> None:
    """Neither in AUTH nor in the keys; each of the two would be enough."""
    key = SessionKeys.key
    patch.setattr(frames_module, "_check_start", nothing)
    patch.setattr(SessionKeys, "key", lambda self, _, direction: key(self, S, direction))


def no_directions(patch: Patch) -> None:
    key = SessionKeys.key
    patch.setattr(SessionKeys, "key", lambda self, c, _: key(self, c, Direction.TO_KERNEL))


def confirmed_at_once(patch: Patch) -> None:
    init = Session.__init__

    def confirmed(self: Session, *arguments: Any) -> None:
        init(self, *arguments)
        self.confirm()

    patch.setattr(Session, "__init__", confirmed)


def never_closed(patch: Patch) -> None:
    patch.setattr(KernelEnd, "_close", lambda _, session, successor: session._account())  # noqa: ARG005 - its name counts


def no_routes(patch: Patch) -> None:
    patch.setattr(SessionChannel, "route", property(nothing, nothing), raising=False)


def no_counters(patch: Patch) -> None:
    patch.setattr(Counter, "check", nothing)
    patch.setattr(Counter, "mark", lambda *_: 0)


def mark_before_verifying(patch: Patch) -> None:
    check = Counter.check

    def check_and_mark(self: Counter, n: int) -> None:
        check(self, n)
        self.last = n

    patch.setattr(Counter, "check", check_and_mark)
    patch.setattr(Counter, "mark", lambda *_: 0)


def no_outstanding_pings(patch: Patch) -> None:
    class All(list[int]):
        def __contains__(self, _: object) -> bool:
            return True

    pings = property(lambda _: All(), nothing)
    patch.setattr(client_module.ClientSession, "_pings", pings, raising=False)
    no_counters(patch)


def no_lengths(patch: Patch) -> None:
    patch.setattr(frames_module, "_lengths", lambda _: b"")


def any_right(patch: Patch) -> None:
    patch.setattr(kernel_side, "permits", lambda *_: True)


def no_budget(patch: Patch) -> None:
    patch.setattr(handshake, "SECOND", 0.0)


STEPS: dict[str, tuple[Callable[[Patch], None], Callable[[], None]]] = {
    "1 limits": (no_limits, too_many_frames),
    "2 length": (taken_out(frames_module, "_check_length"), junk_after_a_publish),
    "2 HELLO's channel": (greet_anywhere, hello_on_shell),
    "2 id and rights": (any_client, rights_that_nobody_has),
    "2 the channel": (no_channels, shell_message_on_control),
    "3 unconfirmed": (confirmed_at_once, speak_before_confirming),
    "3 closed": (never_closed, speak_in_a_session_that_was_replaced),
    "3 route": (no_routes, present_it_on_another_connection),
    "4 counter": (no_counters, replay_a_counter),
    "4 counter of iopub": (no_counters, replay_of_iopub),
    "4 outstanding PINGs": (no_outstanding_pings, pong_twice),
    "5 tag of DATA": (no_comparing(session_channel), change_content),
    "5 lengths": (no_lengths, move_a_frame_boundary),
    "5 directions": (no_directions, reflect_a_reply),
    "5 tag of PUBLISH": (no_comparing(client_module), forge_iopub),
    "5 tag of CHALLENGE": (no_comparing(client_module), pose_as_the_kernel),
    "5 tag of HELLO": (no_comparing(handshake), knock_without_a_key),
    "5 rights in the key": (no_comparing(handshake), widen_ones_rights),
    "6 mark late": (mark_before_verifying, burn_the_counters),
    "8 the right": (any_right, execute_with_the_right_to_observe),
    "8 header.session": (taken_out(KernelEnd, "claim"), speak_under_anothers_session),
    "8 channel table": (
        guards(channel_table=False),
        lambda: joined().say(EXECUTE, channel=C),
    ),
    "budget of HELLOs": (no_budget, hellos_without_end),
}


@pytest.mark.parametrize("name", [*GUARDS, *STEPS])
def test_it_is_what_stops_the_attack(name: str, monkeypatch: Patch) -> None:
    take_out, attack = (GUARDS | STEPS)[name]
    with pytest.raises(RemoteProtocolError):
        attack()
    take_out(monkeypatch)
    attack()
