"""The client's part of a handshake on one channel: every row of its table, and no other."""

from __future__ import annotations

import pytest

from minikernel.auth.challenge import FAILURE, SHA256, WELCOME, Challenger, Responder
from minikernel.auth.challenge_once.client import ClientHandshake, Event, State
from minikernel.auth.challenge_once.kernel import KNOCK, KernelHandshake
from minikernel.auth.keys import SecretKey
from minikernel.errors import ChallengeError

KEY = SecretKey(b"k" * 32)
NONCE = b"n" * SHA256.nonce_length


def entropy(size: int) -> bytes:
    return bytes(range(size))


class Played:
    """A client's handshake, and what a kernel says that plays along up to a state."""

    def __init__(self, state: State) -> None:
        self.client = ClientHandshake(KEY, entropy)
        self.kernel = Challenger(KEY, nonce=NONCE)
        self.client.begin(0.0)
        if state is State.NOTHING:
            return
        assert self.client.says(0.0) == KNOCK
        for current in (State.CHALLENGE, State.VERDICT, State.ANSWER):
            if current is state:
                return
            self.client.take(self.right(current))
            self.said = self.client.says(0.0)

    def right(self, state: State) -> bytes:
        """The frame that proves what is due in a state."""
        if state is State.CHALLENGE:
            return self.kernel.challenge
        if state is State.VERDICT:
            return WELCOME
        assert self.said is not None
        return Responder(KEY).answer(self.said)


@pytest.mark.parametrize("state", list(State))
def test_what_is_right_leads_on_and_what_is_not_due_is_refused(state: State) -> None:
    played = Played(state)
    row = ClientHandshake.STEPS.get((state, Event.PROVED))
    if row is None:
        with pytest.raises(ChallengeError, match="nobody has asked"):
            played.client.take(WELCOME)
        assert played.client._state is state
    else:
        played.client.take(played.right(state))
        assert played.client._state is row[0]
        assert played.client.says(0.0) is not None


@pytest.mark.parametrize("state", [s for s, e in ClientHandshake.STEPS if e is Event.FAILED])
def test_what_is_wrong_is_refused(state: State) -> None:
    played = Played(state)
    with pytest.raises(ChallengeError):
        played.client.take(b"wrong")
    assert played.client._state is ClientHandshake.STEPS[state, Event.FAILED][0]
    assert not played.client.is_over


def test_a_kernel_that_proves_nothing_is_told_so() -> None:
    played = Played(State.ANSWER)
    with pytest.raises(ChallengeError):
        played.client.take(b"wrong")
    assert played.client.says(0.0) == FAILURE
    assert not played.client.met


@pytest.mark.parametrize("state", list(State))
def test_a_knock_begins_anew(state: State) -> None:
    client = Played(state).client
    client.begin(0.0)
    while client.says(1000.0) != KNOCK:
        pass
    assert client._state is State.CHALLENGE


def test_the_two_tables_fit_together() -> None:
    client, kernel = ClientHandshake(KEY, entropy), KernelHandshake(KEY, NONCE)
    client.begin(0.0)
    assert client.says(0.0) == KNOCK
    heard: bytes | None = kernel.challenge
    while heard is not None:
        client.take(heard)
        said = client.says(0.0)
        assert said is not None
        heard = kernel.take(said)
    assert client.is_over
    assert client.met
