"""Section 2: who a client may be, and what it may do."""

from __future__ import annotations

import pickle

import pytest

from minikernel.auth.channel_hmac_keys import (
    OWNER_RIGHTS,
    Direction,
    Master,
    Right,
    SessionKeys,
    invited,
    is_client,
    parse_rights,
    permits,
)
from minikernel.auth.keys import SecretKey
from minikernel.errors import ConfigError
from minikernel.wire.channels import CONTROL_REQUESTS, Channel

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


@pytest.mark.parametrize(
    ("client_id", "rights", "good"),
    [
        ("", OWNER_RIGHTS, True),
        ("", 255, False),
        ("", 0, False),
        ("alice", OWNER_RIGHTS, False),
        ("alice", 255, True),
        ("alice", 1, True),
        ("alice", 0, False),
        ("alice", 256, False),
        ("alice", 257, False),
        ("a", 1, True),
        ("a" * 64, 1, True),
        ("a" * 65, 1, False),
        ("A.z_0@9-", 1, True),
        ("alice\n", 1, False),
        ("a lice", 1, False),
        ("a/b", 1, False),
        ("é", 1, False),
    ],
)
def test_ids_and_rights(client_id: str, rights: int, good: bool) -> None:
    assert is_client(client_id, rights) is good


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


RIGHTS = {
    "execute_request": 2,
    "complete_request": 4,
    "inspect_request": 4,
    "is_complete_request": 4,
    "history_request": 4,
    "comm_info_request": 4,
    "input_reply": 8 | 2,
    "interrupt_request": 16,
    "shutdown_request": 32,
    "comm_open": 64,
    "comm_msg": 64,
    "comm_close": 64,
    "debug_request": 128,
    "create_subshell_request": 128,
    "delete_subshell_request": 128,
    "list_subshell_request": 128,
    "bind_request": 0,
    "kernel_info_request": 0,
    "auth_status_request": 0,
    "a_request_of_the_future": 2,
}


@pytest.mark.parametrize("msg_type", RIGHTS)
def test_each_type_needs_its_right_and_no_other(msg_type: str) -> None:
    for rights in range(256):
        assert permits(rights, msg_type) is (rights & RIGHTS[msg_type] == RIGHTS[msg_type])
    assert permits(OWNER_RIGHTS, msg_type)


def test_who_only_observes_may_do_nothing_on_control() -> None:
    allowed = {t for t in CONTROL_REQUESTS if permits(Right.OBSERVE, t)}
    assert allowed == {"auth_status_request", "kernel_info_request"}


def test_rights_have_names() -> None:
    assert parse_rights("observe,execute") == 3
    assert parse_rights("observe, execute,introspect,input,interrupt,shutdown,comms,debug") == 255
    for text in ("", "observe,", "root", "observe;execute"):
        with pytest.raises(ConfigError, match="there are: observe, execute"):
            parse_rights(text)


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


def test_named_rights_and_no_others() -> None:
    assert parse_rights("execute") == 2
    assert parse_rights(" Observe,INPUT") == 9


@pytest.mark.parametrize("rights", [0, 256, -1])
def test_rights_that_no_invitation_has(rights: int) -> None:
    with pytest.raises(ConfigError):
        Master(KEY).invite("alice", rights)
    with pytest.raises(ConfigError):
        invited("alice", rights, PSK)
