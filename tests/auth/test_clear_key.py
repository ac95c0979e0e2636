from __future__ import annotations

import hashlib
import hmac

import pytest

from minikernel.auth.clear_key import ClearKey
from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import create, find
from minikernel.errors import BadSignature, ConfigError
from minikernel.wire.channels import Channel

KEY = SecretKey(b"secret")
FRAMES = [b"header", b"parent", b"metadata", b"content", b"buffer"]


def test_the_derived_key_is_sent_and_not_the_key() -> None:
    derived = hmac.new(b"minikernel clear-key 1", b"secret", hashlib.sha256).hexdigest()
    assert ClearKey(KEY).sign(FRAMES) == derived.encode()


def test_it_is_the_same_for_every_message_channel_and_peer() -> None:
    scheme = ClearKey(KEY)
    sent = {scheme.sign([bytes([n])]) for n in range(5)}
    assert sent == {scheme.sign(FRAMES)}


def test_who_has_heard_one_message_can_send_any_other() -> None:
    heard = ClearKey(KEY).sign(FRAMES)
    peer = ClearKey(KEY).open(Channel.SHELL, heard, [b"anything"], (b"an identity",))
    assert peer == ((b"an identity",), None)


@pytest.mark.parametrize(
    "change",
    [bytes.upper, lambda s: s[:-1], lambda s: s + b"0", lambda _: b"", lambda _: b"\xff" * 64],
)
def test_only_the_exact_key_opens(change: object) -> None:
    scheme = ClearKey(KEY)
    with pytest.raises(BadSignature):
        scheme.open(Channel.SHELL, change(scheme.sign(FRAMES)), FRAMES, ())  # type: ignore[operator]


def test_another_key_and_another_scheme_do_not_open() -> None:
    others = ClearKey(SecretKey(b"other")), create("hmac-sha256", KEY)
    for other in others:
        with pytest.raises(BadSignature):
            ClearKey(KEY).open(Channel.SHELL, other.sign(FRAMES), FRAMES, ())
        with pytest.raises(BadSignature):
            other.open(Channel.SHELL, ClearKey(KEY).sign(FRAMES), FRAMES, ())


def test_keys_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    compare = hmac.compare_digest
    monkeypatch.setattr(
        hmac, "compare_digest", lambda *pair: compared.append(pair) or compare(*pair)
    )
    sent = ClearKey(KEY).sign(FRAMES)
    ClearKey(KEY).open(Channel.SHELL, sent, FRAMES, ())
    assert compared == [(sent, sent)]


def test_the_registry_has_it() -> None:
    assert isinstance(create("clear-key", KEY), ClearKey)
    assert create("clear-key", KEY).name == "clear-key"
    with pytest.raises(ConfigError, match="empty key"):
        create("clear-key", SecretKey(b""))
    with pytest.raises(ConfigError, match="clear-key"):
        create("clear", KEY)


def test_what_a_stock_client_can_speak() -> None:
    assert [
        n for n in ("null", "hmac-sha256", "hmac-md5", "clear-key") if not find(n).traits.stock
    ] == ["clear-key"]
