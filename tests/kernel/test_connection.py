"""What a kernel checks beyond the signature follows from the traits of its scheme."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

import pytest

from minikernel.auth.keys import SecretKey, kernel_session_id
from minikernel.auth.registry import find
from minikernel.auth.spec import Setup, Traits
from minikernel.kernel.connection import make_connection
from minikernel.kernel.options import Options
from minikernel.protocol.end import BARE, Guards
from minikernel.protocol.kernel import CHANNELS
from minikernel.wire.channels import Channel, Role
from minikernel.wire.frames import AT_THE_KERNEL, WITH_SESSIONS

if TYPE_CHECKING:
    from minikernel.protocol.end import ChannelEnd

KEY = SecretKey(b"k" * 32)
KEYED = Traits(replay_memory=True)
SESSIONS = Traits(replay_memory=False, digests=frozenset(), handshake=True, sessions=True)


def ends(traits: Traits, options: Options | None = None) -> dict[Channel, ChannelEnd]:
    scheme = find("clear-key").kernel(Setup("clear-key", KEY, os.urandom))
    return make_connection(scheme, traits, KEY, options or Options()).ends


def guards(traits: Traits, options: Options | None = None) -> Guards:
    found = {end._guards for end in ends(traits, options).values()}
    assert len(found) == 1
    return found.pop()


def test_an_end_for_each_channel_that_has_messages() -> None:
    made = ends(KEYED)
    assert set(made) == set(CHANNELS) == set(Channel) - {Channel.HEARTBEAT}
    assert {end.role for end in made.values()} == {Role.KERNEL}


def test_where_replays_are_remembered_our_own_messages_are_known_in_each_run() -> None:
    first, second = guards(KEYED), guards(KEYED)
    assert first.own_session == second.own_session == kernel_session_id(KEY)
    assert first.run != second.run


def test_elsewhere_our_name_is_new_in_each_run() -> None:
    traits = Traits(replay_memory=False)
    names = {guards(traits).own_session, guards(traits).own_session, kernel_session_id(KEY)}
    assert len(names) == 3


def test_a_scheme_with_sessions_sees_to_most_itself() -> None:
    found = guards(SESSIONS, Options(max_age=5.0))
    assert found == Guards(buffers=False, max_age=5.0)
    assert {end._limits for end in ends(SESSIONS).values()} == {WITH_SESSIONS}
    assert {end._limits for end in ends(KEYED).values()} == {AT_THE_KERNEL}


def test_without_guards_only_the_start_is_known() -> None:
    found = guards(KEYED, Options(guards=False, max_age=5.0))
    assert found.started is not None
    assert dataclasses.replace(found, started=None) == BARE


@pytest.mark.parametrize("digests", [frozenset(), frozenset({Role.CLIENT}), frozenset(Role)])
def test_digests_of_buffers(digests: frozenset[Role]) -> None:
    traits = dataclasses.replace(KEYED, digests=digests)
    assert guards(traits).buffers is (Role.KERNEL in digests)
