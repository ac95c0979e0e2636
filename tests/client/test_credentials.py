from __future__ import annotations

from typing import Any

import pytest

from minikernel.auth.channel_hmac_keys import Master
from minikernel.auth.channel_hmac_membership import ClientChannelHmac
from minikernel.auth.keys import SecretKey
from minikernel.client.credentials import Invitation, credential_in, joining
from minikernel.errors import ConfigError

NAME = "channel-hmac-sha256"
KEY = SecretKey(b"a key of 32 bytes, or some more")
NONE = SecretKey(b"")
FIELDS = {"client_id": "alice", "rights": 3, "client_key": "ab" * 32, "ip": "127.0.0.1"}


@pytest.mark.parametrize("scheme", [NAME, "hmac-sha256", "clear-key"])
def test_who_holds_the_key_is_not_invited(scheme: str) -> None:
    for fields in ({}, {"client_key": None}):
        assert credential_in(fields, scheme, KEY) is None


@pytest.mark.parametrize("scheme", [NAME, "hmac-sha256", "clear-key"])
def test_a_key_that_the_scheme_refuses(scheme: str) -> None:
    with pytest.raises(ConfigError):
        credential_in({}, scheme, NONE)


def test_an_invitation() -> None:
    credential = credential_in(FIELDS, NAME, NONE)
    assert credential is not None
    assert (credential.client_id, credential.rights) == ("alice", 3)
    assert credential.psk.reveal() == bytes.fromhex("ab" * 32)


def test_an_invitation_to_a_scheme_that_knows_none() -> None:
    with pytest.raises(ConfigError, match="hmac-sha256 knows none"):
        credential_in(FIELDS, "hmac-sha256", KEY)


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
        credential_in({**FIELDS, **change}, NAME, NONE)
    assert "abab" not in str(caught.value)


def test_an_invitation_does_not_show_its_key() -> None:
    shown = repr(Invitation("alice", 3, "ab" * 32))
    assert shown == "Invitation('alice', 3)"


def test_only_a_scheme_that_shakes_hands_is_joined() -> None:
    assert joining("hmac-sha256", KEY, None) is None
    owner = joining(NAME, KEY, None)
    assert isinstance(owner, ClientChannelHmac)
    assert owner.observes
    guest = joining(NAME, NONE, Master(KEY).invite("alice", 2))
    assert guest is not None
    assert not guest.observes
    with pytest.raises(ConfigError):
        joining(NAME, NONE, None)
