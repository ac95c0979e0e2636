"""What the schemes that know only a key have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import create
from minikernel.errors import BadSignature, FramingError
from minikernel.wire.channels import Channel
from minikernel.wire.peer import Address

if TYPE_CHECKING:
    from minikernel.auth.scheme import Scheme

FRAMES = [b"header", b"parent", b"metadata", b"content"]


@pytest.fixture(params=["null", "clear-key", "hmac-sha256"])
def scheme(request: pytest.FixtureRequest) -> Scheme:
    return create(request.param, SecretKey(b"" if request.param == "null" else b"k" * 32))


def test_the_answer_goes_the_way_by_which_the_request_came(scheme: Scheme) -> None:
    sealed = scheme.seal(Channel.SHELL, FRAMES, Address((b"a", b"b")))
    assert sealed is not None
    assert sealed.route == (b"a", b"b")
    peer = scheme.open(Channel.SHELL, sealed.signature, FRAMES, (b"c",))
    assert (peer.route, peer.session) == ((b"c",), None)
    scheme.claim(peer, "execute_request", "anybody's")
    assert scheme.may(peer, "execute_request")


@pytest.mark.parametrize("name", ["clear-key", "hmac-sha256"])
def test_another_signature(name: str) -> None:
    scheme = create(name, SecretKey(b"k" * 32))
    with pytest.raises(BadSignature):
        scheme.open(Channel.SHELL, b"0" * 64, FRAMES, ())


def test_there_is_no_handshake(scheme: Scheme) -> None:
    with pytest.raises(FramingError):
        scheme.greet(Channel.CONTROL, b"", (), 0.0)
    assert (scheme.own_types, dict(scheme.gaps)) == (frozenset(), {})


def test_null_sends_an_empty_signature() -> None:
    assert create("null", SecretKey(b"")).seal(Channel.SHELL, FRAMES, Address(())) == ((), b"")
