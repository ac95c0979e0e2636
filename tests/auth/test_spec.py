from __future__ import annotations

import dataclasses
import sys

import pytest

from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import SCHEMES, find
from minikernel.auth.spec import Invitation, Setup, Traits, lazily


def test_who_makes_a_scheme_must_say_how_replays_end() -> None:
    with pytest.raises(TypeError, match="replay_memory"):
        Traits()  # type: ignore[call-arg] # that is what is tested
    with pytest.raises(dataclasses.FrozenInstanceError):
        Traits(replay_memory=True).stock = True  # type: ignore[misc] # likewise


def test_what_jupyter_s_own_session_can_sign() -> None:
    stock = Traits(replay_memory=True, stock=True)
    assert stock.signs_as_jupyter
    assert not Traits(replay_memory=True).signs_as_jupyter
    assert not dataclasses.replace(stock, keyless=True).signs_as_jupyter


def test_a_side_is_imported_when_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    call = lazily("colorsys:rgb_to_yiq")
    assert "colorsys" not in sys.modules
    assert call(0, 0, 0) == (0, 0, 0)


def test_keys_do_not_show() -> None:
    secret = SecretKey(b"secret")
    setup = Setup("name", secret, bytes, invitation=Invitation("alice", 1, secret))
    assert "secret" not in repr(setup)


@pytest.mark.parametrize("name", SCHEMES)
def test_traits_go_together(name: str) -> None:
    traits = find(name).traits
    assert traits.covers in {"all", "json", "none"}
    assert traits.sessions or not traits.heartbeat
    assert traits.handshake or not traits.sessions
    assert not (traits.sessions and traits.replay_memory)
    assert not (traits.sessions and traits.stock)
