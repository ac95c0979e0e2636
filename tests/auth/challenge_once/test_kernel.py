"""Both ends of challenge-once, in memory: no message is signed, so all is in the handshake."""

from __future__ import annotations

import hashlib
import hmac
import os
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minikernel.auth import challenge_once
from minikernel.auth.challenge import (
    CHALLENGE,
    FAILURE,
    MAX_MESSAGE,
    SHA256,
    WELCOME,
    Challenger,
    Responder,
)
from minikernel.auth.challenge_once.client import FIRST_RETRY, LAST_RETRY, ClientChallengeOnce
from minikernel.auth.challenge_once.kernel import (
    CHANNELS,
    KNOCK,
    LIFETIME,
    MAX_HANDSHAKES,
    MAX_TRUSTED,
    KernelChallengeOnce,
    challenge_key,
)
from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import check, create, find
from minikernel.auth.scheme import ClientSide, Greeting, KernelSide
from minikernel.errors import (
    BadSignature,
    ChallengeError,
    ConfigError,
    FramingError,
    RemoteProtocolError,
    UnknownSession,
)
from minikernel.wire.channels import Channel
from minikernel.wire.peer import Address

KEY = SecretKey(b"secret")
SHARED = SecretKey(hmac.digest(b"minikernel challenge-once 1", b"secret", hashlib.sha256))
OTHER = SecretKey(b"other")
ROUTE = (b"an identity",)
SHELL = Channel.SHELL
FRAMES = [b"header", b"parent", b"metadata", b"content", b"buffer"]
each_channel = pytest.mark.parametrize("channel", CHANNELS, ids=lambda c: c.value)


class Kernel:
    """The kernel's end, with a clock and every nonce different and known."""

    def __init__(self, key: SecretKey = KEY) -> None:
        self.now = 1000.0
        self.drawn: list[bytes] = []
        numbers = count()

        def entropy(length: int) -> bytes:
            self.drawn.append(next(numbers).to_bytes(length, "big"))
            return self.drawn[-1]

        self.scheme = KernelChallengeOnce(key, entropy=entropy)

    def hear(
        self, frame: bytes, identity: bytes = ROUTE[0], channel: Channel = SHELL
    ) -> bytes | None:
        return self.scheme.greet(channel, frame, (identity,), self.now)

    def trusts(self, identity: bytes = ROUTE[0], channel: Channel = SHELL) -> bool:
        try:
            self.scheme.open(channel, b"", FRAMES, (identity,))
        except UnknownSession:
            return False
        return True

    def let_in(self, identity: bytes = ROUTE[0], channel: Channel = SHELL) -> None:
        """The whole handshake, by one who holds the key."""
        challenge = self.hear(KNOCK, identity, channel)
        assert challenge is not None
        assert self.hear(answer(challenge), identity, channel) == WELCOME
        asked = Challenger(SHARED, nonce=os.urandom(40))
        proof = self.hear(asked.challenge, identity, channel)
        assert proof is not None
        assert self.hear(asked.verify(proof), identity, channel) is None


def tell(visitor: ClientChallengeOnce, channel: Channel, frame: bytes) -> bytes | None:
    """What a client says to a frame on this channel; the other channels keep what they say."""
    assert visitor.greet(channel, frame, ()) is None
    return visitor._handshakes[channel].says(0)


def is_over(visitor: ClientChallengeOnce, channel: Channel) -> bool:
    """Whether this channel's handshake is."""
    return visitor._handshakes[channel].is_over


def answer(challenge: bytes, key: SecretKey = SHARED) -> bytes:
    return Responder(key).answer(challenge)


def client(key: SecretKey = KEY) -> ClientChallengeOnce:
    return ClientChallengeOnce(key, entropy=os.urandom)


def knocking(key: SecretKey = KEY) -> ClientChallengeOnce:
    found = client(key)
    found.renew(0)
    assert found.due(0) == [Greeting(channel, KNOCK) for channel in CHANNELS]
    return found


