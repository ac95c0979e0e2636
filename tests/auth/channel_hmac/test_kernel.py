"""Section 5, steps 2 to 6, and section 4, as the kernel does them."""

from __future__ import annotations

import gc
import threading
from typing import TYPE_CHECKING

import pytest

from minikernel.auth.channel_hmac.frames import DATA_CHANNELS, Type, header, parse_publication
from minikernel.errors import (
    AuthError,
    BadSignature,
    ContentError,
    FramingError,
    RemoteProtocolError,
    ReplayedCounter,
    UnknownSession,
    WrongRoute,
)
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Stage, Visitor

    from minikernel.auth.channel_hmac.kernel import ClientPeer

C, S, IN, H = Channel.CONTROL, Channel.SHELL, Channel.STDIN, Channel.HEARTBEAT
FRAMES = [b"header", b"parent", b"metadata", b"content", b"buffer"]


def snapshot(stage: Stage) -> object:
    """All that a message could change."""
    return stage.kernel.gaps.copy(), [
        (
            s.id,
            s.heard,
            s.confirmed,
            s.closed,
            s.name,
            {c: (x.route, x.received.last, x.received.gaps) for c, x in s.channels.items()},
        )
        for s in stage.kernel._table
    ]


def refuse(stage: Stage, error: type[RemoteProtocolError], visitor: Visitor, *args: object) -> None:
    """Deliver (channel, auth, frames): it is refused and nothing changes."""
    before = snapshot(stage)
    stage.now += 1.0
    with pytest.raises(error) as caught:
        visitor.deliver(*args)  # type: ignore[arg-type]
    assert type(caught.value) is error
    assert snapshot(stage) == before


def flip(auth: bytes, at: int) -> bytes:
    return auth[:at] + bytes([auth[at] ^ 1]) + auth[at + 1 :]


def with_counter(auth: bytes, counter: int) -> bytes:
    return auth[:16] + counter.to_bytes(8, "big") + auth[24:]


@pytest.fixture
def owner(stage: Stage) -> Visitor:
    visitor = stage.owner()
    visitor.join()
    return visitor


def test_who_sent_it(stage: Stage) -> None:
    alice = stage.guest("alice", rights=3)
    peer = alice.join()
    assert peer[:5] == (alice.session.id.hex(), alice.routes[S], "alice", 3, True)
    assert stage.owner().join()[2:5] == ("", 0xFFFFFFFF, True)


# Step 2


@pytest.mark.parametrize("channel", DATA_CHANNELS)
@pytest.mark.parametrize("kind", [kind for kind in Type if kind is not Type.DATA])
def test_only_data_is_a_message(stage: Stage, owner: Visitor, channel: Channel, kind: Type) -> None:
    auth = owner.seal(channel, FRAMES)
    refuse(stage, FramingError, owner, channel, auth[:4] + bytes([kind]) + auth[5:], FRAMES)


@pytest.mark.parametrize("channel", [Channel.IOPUB, Channel.HEARTBEAT])
def test_no_data_on_other_channels(stage: Stage, owner: Visitor, channel: Channel) -> None:
    auth = header(Type.DATA, channel, owner.session.id, 9) + bytes(32)
    refuse(stage, FramingError, owner, channel, auth, FRAMES)


@pytest.mark.parametrize("sent_on", DATA_CHANNELS)
@pytest.mark.parametrize("delivered_on", DATA_CHANNELS)
def test_cross_channel(
    stage: Stage, owner: Visitor, sent_on: Channel, delivered_on: Channel
) -> None:
    auth = owner.seal(sent_on, FRAMES)
    if sent_on is delivered_on:
        owner.deliver(delivered_on, auth, FRAMES)
        return
    refuse(stage, FramingError, owner, delivered_on, auth, FRAMES)
    relabelled = auth[:5] + owner.seal(delivered_on)[5:6] + auth[6:16]
    relabelled += (99).to_bytes(8, "big") + auth[24:]
    refuse(stage, BadSignature, owner, delivered_on, relabelled, FRAMES)


@pytest.mark.parametrize("auth", [b"", b"MKC1", bytes(56), bytes(57), bytes(55)])
def test_junk(stage: Stage, owner: Visitor, auth: bytes) -> None:
    refuse(stage, FramingError, owner, S, auth, FRAMES)


# Step 3


def test_a_session_that_nobody_opened(stage: Stage, owner: Visitor) -> None:
    auth = owner.seal(S, FRAMES)
    refuse(stage, UnknownSession, owner, S, auth[:8] + b"nosuchid" + auth[16:], FRAMES)


