from __future__ import annotations

from typing import Any

import pytest

from minikernel.auth.channel_hmac.client_side import ClientChannelHmac
from minikernel.auth.channel_hmac.keys import Master
from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import check, find
from minikernel.auth.spec import Setup
from minikernel.client.credentials import Fields, invitation_in
from minikernel.errors import ConfigError

NAME = "channel-hmac-sha256"
KEY = SecretKey(b"a key of 32 bytes, or some more")
NONE = SecretKey(b"")


def side(fields: dict[str, Any], scheme: str, key: SecretKey) -> Any:
    """What a client makes of the fields of a connection file."""
    invitation = invitation_in(fields, scheme)
    return find(scheme).client(Setup(scheme, key, bytes, invitation=invitation))


FIELDS = {"client_id": "alice", "rights": 3, "client_key": "ab" * 32, "ip": "127.0.0.1"}


@pytest.mark.parametrize("scheme", [NAME, "hmac-sha256", "clear-key"])
def test_who_holds_the_key_is_not_invited(scheme: str) -> None:
    for fields in ({}, {"client_key": None}):
        assert invitation_in(fields, scheme) is None


@pytest.mark.parametrize("scheme", [NAME, "hmac-sha256", "clear-key"])
def test_a_key_that_the_scheme_refuses(scheme: str) -> None:
    with pytest.raises(ConfigError):
        side({}, scheme, NONE)
    with pytest.raises(ConfigError):
        check(scheme, NONE)


def test_an_invitation() -> None:
    credential = side(FIELDS, NAME, NONE)._end._credential
    assert credential is not None
    assert (credential.client_id, credential.rights) == ("alice", 3)
    assert credential.psk.reveal() == bytes.fromhex("ab" * 32)


def test_an_invitation_to_a_scheme_that_knows_none() -> None:
    with pytest.raises(ConfigError, match="hmac-sha256 knows none"):
        side(FIELDS, "hmac-sha256", KEY)


@pytest.mark.parametrize(
    "change",
    [
        {"client_key": "ab" * 31},
        {"client_key": 5},
        {"client_id": ""},
        {"client_id": None},
        {"rights": 0},
        {"rights": 256},
        {"rights": "3"},
    ],
)
def test_what_is_no_invitation(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        side({**FIELDS, **change}, NAME, NONE)
    assert "abab" not in str(caught.value)


def test_an_invitation_does_not_show_its_key() -> None:
    shown = repr(Fields("alice", 3, "ab" * 32))
    assert shown == "Fields('alice', 3)"
    assert "abab" not in repr(invitation_in(FIELDS, NAME))


def test_only_a_scheme_that_shakes_hands_is_joined() -> None:
    assert not find("hmac-sha256").traits.handshake
    assert find(NAME).traits.handshake
    owner = side({}, NAME, KEY)
    assert isinstance(owner, ClientChannelHmac)
    assert owner.observes
    key = Master(KEY).invite("alice", 2).psk.reveal().hex()
    guest = side({"client_id": "alice", "rights": 2, "client_key": key}, NAME, NONE)
    assert isinstance(guest, ClientChannelHmac)
    assert not guest.observes
    with pytest.raises(ConfigError):
        side({}, NAME, NONE)