def talk(kernel: Kernel, visitor: ClientChallengeOnce, channel: Channel = SHELL) -> list[bytes]:
    """Carry the frames to and fro until nobody says anything; what was said."""
    said = []
    frame: bytes | None = KNOCK
    while frame is not None:
        said.append(frame)
        heard = kernel.hear(frame, channel=channel)
        if heard is None:
            break
        said.append(heard)
        frame = tell(visitor, channel, heard)
    return said


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


# The handshake


@each_channel
def test_the_handshake_is_that_of_listener_and_client(kernel: Kernel, channel: Channel) -> None:
    visitor = knocking()
    assert not is_over(visitor, channel)
    assert not kernel.trusts(channel=channel)
    knock, asked, answered, welcome, asked_too, answered_too, welcome_too = talk(
        kernel, visitor, channel
    )
    assert knock == KNOCK
    assert asked == CHALLENGE + b"{sha256}" + kernel.drawn[0]
    for challenge, response in ((asked, answered), (asked_too, answered_too)):
        covered = challenge.removeprefix(CHALLENGE)
        assert len(covered) == len(b"{sha256}") + 40
        assert response == b"{sha256}" + hmac.digest(SHARED.reveal(), covered, "sha256")
    assert (welcome, welcome_too) == (WELCOME, WELCOME)
    assert is_over(visitor, channel)
    assert kernel.trusts(channel=channel)


def test_it_is_the_dialect_that_multiprocessing_speaks_since_python_3_12(kernel: Kernel) -> None:
    challenger = Challenger(SHARED, nonce=bytes(40), dialect=SHA256)
    challenge = kernel.hear(KNOCK)
    assert challenge is not None
    assert kernel.hear(answer(challenge)) == WELCOME
    assert kernel.hear(challenger.challenge) == Responder(SHARED).answer(challenger.challenge)


def test_the_kernel_trusts_when_a_listener_would_return_the_connection(kernel: Kernel) -> None:
    visitor = knocking()
    frame: bytes | None = KNOCK
    while frame is not None:
        assert not kernel.trusts()
        heard = kernel.hear(frame)
        frame = None if heard is None else tell(visitor, SHELL, heard)
    assert kernel.trusts()


def test_a_client_is_ready_on_the_channels_that_have_shaken_hands(kernel: Kernel) -> None:
    visitor = knocking()
    assert visitor.is_ready(Channel.IOPUB)
    for done, channel in enumerate(CHANNELS):
        assert [visitor.is_ready(c) for c in CHANNELS] == [n < done for n in range(3)]
        assert visitor.seal(channel, FRAMES, Address(())) is None
        talk(kernel, visitor, channel)
        assert visitor.seal(channel, FRAMES, Address(())) == ((), b"")
    assert visitor.due(10**6) == []
    assert visitor.wait(10**6) is None


def test_shell_waits_for_stdin(kernel: Kernel) -> None:
    """The question of a cell could be there before the kernel has proved itself on stdin."""
    visitor = knocking()
    talk(kernel, visitor, SHELL)
    assert not visitor.is_ready(SHELL)
    talk(kernel, visitor, Channel.STDIN)
    assert visitor.is_ready(SHELL)


def test_a_client_is_ready_when_its_last_word_has_been_handed_out(kernel: Kernel) -> None:
    visitor = knocking()
    frame: bytes | None = KNOCK
    while frame != WELCOME:
        assert frame is not None
        heard = kernel.hear(frame, channel=Channel.CONTROL)
        assert heard is not None
        visitor.greet(Channel.CONTROL, heard, ())
        assert not visitor.is_ready(Channel.CONTROL)
        assert visitor.wait(0) == 0
        ((_, frame),) = visitor.due(0)
    assert visitor.is_ready(Channel.CONTROL)