@pytest.mark.parametrize("channel", [S, IN])
def test_an_unconfirmed_session_takes_only_control(stage: Stage, channel: Channel) -> None:
    visitor = stage.owner()
    visitor.shake()
    auth = visitor.seal(channel, FRAMES)
    refuse(stage, UnknownSession, visitor, channel, auth, FRAMES)
    with pytest.raises(UnknownSession):
        stage.kernel.pong(visitor.session.ping(), stage.now)
    visitor.send(C)
    visitor.deliver(channel, auth, FRAMES)


@pytest.mark.parametrize("channel", DATA_CHANNELS)
def test_the_first_valid_message_fixes_the_route(
    stage: Stage, owner: Visitor, channel: Channel
) -> None:
    owner.send(channel)
    own = owner.routes[channel]
    auth = owner.seal(channel, FRAMES)
    for copied in ((b"another",), (), (b"", *own), (*own, b"")):
        owner.routes[channel] = copied
        refuse(stage, WrongRoute, owner, channel, auth, FRAMES)
    owner.routes[channel] = own
    owner.deliver(channel, auth, FRAMES)


def test_a_forgery_does_not_fix_the_route(stage: Stage) -> None:
    visitor = stage.owner()
    visitor.shake()
    own, auth = visitor.routes[C], visitor.seal(C, FRAMES)
    visitor.routes[C] = (b"attacker",)
    refuse(stage, BadSignature, visitor, C, flip(auth, 55), FRAMES)
    visitor.routes[C] = own
    visitor.deliver(C, auth, FRAMES)


def test_a_forgery_does_not_confirm(stage: Stage) -> None:
    visitor = stage.owner()
    visitor.shake()
    refuse(stage, BadSignature, visitor, C, flip(visitor.seal(C, FRAMES), 55), FRAMES)
    refuse(stage, UnknownSession, visitor, S, visitor.seal(S, FRAMES), FRAMES)


# Step 4


@pytest.mark.parametrize("channel", DATA_CHANNELS)
def test_replay(stage: Stage, owner: Visitor, channel: Channel) -> None:
    recorded = [owner.seal(channel, FRAMES) for _ in range(3)]
    for auth in recorded:
        owner.deliver(channel, auth, FRAMES)
    for auth in recorded:
        refuse(stage, ReplayedCounter, owner, channel, auth, FRAMES)


def test_swapped_messages(stage: Stage, owner: Visitor) -> None:
    first, second = owner.seal(S, FRAMES), owner.seal(S, FRAMES)
    owner.deliver(S, second, FRAMES)
    refuse(stage, ReplayedCounter, owner, S, first, FRAMES)
    assert stage.kernel.gaps[S] == 1


def test_counter_zero(stage: Stage, owner: Visitor) -> None:
    auth = with_counter(owner.seal(IN, FRAMES), 0)
    refuse(stage, ReplayedCounter, owner, IN, auth, FRAMES)


def test_a_forgery_does_not_spend_the_counter(stage: Stage, owner: Visitor) -> None:
    auth = owner.seal(S, FRAMES)
    for counter in (3, 1000, 2**64 - 1):
        refuse(stage, BadSignature, owner, S, with_counter(auth, counter), FRAMES)
    owner.deliver(S, auth, FRAMES)


# Step 5


@pytest.mark.parametrize("at", range(56))
def test_every_byte_of_auth_counts(stage: Stage, owner: Visitor, at: int) -> None:
    before = snapshot(stage)
    with pytest.raises(RemoteProtocolError):
        owner.deliver(S, flip(owner.seal(S, FRAMES), at), FRAMES)
    assert snapshot(stage) == before


@pytest.mark.parametrize(
    "frames",
    [
        [b"Header", *FRAMES[1:]],
        [*FRAMES[:4], b"another buffer"],
        FRAMES[:4],
        [*FRAMES, b""],
        [b"headerparent", b"", *FRAMES[2:]],
        [b"headerp", b"arent", *FRAMES[2:]],
        [FRAMES[1], FRAMES[0], *FRAMES[2:]],
        [],
    ],
)
def test_every_frame_and_its_bounds_count(
    stage: Stage, owner: Visitor, frames: list[bytes]
) -> None:
    refuse(stage, BadSignature, owner, S, owner.seal(S, FRAMES), frames)


