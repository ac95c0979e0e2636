"""Section 2: who a client may be, and what it may do."""

from __future__ import annotations

import pickle

import pytest

from minikernel.auth.channel_hmac.keys import Direction, Master, SessionKeys, invited
from minikernel.auth.keys import SecretKey
from minikernel.auth.rights import OWNER_RIGHTS
from minikernel.errors import ConfigError
from minikernel.wire.channels import Channel

KEY = SecretKey(b"0123456789abcdef")
PSK = "00" * 32


def test_a_key_has_at_least_16_bytes() -> None:
    Master(KEY)
    with pytest.raises(ConfigError, match="16 bytes"):
        Master(SecretKey(b"0123456789abcde"))


def test_an_invitation_is_what_the_kernel_derives() -> None:
    invitation = Master(KEY).invite("alice", 3)
    assert invited("alice", 3, invitation.psk.reveal().hex()).psk.reveal() == (
        Master(KEY).credential("alice", 3).psk.reveal()
    )


def test_each_client_has_a_key_of_its_own() -> None:
    master = Master(KEY)
    clients = [("", OWNER_RIGHTS), ("a", 1), ("a", 2), ("b", 1), ("ab", 1), ("a.", 1)]
    assert len({master.credential(*c).psk.reveal() for c in clients}) == len(clients)
    assert Master(SecretKey(b"0123456789abcdeF")).owner().psk.reveal() != (
        master.owner().psk.reveal()
    )


@pytest.mark.parametrize(("client_id", "rights"), [("", OWNER_RIGHTS), ("a b", 1), ("a", 256)])
def test_what_no_invitation_has(client_id: str, rights: int) -> None:
    with pytest.raises(ConfigError):
        invited(client_id, rights, PSK)
    with pytest.raises(ConfigError):
        Master(KEY).invite(client_id, rights)


@pytest.mark.parametrize("key", ["", "0" * 63, "0" * 65, "g" * 64, " " + "0" * 63, "0" * 64 + "\n"])
def test_a_client_key_is_64_hex_digits(key: str) -> None:
    with pytest.raises(ConfigError):
        invited("alice", 1, key)


def test_every_channel_and_direction_of_every_session_has_a_key_of_its_own() -> None:
    psk = Master(KEY).owner().psk
    sessions = [SessionKeys(psk, b"h", b"c"), SessionKeys(psk, b"h", b"d")]
    keys = {s.key(c, d).reveal() for s in sessions for c in Channel for d in Direction}
    assert len(keys) == 2 * len(Channel) * 2


def test_secrets_are_not_shown_and_not_pickled() -> None:
    credential = Master(KEY).owner()
    assert credential.psk.reveal().hex() not in repr(credential)
    assert str(credential.psk.reveal()) not in repr(credential)
    with pytest.raises(TypeError):
        pickle.dumps(credential)


def test_an_invitation_is_what_its_file_says() -> None:
    credential = invited("alice", 3, "aB" * 32)
    assert (credential.client_id, credential.rights) == ("alice", 3)
    assert credential.psk.reveal() == bytes([0xAB]) * 32


@pytest.mark.parametrize("rights", [0, 256, -1])
def test_rights_that_no_invitation_has(rights: int) -> None:
    with pytest.raises(ConfigError):
        Master(KEY).invite("alice", rights)
    with pytest.raises(ConfigError):
        invited("alice", rights, PSK)