def test_renewing_goes_on_with_what_is_under_way(kernel: Kernel) -> None:
    visitor = knocking()
    for n in range(5):
        visitor.renew(n / 100)
        assert visitor.due(n / 100) == []
    challenge = kernel.hear(KNOCK)
    assert challenge is not None
    visitor.greet(SHELL, challenge, ())
    visitor.renew(0.1)
    assert visitor.due(0.1) == [Greeting(SHELL, answer(challenge))]
    for n in range(10):  # however far apart the knocks are by now
        visitor.due(2.0**n)
    visitor.renew(600)
    assert visitor.wait(600) == FIRST_RETRY


def test_what_became_of_requests_cannot_be_told() -> None:
    visitor = client()
    assert visitor.observes
    assert visitor.connected
    assert visitor.refusal is None
    assert not visitor.has_taken_over
    assert visitor.fates({SHELL: {"a request": b""}}) == {}


def test_trust_is_of_one_identity_on_one_channel(kernel: Kernel) -> None:
    kernel.let_in(b"one", Channel.CONTROL)
    assert kernel.trusts(b"one", Channel.CONTROL)
    assert not kernel.trusts(b"one", Channel.SHELL)
    assert not kernel.trusts(b"two", Channel.CONTROL)


def test_the_ends_are_what_the_seam_asks_for(kernel: Kernel) -> None:
    end: KernelSide = kernel.scheme
    visitor: ClientSide = client()
    assert kernel.scheme.name == client().name == "challenge-once"
    for scheme in (end, visitor):
        assert not scheme.own_types
        assert not scheme.gaps
        scheme.claim(Address(ROUTE), "execute_request", "anybody's session")
        assert scheme.may(Address(ROUTE), "execute_request")
    visitor.take(SHELL, Address(()), "kernel_info_reply", {})
    assert KEY.reveal().decode() not in repr(vars(kernel.scheme))


# After the handshake: what it lets through


def test_after_the_handshake_nothing_is_signed(kernel: Kernel) -> None:
    visitor = knocking()
    talk(kernel, visitor)
    for frames in (FRAMES, [b"changed", *FRAMES[1:]], FRAMES[:4]):
        sealed = visitor.seal(SHELL, frames, Address(()))
        assert sealed is not None
        assert sealed.signature == b""
        assert kernel.scheme.open(SHELL, b"", frames, ROUTE) == Address(ROUTE)
        assert kernel.scheme.seal(SHELL, frames, Address(ROUTE)) == (ROUTE, b"")
        assert visitor.open(SHELL, b"", frames, ()) == Address(())


def test_who_copies_the_identity_is_trusted(kernel: Kernel) -> None:
    kernel.let_in(b"copied")
    peer = kernel.scheme.open(SHELL, b"", [b"a stranger's", *FRAMES[1:]], (b"copied",))
    assert peer == Address((b"copied",)), "and the reply goes to whoever has the identity"


def test_on_iopub_the_client_takes_what_anybody_publishes(kernel: Kernel) -> None:
    topic = (b"stream",)
    assert kernel.scheme.seal(Channel.IOPUB, FRAMES, Address(topic)) == (topic, b"")
    assert client().open(Channel.IOPUB, b"", [b"forged"], topic) == Address(topic)


def test_who_relays_the_handshake_is_trusted_in_its_place(kernel: Kernel) -> None:
    honest = knocking()
    frame: bytes | None = KNOCK
    while frame is not None and (heard := kernel.hear(frame, b"the relay")) is not None:
        frame = tell(honest, SHELL, heard)
    assert kernel.trusts(b"the relay")
    assert is_over(honest, SHELL), "and the client takes the relay for the kernel"


