"""The tree of exceptions, and what is said of our own bugs."""

from __future__ import annotations

import pickle
import re

import pytest

from minikernel import errors
from minikernel.auth.keys import SecretKey
from minikernel.errors import (
    BadSignature,
    InternalError,
    MinikernelError,
    NoMemory,
    RemoteProtocolError,
    internal,
    refusal,
)

DRAWN = re.compile(r"^ {4}((?:[| ] {3}|[+]-- )*)([A-Z]\w+)", re.MULTILINE)


def below(kind: type) -> list[type]:
    return [kind, *(found for each in kind.__subclasses__() for found in below(each))]


OURS = [kind for kind in below(MinikernelError) if kind.__module__ == errors.__name__]


def test_the_drawing_is_the_tree() -> None:
    drawn = [(len(deep) // 4, name) for deep, name in DRAWN.findall(errors.__doc__ or "")]
    assert {name for _, name in drawn} == {kind.__name__ for kind in OURS}
    above: dict[int, str] = {}
    for depth, name in drawn:
        above[depth] = name
        if depth:
            assert issubclass(getattr(errors, name), getattr(errors, above[depth - 1]))


@pytest.mark.parametrize("kind", below(RemoteProtocolError))
def test_what_a_peer_does_wrong_is_counted_by_words(kind: type[RemoteProtocolError]) -> None:
    assert re.fullmatch(r"[a-z]+( [a-z]+)*", kind.reason)


def test_a_refusal_stays_what_it_is() -> None:
    problem = BadSignature("wrong")
    assert refusal(problem) is problem


def test_a_bug_of_ours_is_told_without_bytes_of_a_peer() -> None:
    error = refusal(ValueError("\x1b[2J of a stranger's"))
    assert type(error) is InternalError
    assert str(error) == "ValueError"


def test_a_bug_of_ours_is_told_with_its_place_in_the_package() -> None:
    with pytest.raises(TypeError) as caught:
        pickle.dumps(SecretKey(b"a key"))
    assert re.fullmatch(r"TypeError at auth/keys\.py:\d+", str(InternalError(caught.value)))


def test_an_answer_to_a_bug_of_ours_goes_to_whom_it_concerns() -> None:
    error = internal(MemoryError(), "peer", "execute_request", b"{}")
    assert type(error) is NoMemory
    assert (error.peer, error.msg_type, error.header) == ("peer", "execute_request", b"{}")
