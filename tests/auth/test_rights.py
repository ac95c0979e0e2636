"""Section 2: what an invitation allows."""

from __future__ import annotations

import pytest

from minikernel.auth.rights import OWNER_RIGHTS, Right, is_client, parse_rights, permits
from minikernel.errors import ConfigError
from minikernel.wire.channels import CONTROL_REQUESTS

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


def test_named_rights_and_no_others() -> None:
    assert parse_rights("execute") == 2
    assert parse_rights(" Observe,INPUT") == 9