def test_a_challenge_is_answered_for_another_channel_and_identity(kernel: Kernel) -> None:
    honest = knocking()
    asked_on_control = kernel.hear(KNOCK, b"a stranger", Channel.CONTROL)
    assert asked_on_control is not None
    answered_on_stdin = tell(honest, Channel.STDIN, asked_on_control)
    assert answered_on_stdin is not None
    assert kernel.hear(answered_on_stdin, b"a stranger", Channel.CONTROL) == WELCOME
    kernel.hear(CHALLENGE + b"{sha256}" + bytes(40), b"a stranger", Channel.CONTROL)
    assert kernel.hear(WELCOME, b"a stranger", Channel.CONTROL) is None
    assert kernel.trusts(b"a stranger", Channel.CONTROL)


def test_a_client_s_own_challenge_reflected_to_its_other_channel_is_answered(
    kernel: Kernel,
) -> None:
    victim = knocking()
    asked = kernel.hear(KNOCK)
    assert asked is not None
    proof = tell(victim, SHELL, asked)
    assert proof is not None
    own = tell(victim, SHELL, WELCOME)  # the kernel is left out from here on
    assert own is not None
    reflected = tell(victim, Channel.STDIN, own)
    assert reflected is not None
    assert tell(victim, SHELL, reflected) == WELCOME
    assert is_over(victim, SHELL)


# What it refuses


def test_an_unknown_identity_is_refused(kernel: Kernel) -> None:
    with pytest.raises(UnknownSession) as caught:
        kernel.scheme.open(SHELL, b"", FRAMES, ROUTE)
    assert caught.value.reason == "unknown session"


def test_a_signature_is_refused(kernel: Kernel) -> None:
    kernel.let_in()
    for end in (kernel.scheme, client()):
        with pytest.raises(BadSignature):
            end.open(SHELL, b"0" * 64, FRAMES, ROUTE)
    with pytest.raises(BadSignature):
        client().open(Channel.IOPUB, b"0" * 64, FRAMES, ROUTE)


def test_a_client_takes_no_answer_before_the_kernel_has_proved_itself(kernel: Kernel) -> None:
    visitor = knocking()
    with pytest.raises(UnknownSession):
        visitor.open(SHELL, b"", FRAMES, ())
    talk(kernel, visitor)
    visitor.open(SHELL, b"", FRAMES, ())
    visitor.renew(1)
    visitor.open(SHELL, b"", FRAMES, ())  # an answer to a request from before


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a[:-1] + bytes([a[-1] ^ 1]),
        lambda a: a[:-1],
        lambda a: a + b"\0",
        lambda a: a.removeprefix(b"{sha256}"),
        lambda a: b"{md5}" + a,
        lambda _: b"",
        lambda _: WELCOME,
        lambda _: bytes(16),
    ],
)
def test_one_wrong_answer_ends_the_handshake(kernel: Kernel, change: object) -> None:
    challenge = kernel.hear(KNOCK)
    assert challenge is not None
    with pytest.raises(ChallengeError) as caught:
        kernel.hear(change(answer(challenge)))  # type: ignore[operator]
    assert caught.value.reply == FAILURE
    with pytest.raises(ChallengeError, match="nobody has asked"):
        kernel.hear(answer(challenge))
    assert not kernel.trusts()


def test_another_key(kernel: Kernel) -> None:
    visitor = knocking(OTHER)
    challenge = kernel.hear(KNOCK)
    assert challenge is not None
    response = tell(visitor, SHELL, challenge)
    assert response is not None
    with pytest.raises(ChallengeError) as caught:
        kernel.hear(response)
    with pytest.raises(ChallengeError, match="another key"):
        visitor.greet(SHELL, caught.value.reply, ())
    assert not is_over(visitor, SHELL)


def test_the_key_itself_and_jupyter_s_are_other_keys(kernel: Kernel) -> None:
    challenge = kernel.hear(KNOCK)
    assert challenge is not None
    with pytest.raises(ChallengeError):
        kernel.hear(answer(challenge, KEY))


