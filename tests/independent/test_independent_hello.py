"""A HELLO that is wrong is counted and gets no CHALLENGE, under channel-hmac, section 3."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from independent_stage import authentic, refused
from independent_wire import DELIMITER, OWNER, client_psk, hello

if TYPE_CHECKING:
    from collections.abc import Callable

    from independent_stage import Stage

    Change = Callable[[list[bytes]], list[bytes]]

OBSERVE, ALL = 1, 255
pytestmark = pytest.mark.usefixtures("quiet")


CONNECTION_FIELDS = {"signature_scheme": "channel-hmac-sha256", "key": os.urandom(32).hex()}


HELLOS: dict[str, tuple[str, Change]] = {
    "a byte less": ("framing", lambda f: [f[0], f[1][:-1]]),
    "a byte more": ("framing", lambda f: [f[0], f[1] + b"\0"]),
    "a frame after it": ("framing", lambda f: [*f, b""]),
    "a length of id that is not its": ("framing", lambda f: [f[0], f[1][:61] + b"\1" + f[1][62:]]),
    "a session": ("framing", lambda f: authentic(f, session=b"\0" * 7 + b"\1")),
    "a counter": ("framing", lambda f: [f[0], f[1][:23] + b"\1" + f[1][24:]]),
    "no right": ("framing", lambda f: [f[0], f[1][:56] + bytes(4) + f[1][60:]]),
    "a right too many": ("framing", lambda f: [f[0], f[1][:56] + b"\0\0\1\1" + f[1][60:]]),
    "another nonce": ("bad signature", lambda f: [f[0], f[1][:24] + bytes(32) + f[1][56:]]),
    "another tag": ("bad signature", lambda f: [f[0], f[1][:-1] + bytes([f[1][-1] ^ 1])]),
    "no tag": ("bad signature", lambda f: [f[0], f[1][:-32] + bytes(32)]),
}


@pytest.mark.parametrize(("reason", "change"), HELLOS.values(), ids=HELLOS.keys())
def test_a_wrong_hello(stage: Stage, reason: str, change: Change) -> None:
    refused(stage, "control", change([DELIMITER, stage.client.make_hello()]), reason)


@pytest.mark.parametrize(
    "change",
    [
        lambda psk: hello(psk, os.urandom(32), ALL, "alice"),
        lambda psk: hello(psk, os.urandom(32), ALL, "bob"),
        lambda psk: hello(psk, os.urandom(32), OWNER, ""),
    ],
    ids=["more rights", "another id", "the owner"],
)
def test_an_invitation_cannot_be_widened(stage: Stage, change: Callable[[bytes], bytes]) -> None:
    psk = client_psk(stage.client.info["key"], "alice", OBSERVE)
    refused(stage, "control", [DELIMITER, change(psk)], "bad signature")


@pytest.mark.parametrize(
    ("client_id", "rights"),
    [
        ("alice", 0),
        ("alice", 256),
        ("alice", OWNER),
        ("", ALL),
        ("a b", 1),
        ("a" * 65, 1),
        ("ä", 1),
    ],
)
def test_ids_and_rights_that_nobody_has(stage: Stage, client_id: str, rights: int) -> None:
    psk = client_psk(stage.client.info["key"], client_id, rights)
    frames = [DELIMITER, hello(psk, os.urandom(32), rights, client_id)]
    refused(stage, "control", frames, "framing")
