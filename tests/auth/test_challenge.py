"""The one-time challenge, against recordings of the real one."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minikernel.auth.challenge import (
    CHALLENGE,
    FAILURE,
    MAX_MESSAGE,
    MD5,
    PLAIN,
    SHA256,
    WELCOME,
    Challenger,
    Dialect,
    Responder,
)
from minikernel.auth.keys import SecretKey
from minikernel.errors import ChallengeError, ConfigError, LocalProtocolError, RemoteProtocolError

DIALECTS = (SHA256, MD5, PLAIN)
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "multiprocessing.json").read_text())
KEY = SecretKey(b"a key that both ends hold")
NONCE = bytes(range(64))


def name(transcript: dict[str, Any]) -> str:
    wrong = "" if transcript["client_key"] == VECTORS["key"] else "-wrong-key"
    return f"{transcript['listener']}-{transcript['client']}{wrong}"


@pytest.fixture(params=VECTORS["transcripts"], ids=name)
def transcript(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = request.param
    return found


def exchanges(transcript: dict[str, Any]) -> list[tuple[SecretKey, SecretKey, list[bytes]]]:
    """The challenger's key, the responder's, and challenge, answer, verdict."""
    said = [bytes.fromhex(message) for _, message in transcript["said"]]
    listener, client = (SecretKey(k.encode()) for k in (VECTORS["key"], transcript["client_key"]))
    both = [(listener, client, said[:3]), (client, listener, said[3:])]
    return [exchange for exchange in both if exchange[2]]


def challenger(dialect: Dialect, key: SecretKey = KEY, nonce: bytes = NONCE) -> Challenger:
    return Challenger(key, nonce=nonce[: dialect.nonce_length], dialect=dialect)


def spoken(challenge: bytes) -> Dialect:
    return SHA256 if challenge.startswith(CHALLENGE + SHA256.tag) else MD5


def test_the_recording_has_every_version_in_both_roles() -> None:
    versions = {"3.10", "3.11", "3.12", "3.13"}
    pairs = {(t["listener"], t["client"]) for t in VECTORS["transcripts"]}
    assert pairs == {(a, b) for a in versions for b in versions}


def test_our_challenge_is_the_recorded_one(transcript: dict[str, Any]) -> None:
    for key, _, (challenge, _, _) in exchanges(transcript):
        dialect = spoken(challenge)
        nonce = challenge.removeprefix(CHALLENGE + dialect.tag)
        assert Challenger(key, nonce=nonce, dialect=dialect).challenge == challenge


def test_our_answer_is_the_recorded_one(transcript: dict[str, Any]) -> None:
    for _, key, (challenge, answer, _) in exchanges(transcript):
        dialect = SHA256 if answer.startswith(SHA256.tag) else MD5
        assert Responder(key, dialect=dialect).answer(challenge) == answer


def test_our_verdict_on_the_recorded_answer(transcript: dict[str, Any]) -> None:
    for key, _, (challenge, answer, verdict) in exchanges(transcript):
        dialect = spoken(challenge)
        ours = challenger(dialect, key, challenge.removeprefix(CHALLENGE + dialect.tag))
        if verdict == WELCOME and answer.startswith(dialect.tag):
            assert ours.verify(answer) == verdict
        else:  # another key, or MD5 in answer to {sha256}, which the real one lets pass
            with pytest.raises(ChallengeError) as refusal:
                ours.verify(answer)
            assert refusal.value.reply == FAILURE


def test_we_take_the_recorded_verdict(transcript: dict[str, Any]) -> None:
    for _, key, (challenge, answer, verdict) in exchanges(transcript):
        dialect = SHA256 if answer.startswith(SHA256.tag) else MD5
        responder = Responder(key, dialect=dialect)
        responder.answer(challenge)
        if verdict == WELCOME:
            responder.conclude(verdict)
        else:
            with pytest.raises(ChallengeError, match="another key"):
                responder.conclude(verdict)


def test_md5_must_be_asked_for(transcript: dict[str, Any]) -> None:
    for _, key, (challenge, answer, _) in exchanges(transcript):
        if spoken(challenge) is MD5:
            with pytest.raises(ChallengeError, match=r"MD5, as Python 3\.11"):
                Responder(key).answer(challenge)
        elif not answer.startswith(SHA256.tag):
            ours = Challenger(key, nonce=challenge.removeprefix(CHALLENGE + SHA256.tag))
            with pytest.raises(ChallengeError, match=r"in MD5, as Python 3\.11"):
                ours.verify(answer)


def test_the_cookbook_s_challenge_is_32_bytes_and_their_hmac() -> None:
    ours = challenger(PLAIN)
    assert ours.challenge == NONCE[:32]
    digest = hmac.new(KEY.reveal(), NONCE[:32], hashlib.sha256).digest()
    assert Responder(KEY, dialect=PLAIN).answer(NONCE[:32]) == digest
    assert ours.verify(digest) == b""


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_mutual(dialect: Dialect) -> None:
    for ours, peer in (
        (challenger(dialect), Responder(KEY, dialect=dialect)),
        (challenger(dialect, nonce=NONCE[::-1]), Responder(KEY, dialect=dialect)),
    ):
        verdict = ours.verify(peer.answer(ours.challenge))
        if dialect.words:
            peer.conclude(verdict)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_no_other_answer_is_taken(dialect: Dialect) -> None:
    right = Responder(KEY, dialect=dialect).answer(challenger(dialect).challenge)
    assert len(right) == dialect.answer_length
    flipped = [
        right[:i] + bytes([right[i] ^ 1 << bit]) + right[i + 1 :]
        for i in range(len(right))
        for bit in range(8)
    ]
    others = [
        Responder(SecretKey(b"other"), dialect=dialect).answer(challenger(dialect).challenge),
        Responder(KEY, dialect=dialect).answer(challenger(dialect, nonce=NONCE[1:]).challenge),
    ]
    for wrong in (b"", right[:-1], right + b"\0", challenger(dialect).challenge, *flipped, *others):
        with pytest.raises(ChallengeError):
            challenger(dialect).verify(wrong)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_a_wrong_answer_leaves_no_second_guess(dialect: Dialect) -> None:
    ours = challenger(dialect)
    right = Responder(KEY, dialect=dialect).answer(ours.challenge)
    with pytest.raises(ChallengeError):
        ours.verify(b"a guess")
    with pytest.raises(LocalProtocolError):
        ours.verify(right)


def test_an_answer_is_taken_once() -> None:
    ours = challenger(SHA256)
    right = Responder(KEY).answer(ours.challenge)
    ours.verify(right)
    with pytest.raises(LocalProtocolError):
        ours.verify(right)


def test_answers_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    compare = hmac.compare_digest
    monkeypatch.setattr(
        hmac, "compare_digest", lambda *pair: compared.append(pair) or compare(*pair)
    )
    answer = Responder(KEY).answer(challenger(SHA256).challenge)
    challenger(SHA256).verify(answer)
    assert compared == [(answer, answer)]


def test_a_responder_answers_once_and_only_then_takes_a_verdict() -> None:
    responder = Responder(KEY)
    with pytest.raises(LocalProtocolError):
        responder.conclude(WELCOME)
    responder.answer(challenger(SHA256).challenge)
    with pytest.raises(LocalProtocolError):
        responder.answer(challenger(SHA256).challenge)
    responder.conclude(WELCOME)
    with pytest.raises(LocalProtocolError):
        responder.conclude(WELCOME)


def test_a_plain_challenge_has_no_verdict() -> None:
    responder = Responder(KEY, dialect=PLAIN)
    responder.answer(NONCE[:32])
    with pytest.raises(LocalProtocolError):
        responder.conclude(b"")


@pytest.mark.parametrize("verdict", [b"", b"#WELCOME", b"#WELCOME##", b"#welcome#", b"#FAILURE# "])
def test_a_verdict_is_one_of_two_words(verdict: bytes) -> None:
    responder = Responder(KEY)
    responder.answer(challenger(SHA256).challenge)
    with pytest.raises(ChallengeError, match="neither"):
        responder.conclude(verdict)


@pytest.mark.parametrize(
    ("dialect", "challenge"),
    [
        (SHA256, b""),
        (SHA256, b"{sha256}" + NONCE[:40]),
        (SHA256, b"#challenge#{sha256}" + NONCE[:40]),
        (SHA256, CHALLENGE + b"{sha384}" + NONCE[:40]),
        (SHA256, CHALLENGE + b"{md5}" + NONCE[:40]),
        (SHA256, CHALLENGE + b"{sha256}" + NONCE[:19]),
        (SHA256, CHALLENGE + NONCE[:20]),
        (SHA256, CHALLENGE + b"{sha256}" + bytes(MAX_MESSAGE - 18)),
        (MD5, CHALLENGE + NONCE[:19]),
        (MD5, NONCE[:20]),
        (MD5, NONCE[:31]),
        (PLAIN, NONCE[:31]),
        (PLAIN, NONCE[:33]),
    ],
)
def test_what_is_no_challenge_gets_no_answer(dialect: Dialect, challenge: bytes) -> None:
    with pytest.raises(ChallengeError) as refusal:
        Responder(KEY, dialect=dialect).answer(challenge)
    assert refusal.value.reply == b""


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_our_own_mistakes(dialect: Dialect) -> None:
    with pytest.raises(ConfigError, match="empty"):
        challenger(dialect, SecretKey(b""))
    with pytest.raises(ConfigError, match="empty"):
        Responder(SecretKey(b""), dialect=dialect)
    with pytest.raises(LocalProtocolError):
        Challenger(KEY, nonce=NONCE[: dialect.nonce_length - 1], dialect=dialect)


@given(st.sampled_from(DIALECTS), st.binary(max_size=300), st.sampled_from([b"", CHALLENGE]))
def test_any_bytes_are_taken_or_refused(dialect: Dialect, junk: bytes, word: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        challenger(dialect).verify(junk)
    responder = Responder(KEY, dialect=dialect)
    try:
        responder.answer(word + junk)
    except ChallengeError:
        return
    if dialect.words:
        with pytest.raises(ChallengeError):
            responder.conclude(junk)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_a_wrong_answer_is_told_in_the_words_of_the_dialect(dialect: Dialect) -> None:
    for length in (0, 16, 64):
        with pytest.raises(ChallengeError) as caught:
            challenger(dialect).verify(bytes(length))
        assert caught.value.reply == (FAILURE if dialect.words else b"")
        in_md5 = dialect is SHA256 and length == 16
        assert ("in MD5" in str(caught.value)) is in_md5


@pytest.mark.parametrize("dialect", [SHA256, MD5], ids=lambda d: d.name)
def test_md5_is_named_only_where_it_is_asked_for(dialect: Dialect) -> None:
    for length in (0, 20, 21):
        message = CHALLENGE + bytes(length)
        if dialect is MD5 and length:
            Responder(KEY, dialect=dialect).answer(message)
            continue
        with pytest.raises(ChallengeError) as caught:
            Responder(KEY, dialect=dialect).answer(message)
        assert ("asks for MD5" in str(caught.value)) is (length == 20)


def test_the_longest_challenge() -> None:
    longest = CHALLENGE + SHA256.tag
    longest += bytes(MAX_MESSAGE - len(longest))
    assert Responder(KEY).answer(longest)
    with pytest.raises(ChallengeError):
        Responder(KEY).answer(longest + b"\0")