def test_a_kernel_with_another_key_is_not_trusted() -> None:
    impostor, visitor = Kernel(OTHER), knocking()
    challenge = impostor.hear(KNOCK)
    assert challenge is not None
    tell(visitor, SHELL, challenge)
    own = tell(visitor, SHELL, WELCOME)  # it doesn't care what the answer was
    assert own is not None
    with pytest.raises(ChallengeError) as caught:
        tell(visitor, SHELL, answer(own, OTHER))
    assert caught.value.reply == FAILURE
    assert not is_over(visitor, SHELL)
    with pytest.raises(ChallengeError):
        tell(visitor, SHELL, answer(own))
    with pytest.raises(UnknownSession):
        visitor.open(SHELL, b"", FRAMES, ())


def test_a_replayed_answer_is_wrong(kernel: Kernel) -> None:
    recorded = talk(kernel, knocking())[::2]
    assert kernel.hear(recorded[0], b"a stranger") != recorded[1]
    with pytest.raises(ChallengeError):
        kernel.hear(recorded[1], b"a stranger")
    assert kernel.hear(recorded[0]) is not None
    with pytest.raises(ChallengeError):
        kernel.hear(recorded[1])
    assert not kernel.trusts(b"a stranger")


@pytest.mark.parametrize(
    "frame",
    [WELCOME, FAILURE, CHALLENGE + b"{sha256}" + bytes(40), b"{sha256}" + bytes(32), b""],
)
def test_without_a_knock_nothing_is_said(kernel: Kernel, frame: bytes) -> None:
    with pytest.raises(ChallengeError) as caught:
        kernel.hear(frame)
    assert caught.value.reply == b""
    with pytest.raises(ChallengeError):
        client().greet(SHELL, frame, ())


def test_the_kernel_s_challenge_reflected_to_it_is_no_answer(kernel: Kernel) -> None:
    challenge = kernel.hear(KNOCK)
    assert challenge is not None
    with pytest.raises(ChallengeError):
        kernel.hear(challenge)


def test_the_kernel_answers_nobody_who_has_not_answered_it(kernel: Kernel) -> None:
    """So its challenge to one identity can't be reflected to it by another."""
    challenge = kernel.hear(KNOCK, b"one")
    assert challenge is not None
    kernel.hear(KNOCK, b"two")
    with pytest.raises(ChallengeError) as caught:
        kernel.hear(challenge, b"two")
    assert caught.value.reply == FAILURE


@pytest.mark.parametrize("verdict", [FAILURE, b"#WELCOME", b"#welcome#", b"", WELCOME + b"\0"])
def test_a_verdict_other_than_welcome(kernel: Kernel, verdict: bytes) -> None:
    challenge = kernel.hear(KNOCK)
    assert challenge is not None
    kernel.hear(answer(challenge))
    kernel.hear(CHALLENGE + b"{sha256}" + bytes(40))
    with pytest.raises(ChallengeError):
        kernel.hear(verdict)
    with pytest.raises(ChallengeError):
        kernel.hear(WELCOME)
    assert not kernel.trusts()
    visitor = knocking()
    tell(visitor, SHELL, challenge)
    with pytest.raises(ChallengeError):
        tell(visitor, SHELL, verdict)
    with pytest.raises(ChallengeError):
        tell(visitor, SHELL, WELCOME)


def test_a_welcome_instead_of_a_challenge(kernel: Kernel) -> None:
    """Who skips the second half of the handshake is not let in."""
    challenge = kernel.hear(KNOCK)
    assert challenge is not None
    kernel.hear(answer(challenge))
    with pytest.raises(ChallengeError):
        kernel.hear(WELCOME)
    assert not kernel.trusts()