def test_reflection(stage: Stage, owner: Visitor) -> None:
    peer = owner.send(IN)
    for _ in range(5):
        sealed = stage.kernel.seal(IN, FRAMES, peer)
    assert sealed is not None
    refuse(stage, BadSignature, owner, IN, sealed.signature, FRAMES)


def test_one_session_s_message_in_another(stage: Stage, owner: Visitor) -> None:
    other = stage.owner()
    other.join()
    auth = owner.seal(S, FRAMES)
    refuse(stage, WrongRoute, other, S, auth, FRAMES)
    renamed = auth[:8] + other.session.id + auth[16:]
    refuse(stage, BadSignature, other, S, with_counter(renamed, 9), FRAMES)


def test_another_run_of_the_kernel(stage_with: type[Stage], owner: Visitor) -> None:
    again = stage_with()
    again.owner().join()
    owner.stage = again
    refuse(again, UnknownSession, owner, S, owner.seal(S, FRAMES), FRAMES)


# Step 6 and after


def test_a_valid_message_marks_confirms_and_fixes(stage: Stage) -> None:
    visitor = stage.owner()
    visitor.shake()
    stage.now += 3.0
    peer = visitor.send(C)
    state = peer.handle.channels[C]
    assert (state.received.last, state.route) == (1, visitor.routes[C])
    assert (peer.handle.confirmed, peer.handle.heard) == (True, stage.now)


def test_gaps_are_counted_by_channel(stage: Stage, owner: Visitor) -> None:
    for _ in range(3):
        owner.seal(S)
    owner.send(S)
    owner.seal(IN)
    owner.send(IN)
    owner.session.ping()
    stage.kernel.pong(owner.session.ping(), stage.now)
    assert stage.kernel.gaps == {S: 3, IN: 1, C: 0, H: 1}


# Replies


def test_replies_go_by_the_session_s_route(stage: Stage, owner: Visitor) -> None:
    peer = owner.send(S)
    sealed = stage.kernel.seal(S, FRAMES, peer)
    assert sealed is not None
    assert sealed.route == owner.routes[S]
    owner.end.open(S, sealed.signature, FRAMES, [])
    assert stage.kernel.seal(IN, FRAMES, peer) is None  # stdin has no route yet
    owner.send(IN)
    sealed = stage.kernel.seal(IN, FRAMES, peer)
    assert sealed is not None
    assert sealed.signature[16:24] == bytes(7) + b"\1"  # the refusal before took no counter


def test_each_counter_is_drawn_once(stage: Stage, owner: Visitor) -> None:
    peer, sent = owner.send(S), []

    def work() -> None:
        for _ in range(200):
            sealed = stage.kernel.seal(S, FRAMES, peer)
            assert sealed is not None
            sent.append(sealed.signature)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counters = sorted(int.from_bytes(auth[16:24], "big") for auth in sent)
    assert counters == list(range(1, 801))


class RecordingLock:
    """Tells who else holds what while a session is closed."""

    def __init__(self, held: set[RecordingLock], closed: list[set[RecordingLock]]) -> None:
        self.held, self.closed = held, closed

    def __enter__(self) -> None:
        self.held.add(self)

    def __exit__(self, *_: object) -> None:
        self.closed.append(set(self.held))
        self.held.remove(self)


def test_a_session_is_closed_with_all_its_locks(stage: Stage, owner: Visitor) -> None:
    session, held, closed = owner.send(S).handle, set(), []
    for state in session.channels.values():
        state.lock = RecordingLock(held, closed)
    stage.kernel._close(session)
    assert set(session.channels) == {C, S, IN, H}
    assert len(closed[0]) == 4


class ClosingLock:
    """The session is closed while a thread waits for the lock."""

    def __init__(self, close: Callable[[], object]) -> None:
        self.close: Callable[[], object] | None = close

    def __enter__(self) -> None:
        close, self.close = self.close, None
        if close is not None:
            close()

    def __exit__(self, *_: object) -> None:
        pass


def test_nothing_is_accepted_in_a_session_that_was_closed_meanwhile(
    stage: Stage, owner: Visitor
) -> None:
    session = owner.send(S).handle
    session.channels[S].lock = ClosingLock(lambda: stage.kernel._close(session))
    with pytest.raises(UnknownSession):
        owner.send(S)
    assert session.channels[S].received.last == 2


def test_no_ping_is_answered_in_a_session_that_was_closed_meanwhile(
    stage: Stage, owner: Visitor
) -> None:
    session = owner.send(S).handle
    session.channels[H].lock = ClosingLock(lambda: stage.kernel._close(session))
    ping = owner.session.ping()
    with pytest.raises(UnknownSession):
        stage.kernel.pong(ping, stage.now)


