from __future__ import annotations

import hashlib
import hmac

import pytest

from minikernel.auth.jupyter_hmac import HASHES, JupyterHmac
from minikernel.auth.keys import SecretKey, kernel_session_id
from minikernel.auth.registry import create
from minikernel.auth.replay_memory import ReplayMemory
from minikernel.errors import BadSignature, ConfigError, Replayed
from minikernel.wire.channels import Channel

KEY = SecretKey(b"secret")
FRAMES = [b"header", b"parent", b"metadata", b"content", b"buffer"]


def test_the_signature_is_the_specification_s() -> None:
    expected = hmac.new(b"secret", b"headerparentmetadatacontent", hashlib.sha256).hexdigest()
    assert JupyterHmac(KEY).sign(FRAMES) == expected.encode()


@pytest.mark.parametrize("name", sorted(HASHES))
def test_every_hash_of_fixed_size(name: str) -> None:
    scheme = create(f"hmac-{name}", KEY)
    expected = hmac.new(b"secret", b"".join(FRAMES[:4]), name).hexdigest().encode()
    assert scheme.sign(FRAMES) == expected
    assert scheme.open(Channel.SHELL, expected, FRAMES, (b"id",)).route == (b"id",)


@pytest.mark.parametrize(
    "change", [bytes.upper, bytes.title, lambda s: s[:-1], lambda s: s + b"0", lambda _: b""]
)
def test_only_the_exact_signature_opens(change: object) -> None:
    scheme = JupyterHmac(KEY)
    signature = change(scheme.sign(FRAMES))  # type: ignore[operator]
    with pytest.raises(BadSignature):
        scheme.open(Channel.SHELL, signature, FRAMES, ())


@pytest.mark.parametrize("at", range(4))
def test_each_of_the_four_frames_is_covered(at: int) -> None:
    scheme = JupyterHmac(KEY)
    signature = scheme.sign(FRAMES)
    changed = [*FRAMES[:at], FRAMES[at] + b"!", *FRAMES[at + 1 :]]
    with pytest.raises(BadSignature):
        scheme.open(Channel.SHELL, signature, changed, ())


def test_with_a_memory_a_message_opens_once_on_any_channel() -> None:
    scheme = JupyterHmac(KEY, memory=ReplayMemory())
    signature = scheme.sign(FRAMES)
    scheme.open(Channel.SHELL, signature, FRAMES, ())
    for channel in (Channel.SHELL, Channel.CONTROL):
        with pytest.raises(Replayed):
            scheme.open(channel, signature, FRAMES, (b"another identity",))


def test_a_forgery_does_not_burn_the_signature_that_it_copies() -> None:
    scheme = JupyterHmac(KEY, memory=ReplayMemory())
    signature = scheme.sign(FRAMES)
    with pytest.raises(BadSignature):
        scheme.open(Channel.SHELL, signature, [b"junk", *FRAMES[1:]], ())
    scheme.open(Channel.SHELL, signature, FRAMES, ())


@pytest.mark.parametrize(
    ("name", "key", "complaint"),
    [
        ("hmac-sha256", b"", "empty key"),
        ("hmac-shake_128", b"k", "hmac-shake_128"),
        ("hmac-", b"k", "hmac-"),
        ("hmac-nothing", b"k", "hmac-nothing"),
        ("sha256", b"k", "unknown signature_scheme 'sha256'"),
        ("channel-hmac-sha512", b"k", "unknown"),
        ("null", b"k", "empty key"),
    ],
)
def test_what_is_refused(name: str, key: bytes, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        create(name, SecretKey(key))


def test_the_kernel_s_session_belongs_to_the_key() -> None:
    assert kernel_session_id(KEY) == kernel_session_id(SecretKey(b"secret"))
    assert kernel_session_id(KEY) != kernel_session_id(SecretKey(b"other"))
    assert len(kernel_session_id(KEY)) == 32


def test_the_session_id_of_all_runs_is_derived_from_the_key() -> None:
    expected = hmac.new(b"minikernel session id", b"secret", hashlib.sha256).digest()[:16].hex()
    assert kernel_session_id(KEY) == expected