@pytest.mark.parametrize(
    "challenge",
    [b"{sha256}" + bytes(40), CHALLENGE + bytes(20), CHALLENGE + b"{sha256}" + bytes(19)],
)
def test_challenges_of_another_dialect_are_not_answered(kernel: Kernel, challenge: bytes) -> None:
    with pytest.raises(ChallengeError):
        knocking().greet(SHELL, challenge, ())
    asked = kernel.hear(KNOCK)
    assert asked is not None
    kernel.hear(answer(asked))
    with pytest.raises(ChallengeError):
        kernel.hear(challenge)


def test_too_long(kernel: Kernel) -> None:
    long = CHALLENGE + b"{sha256}" + bytes(MAX_MESSAGE)
    for end in (kernel.scheme, knocking()):
        with pytest.raises(FramingError):
            end.greet(SHELL, long, ROUTE, 0.0)


def test_the_other_channels(kernel: Kernel) -> None:
    for channel in (Channel.IOPUB, Channel.HEARTBEAT):
        for end in (kernel.scheme, knocking()):
            with pytest.raises(FramingError):
                end.greet(channel, KNOCK, ROUTE, 0.0)
        with pytest.raises(FramingError):
            kernel.scheme.open(channel, b"", FRAMES, ROUTE)


@pytest.mark.parametrize("route", [(), (b"one", b"two"), (bytes(256),), (b"", bytes(10**6))])
def test_routes_that_no_connection_has(kernel: Kernel, route: tuple[bytes, ...]) -> None:
    with pytest.raises(FramingError):
        kernel.scheme.greet(SHELL, KNOCK, route, 0.0)
    with pytest.raises(FramingError):
        kernel.scheme.open(SHELL, b"", FRAMES, route)


@given(st.lists(st.sampled_from([KNOCK, WELCOME, FAILURE, b"?"]) | st.binary(max_size=300)))
def test_any_bytes_are_refused_or_answered_and_never_trusted(frames: list[bytes]) -> None:
    kernel = Kernel()
    visitor = knocking()
    for frame in frames:
        for end in (kernel.scheme, visitor):
            try:
                end.greet(SHELL, frame, ROUTE, 0.0)
            except RemoteProtocolError:
                continue
    assert not kernel.trusts()
    assert not is_over(visitor, SHELL)


# Knocking again


def test_knocks_that_queued_up_get_one_challenge(kernel: Kernel) -> None:
    visitor = knocking()
    challenges = [kernel.hear(KNOCK) for _ in range(5)]
    assert len(set(challenges)) == 1
    answers = [tell(visitor, SHELL, c) for c in challenges if c is not None]
    assert [a is None for a in answers] == [False, True, True, True, True]
    assert answers[0] is not None
    assert kernel.hear(answers[0]) == WELCOME


def test_a_knock_in_the_middle_starts_anew(kernel: Kernel) -> None:
    first = kernel.hear(KNOCK)
    assert first is not None
    kernel.hear(answer(first))
    second = kernel.hear(KNOCK)
    assert second is not None
    assert second != first
    with pytest.raises(ChallengeError):
        kernel.hear(CHALLENGE + b"{sha256}" + bytes(40))


def test_a_client_knocks_again_ever_more_seldom(kernel: Kernel) -> None:
    visitor = knocking()
    assert visitor.due(0) == []
    now, delays = 0.0, []
    while len(delays) < 20:
        delay = visitor.wait(now)
        assert delay is not None
        delays.append(delay)
        now += delay
        assert len(visitor.due(now)) == len(CHANNELS)
    assert delays[:4] == [FIRST_RETRY, 2 * FIRST_RETRY, 4 * FIRST_RETRY, 8 * FIRST_RETRY]
    assert delays[-1] == LAST_RETRY
    talk(kernel, visitor)
    assert is_over(visitor, SHELL)


def test_a_late_verdict_of_an_earlier_handshake_ends_nothing(kernel: Kernel) -> None:
    visitor = knocking()
    first = kernel.hear(KNOCK)
    assert first is not None
    response = tell(visitor, SHELL, first)
    assert response is not None
    late = kernel.hear(response)
    assert late == WELCOME
    visitor.due(FIRST_RETRY)
    with pytest.raises(ChallengeError):
        tell(visitor, SHELL, late)
    talk(kernel, visitor)
    assert is_over(visitor, SHELL)