# iopub


def tagged(auth: bytes, *visitors: Visitor) -> list[bool]:
    return [parse_publication(auth).tag_for(v.session.id) is not None for v in visitors]


def test_only_confirmed_sessions_that_may_observe_stand_in_a_publish(stage: Stage) -> None:
    owner, alice, bob = stage.owner(), stage.guest("alice", 1), stage.guest("bob", 254)
    stranger = stage.owner()
    for visitor in (owner, alice, bob):
        visitor.join()
    stranger.shake()
    auth = stage.kernel.publish(b"stream", FRAMES)
    assert tagged(auth, owner, alice, bob, stranger) == [True, True, False, False]
    assert len(auth) == 26 + 2 * 24


def test_a_publish_counts_and_names_the_run(stage: Stage) -> None:
    auths = [stage.kernel.publish(b"", []) for _ in range(3)]
    assert [a[16:24] for a in auths] == [bytes(7) + bytes([n]) for n in (1, 2, 3)]
    assert {a[8:16] for a in auths} == {stage.kernel.run_id[:8]}


def test_a_closed_session_gets_no_tags(stage: Stage, owner: Visitor) -> None:
    other = stage.owner()
    peer = other.join()
    stage.kernel._close(peer.handle)
    assert tagged(stage.kernel.publish(b"", []), owner, other) == [True, False]


def test_publishing_is_one_step(stage: Stage, owner: Visitor) -> None:
    sent = []

    def work() -> None:
        for _ in range(200):
            with stage.kernel.publish_lock:
                sent.append(stage.kernel.publish(b"", []))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for auth in sent:
        owner.end.open(Channel.IOPUB, auth, [], [b""])
    assert owner.session.published.counter.gaps == 0


# Heartbeat


def test_a_ping_is_answered_once_by_whatever_connection(stage: Stage, owner: Visitor) -> None:
    ping = owner.session.ping()
    stage.now += 5.0
    assert owner.end.pong(stage.kernel.pong(ping, stage.now)) == 1
    before = snapshot(stage)
    with pytest.raises(ReplayedCounter):
        stage.kernel.pong(ping, stage.now)
    assert snapshot(stage) == before


@pytest.mark.parametrize("at", range(56))
def test_every_byte_of_a_ping_counts(stage: Stage, owner: Visitor, at: int) -> None:
    before = snapshot(stage)
    with pytest.raises(RemoteProtocolError):
        stage.kernel.pong(flip(owner.session.ping(), at), stage.now)
    assert snapshot(stage) == before


def test_neither_a_pong_nor_data_is_a_ping(stage: Stage, owner: Visitor) -> None:
    pong = stage.kernel.pong(owner.session.ping(), stage.now)
    for auth in (pong, owner.seal(S)):
        with pytest.raises(FramingError):
            stage.kernel.pong(auth, stage.now)
    relabelled = pong[:4] + bytes([Type.PING]) + pong[5:]
    with pytest.raises(BadSignature):
        stage.kernel.pong(with_counter(relabelled, 2), stage.now)


# Step 8: header.session


def test_header_session_belongs_to_the_session(stage: Stage) -> None:
    owner, alice, again = stage.owner(), stage.guest("alice"), stage.owner()
    owners, alices = owner.join(), alice.join()
    stage.kernel.claim(owners, "a")
    stage.kernel.claim(owners, "a")
    with pytest.raises(ContentError):
        stage.kernel.claim(owners, "b")
    with pytest.raises(ContentError):
        stage.kernel.claim(alices, "a")
    stage.kernel.claim(alices, "b")
    stage.kernel.claim(again.join(), "a")  # the owner's own, from another session
    stage.kernel.claim(owners, "a")


def test_header_session_of_a_session_that_is_gone_is_free(stage: Stage) -> None:
    alice, bob = stage.guest("alice"), stage.guest("bob")
    peer = alice.join()
    stage.kernel.claim(peer, "a")
    stage.kernel._close(peer.handle)
    stage.kernel.claim(bob.join(), "a")


# Shaking hands again


def test_replaces(stage: Stage, owner: Visitor) -> None:
    old = owner.session
    peer = owner.send(S)
    owner.seal(S)  # lost
    owner.send(S)
    stage.kernel.seal(S, FRAMES, peer)
    late = owner.seal(S, FRAMES), owner.seal(C, FRAMES), old.ping()
    owner.shake()
    account = owner.bind(old.id.hex())
    assert account.accepted == {"control": 1, "shell": 4, "stdin": 0}
    assert account.gaps == {"control": 0, "shell": 1, "stdin": 0}
    assert account.sent == {"control": 0, "shell": 1, "stdin": 0}
    refuse(stage, UnknownSession, owner, S, late[0], FRAMES)
    refuse(stage, UnknownSession, owner, C, late[1], FRAMES)
    with pytest.raises(UnknownSession):
        stage.kernel.pong(late[2], stage.now)
    assert owner.bind(old.id.hex()) == account  # the same bind_request again


def test_an_heir_that_its_client_never_heard_of_is_replaced_too(
    stage: Stage, owner: Visitor
) -> None:
    old, peer = owner.session, owner.send(S)
    for _ in range(3):  # each time the bind_reply is lost with the connection
        owner.shake()
        account = owner.bind(old.id.hex())
        assert account.accepted == {"control": 1, "shell": 2, "stdin": 0}
    assert stage.kernel.current(peer) == owner.session.id.hex()
    assert len([s for s in stage.kernel._table if s.confirmed]) == 1


def test_a_belated_bind_request_does_not_take_the_heirs_place(stage: Stage, owner: Visitor) -> None:
    old = owner.session
    owner.shake()
    belated, auth = owner.session, owner.seal(C, FRAMES)
    stage.now += 0.1
    owner.shake()
    assert owner.bind(old.id.hex()) is not None
    peer = stage.kernel.open(C, auth, FRAMES, (b"lost",), stage.now)
    assert peer.session == belated.id.hex()
    assert stage.kernel.bind(peer, old.id.hex(), stage.now) is None
    owner.send(S)


def test_an_heir_that_is_in_use_does_not_stand_for_the_older_session(
    stage: Stage, owner: Visitor
) -> None:
    old, other = owner.session, stage.owner()
    owner.shake()
    owner.bind(old.id.hex())
    owner.send(S)
    other.shake()
    assert other.bind(old.id.hex()) is None
    owner.send(S)


def test_what_is_still_to_be_said_goes_to_the_new_session(stage: Stage, owner: Visitor) -> None:
    peer, first = owner.send(S), owner.session
    for _ in range(3):
        old = owner.session
        owner.shake()
        owner.bind(old.id.hex())
        owner.end.bound()
        owner.routes[S] = (owner.session.id,)
    assert stage.kernel.current(peer) == owner.session.id.hex() != first.id.hex()
    assert stage.kernel.seal(S, FRAMES, peer) is None  # until shell is bound
    owner.send(S)
    sealed = stage.kernel.seal(S, FRAMES, peer)
    assert sealed is not None
    assert sealed.route == owner.routes[S]
    owner.end.open(S, sealed.signature, FRAMES, [])


def test_sessions_between_are_not_kept(owner: Visitor) -> None:
    peer = owner.send(S)
    for _ in range(20):
        old = owner.session
        owner.shake()
        owner.bind(old.id.hex())
        owner.end.bound()
    successor = peer.handle.successor
    assert successor is not None
    gc.collect()
    assert len(successor.predecessors) == 1  # the one that the peer holds


@pytest.mark.parametrize("named", ["", "zz", "00" * 8, "own", "another client's", "unconfirmed"])
def test_what_is_not_replaced(stage: Stage, owner: Visitor, named: str) -> None:
    alice, pending = stage.guest(), stage.owner()
    alice.join()
    pending.shake()
    replaces = {
        "own": owner.session.id.hex(),
        "another client's": alice.session.id.hex(),
        "unconfirmed": pending.session.id.hex(),
    }.get(named, named)
    assert owner.bind(replaces) is None
    owner.send(S)
    alice.send(S)
    pending.send(C)


def test_the_same_id_with_other_rights_is_another_client(stage: Stage) -> None:
    narrow, wide = stage.guest("alice", 1), stage.guest("alice", 3)
    narrow.join()
    wide.shake()
    assert wide.bind(narrow.session.id.hex()) is None
    narrow.send(S)


def test_a_session_that_is_gone_gets_nothing(stage: Stage, owner: Visitor) -> None:
    peer: ClientPeer = owner.send(S)
    stage.kernel._close(peer.handle)
    assert stage.kernel.current(peer) is None
    with pytest.raises(AuthError):
        stage.kernel.seal(S, FRAMES, peer)