def test_an_answer_that_was_lost_is_given_again(kernel: Kernel) -> None:
    visitor = knocking()
    challenge = kernel.hear(KNOCK)
    assert challenge is not None
    tell(visitor, SHELL, challenge)  # lost, with the connection
    visitor.renew(1)
    visitor.due(1)
    talk(kernel, visitor)
    assert is_over(visitor, SHELL)


def test_after_a_restart_of_the_kernel_the_handshake_is_due_again() -> None:
    visitor = knocking()
    talk(Kernel(), visitor)
    restarted = Kernel()
    assert not restarted.trusts()
    visitor.renew(5)
    assert not is_over(visitor, SHELL)
    assert visitor.wait(5) == 0
    assert Greeting(SHELL, KNOCK) in visitor.due(5)
    talk(restarted, visitor)
    assert restarted.trusts()


def test_nothing_is_due_before_the_client_starts() -> None:
    visitor = client()
    assert visitor.due(0) == []
    assert visitor.wait(0) is None


# Bounded state


def test_a_stranger_pushes_out_handshakes_in_progress_and_no_trusted_identity(
    kernel: Kernel,
) -> None:
    kernel.let_in(b"trusted")
    first = kernel.hear(KNOCK, b"honest")
    assert first is not None
    for n in range(MAX_HANDSHAKES - 1):
        kernel.hear(KNOCK, b"stranger %d" % n)
    assert kernel.hear(answer(first), b"honest") == WELCOME
    for n in range(MAX_HANDSHAKES):
        kernel.hear(KNOCK, b"another %d" % n)
    with pytest.raises(ChallengeError):
        kernel.hear(CHALLENGE + b"{sha256}" + bytes(40), b"honest")
    assert len(kernel.scheme._tables[SHELL]._handshakes) == MAX_HANDSHAKES
    assert kernel.trusts(b"trusted")


def test_a_stranger_under_a_trusted_identity_does_not_end_the_trust(kernel: Kernel) -> None:
    kernel.let_in()
    for frame in (KNOCK, b"wrong", KNOCK, WELCOME):
        try:
            kernel.hear(frame)
        except ChallengeError:
            continue
    assert kernel.trusts()


def test_the_longest_silent_of_too_many_trusted_identities_goes(kernel: Kernel) -> None:
    for n in range(MAX_TRUSTED):
        kernel.let_in(b"%d" % n)
    assert kernel.trusts(b"0")
    kernel.let_in(b"one more")
    assert [kernel.trusts(i) for i in (b"0", b"1", b"2", b"one more")] == [True, False, True, True]
    kernel.let_in(b"1")
    assert kernel.trusts(b"1")


def test_a_handshake_that_stands_still_expires(kernel: Kernel) -> None:
    for late, kept in ((LIFETIME, True), (LIFETIME + 1, False)):
        challenge = kernel.hear(KNOCK)
        assert challenge is not None
        kernel.now += late
        if kept:
            assert kernel.hear(answer(challenge)) == WELCOME
        else:
            with pytest.raises(ChallengeError):
                kernel.hear(answer(challenge))
        kernel.hear(KNOCK)


# Names and keys


def test_the_registry() -> None:
    assert challenge_once.NAME == "challenge-once"
    check("challenge-once", KEY)
    with pytest.raises(ConfigError, match="empty key"):
        check("challenge-once", SecretKey(b""))
    assert not find("challenge-once").traits.stock
    with pytest.raises(ConfigError, match="challenge-once"):
        create("challenge", KEY)


def test_the_key_is_derived() -> None:
    assert challenge_key(KEY).reveal() == SHARED.reveal()
    with pytest.raises(ConfigError):
        client(SecretKey(b""))
