"""Messages of one's own making, without a key."""

from __future__ import annotations

import json
import random
import uuid
from typing import TYPE_CHECKING

from minikernel.errors import MinikernelError
from minikernel.lab import reasons as why
from minikernel.lab.attackers import Copy, msg_type, retold, session
from minikernel.lab.attacks.rules import on
from minikernel.lab.evidence import Attack, Evidence, judged
from minikernel.lab.reasons import STOPPED, THROUGH
from minikernel.wire.channels import Channel
from minikernel.wire.frames import DELIMITER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from minikernel.client.result import Result
    from minikernel.lab.network.passing import Passing
    from minikernel.lab.stage import Stage

COPY = Copy()
FORGED = "forged output"
MUTATIONS, SEED = 2000, 2011


def execute_request(code: str, session: str = "stranger") -> list[bytes]:
    """Header, parent_header, metadata and content of a request of a stranger's."""
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "session": session}
    content = {"code": code, "silent": False}
    return [json.dumps(part).encode() for part in (header, {}, {}, content)]


class ForgeBlind(Attack):
    """Forge a request blind: without having heard anything."""

    steps = (
        "connect a DEALER socket to the kernel's shell port",
        "send an execute_request without a signature, and one with 64 zeros",
    )
    wire = ("stranger -> kernel   <IDS|MSG> '' header {} {} {code}",)
    expected = (
        ("K", STOPPED, "the key is random, and has not been heard"),
        ("O", STOPPED, "an identity that was not challenged is not trusted"),
        ("BG", STOPPED, "an HMAC can't be guessed"),
        ("CV", STOPPED, "a tag can't be guessed, nor a session"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        marker, before = stage.marker(), stage.looked_at(Channel.SHELL)
        stranger = stage.loose(Channel.SHELL)
        for guess in (b"", b"0" * 64):
            stranger.send([DELIMITER, guess, *execute_request(marker.code())])
        stage.settle(Channel.SHELL, before + 2)
        return judged(marker.text, str(marker))


class ForgeCopied(Attack):
    """Forge a request after copying every credential that was seen."""

    steps = (
        "record a request of the victim's",
        "connect with the identity of its connection",
        "send another request with its signature; where it has a counter, with the next one",
    )
    wire = ("stranger (identity of the victim) -> kernel   <IDS|MSG> copied header' {} {} {code'}",)
    expected = (
        ("K", THROUGH, why.CLEAR),
        ("O", THROUGH, "the identity is sent in clear; whoever copies it is taken for its owner"),
        ("BG", STOPPED, why.SIGNED),
        ("C", STOPPED, "the tag covers the counter, and a session has one connection"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        marker = stage.marker()
        stage.victim.run("None")
        seen = stage.request()
        before = stage.looked_at(Channel.SHELL)
        forged = retold(seen, COPY, header={"msg_id": "forged"}, content={"code": marker.code()})
        stage.loose(Channel.SHELL, seen.client).send(forged.frames)
        stage.settle(Channel.SHELL, before + 1)
        return judged(marker.text, str(marker))


class InjectAfterHandshake(Attack):
    """Inject a request into the victim's own connection, after it was authenticated."""

    steps = (
        "let the victim connect, and shake hands where there is a handshake",
        "send an unsigned request in its connection, and one with a copied signature",
    )
    wire = (
        "middle -> kernel   <IDS|MSG> '' header' {} {} {code'}",
        "middle -> kernel   <IDS|MSG> copied header' {} {} {code'}",
    )
    expected = (
        ("K", THROUGH, why.CLEAR),
        ("O", THROUGH, why.TRUSTED),
        ("BG", STOPPED, "every message is signed, in an authenticated connection too"),
        ("C", STOPPED, "the handshake gives keys, and every message has a tag under them"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        marker = stage.marker()
        stage.victim.run("None")
        seen = stage.request()
        before = stage.looked_at(Channel.SHELL)
        request = execute_request(marker.code(), session(seen))
        for mark in (b"", COPY.sign(seen, request)):
            stage.middle.inject(seen._replace(frames=[DELIMITER, mark, *request]))
        stage.settle(Channel.SHELL, before + 2)
        return judged(marker.text, str(marker))


class StripScheme(Attack):
    """Strip the scheme: both ends are to take unsigned messages for their usual ones."""

    steps = (
        "replace the signature of the victim's request by an empty frame, and its code",
        "do the same to the signature and text of what the kernel publishes",
    )
    wire = (
        "victim -> kernel   <IDS|MSG> '' header {} metadata {code'}",
        "kernel -> victim   topic <IDS|MSG> '' header parent {} {stream'}",
    )
    expected = (
        ("N", THROUGH, "there is nothing to strip"),
        ("K", STOPPED, "a message without the key is refused: one file, one scheme"),
        ("O", THROUGH, "unsigned messages are its usual ones"),
        ("BG", STOPPED, "an empty signature is wrong, unless the connection file has no key"),
        ("C", STOPPED, "a frame that does not begin with MKC1 is no AUTH; nothing is negotiated"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        marker, before = stage.marker(), stage.looked_at(Channel.SHELL)
        stage.middle.rule = on("execute_request", lambda p: [_stripped(p, code=marker.code())])
        stage.victim.execute("None")
        stage.settle(Channel.SHELL, before + 1)
        stage.middle.rule = on("stream", lambda p: [_stripped(p, text=FORGED)])
        shown = stage.victim.run("print('honest')").stdout
        return judged(marker.text or FORGED in shown, f"{marker}; shown: {shown.strip()!r}")


def _stripped(passing: Passing, **content: str) -> Passing:
    changed = retold(passing, COPY, content=content)
    at = changed.frames.index(DELIMITER) + 1
    return changed._replace(frames=[*changed.frames[:at], b"", *changed.frames[at + 1 :]])


class MutatedFrames(Attack):
    """Send 2,000 mutations of an accepted request: one runs it again, or ends the kernel."""

    steps = (
        "record a request of the victim's that was accepted",
        "send it 2,000 times with frames, bytes or bits changed, added or taken away (seeded)",
        "the victim runs a cell",
    )
    wire = ("stranger (identity of the victim) -> kernel   mutation",)
    expected = (
        ("K", THROUGH, "what is mutated outside the key's frame is executed"),
        ("O", THROUGH, "what is mutated is executed: no frame is covered"),
        ("B", THROUGH, "buffers and identities are not covered, and a replay is accepted"),
        ("G", STOPPED, "what still verifies is remembered: a replay"),
        ("C", STOPPED, "not a bit can change, and an unchanged one is a replayed counter"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        marker = stage.marker()
        stage.victim.run(marker.code())
        seen = stage.request()
        before = stage.looked_at(Channel.SHELL)
        stranger = stage.loose(Channel.SHELL, seen.client)
        stranger.send(*_mutations(seen.frames))
        # libzmq itself answers nothing to a message without frames; all others are looked at.
        stage.settle(Channel.SHELL, before + MUTATIONS, patience=5.0)
        try:
            alive = stage.warden.run("6 * 7").value == "42"
        except (TimeoutError, MinikernelError):
            alive = False
        more = len(marker.text) - 1
        state = "works on" if alive else "has ended"
        return judged(more or not alive, f"ran {more} times more; the kernel {state}")


def _mutations(frames: list[bytes]) -> Iterator[list[bytes]]:
    chance = random.Random(SEED)  # noqa: S311 - to be the same each time
    for _ in range(MUTATIONS):
        yield chance.choice(_WAYS)(chance, list(frames))


def _flipped(chance: random.Random, frames: list[bytes]) -> list[bytes]:
    at = chance.randrange(len(frames))
    body = bytearray(frames[at] or b"\0")
    body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
    frames[at] = bytes(body)
    return frames


def _cut(chance: random.Random, frames: list[bytes]) -> list[bytes]:
    at = chance.randrange(len(frames))
    frames[at] = frames[at][: chance.randrange(len(frames[at]) + 1)]
    return frames


def _dropped(chance: random.Random, frames: list[bytes]) -> list[bytes]:
    del frames[chance.randrange(len(frames))]
    return frames


def _added(chance: random.Random, frames: list[bytes]) -> list[bytes]:
    frames.insert(chance.randrange(len(frames) + 1), chance.randbytes(chance.randrange(80)))
    return frames


def _swapped(chance: random.Random, frames: list[bytes]) -> list[bytes]:
    one, other = chance.randrange(len(frames)), chance.randrange(len(frames))
    frames[one], frames[other] = frames[other], frames[one]
    return frames


_WAYS = (_flipped, _cut, _dropped, _added, _swapped)


class ForgeIopub(Attack):
    """Forge output for the victim, with copied credentials."""

    steps = (
        "the victim runs a cell that prints",
        "after its output, send another message for the same cell",
    )
    wire = ("middle -> victim   topic <IDS|MSG> copied header' parent {} {stream'}",)
    expected = (
        ("K", THROUGH, why.CLEAR),
        ("O", THROUGH, "PUB has no way back: nobody was challenged on iopub"),
        ("BG", STOPPED, why.SIGNED),
        ("C", STOPPED, "each PUBLISH has a tag for every session, under that session's key"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        stage.middle.rule = on("stream", _with_forgery)
        shown = stage.victim.run("print('honest')").stdout
        return judged(FORGED in shown, f"shown: {shown.strip()!r}")


def _with_forgery(passing: Passing) -> list[Passing]:
    forged = retold(passing, COPY, header={"msg_id": "forged"}, content={"text": FORGED})
    return [passing, forged]


class ForgeReply(Attack):
    """Forge the kernel's reply on shell: a client must trust its replies."""

    steps = (
        "hold back the kernel's reply to the victim",
        "deliver another one with its signature, that says something else",
    )
    wire = ("middle -> victim   <IDS|MSG> copied header parent {} {status, user_expressions'}",)
    expected = (
        ("K", THROUGH, why.CLEAR),
        ("O", THROUGH, "the client's DEALER can't tell who replies; it trusts"),
        ("BG", STOPPED, why.SIGNED),
        ("C", STOPPED, "replies have tags too, with keys for this direction"),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        stage.middle.rule = on("execute_reply", _with_other_answer)
        given = stage.victim.run("None", user_expressions={"answer": "1"}).user_expressions
        return judged(given.get("answer") == FORGED, f"the victim got: {given.get('answer')!r:.60}")


def _with_other_answer(passing: Passing) -> list[Passing]:
    answers = {"user_expressions": {"answer": FORGED}}
    return [retold(passing, COPY, content=answers), passing]


class ForgeControl(Attack):
    """Forge a request on control: the victim's cell is to be interrupted."""

    steps = (
        "the victim runs a cell that waits",
        "turn a kernel_info_request of the victim's on control into an interrupt_request",
    )
    wire = ("middle -> kernel   <IDS|MSG> copied {interrupt_request} {} {} {}",)
    expected = (
        ("K", THROUGH, why.CLEAR),
        ("O", THROUGH, why.TRUSTED),
        ("BG", STOPPED, why.SIGNED),
        ("C", STOPPED, why.ALL_COVERED),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        go = stage.marker()
        start = len(stage.middle.tape)
        cell = stage.victim.start(waits_for(go.path))
        seen = stage.heard(
            lambda p: p.channel is Channel.CONTROL and msg_type(p) == "kernel_info_request"
        )
        stage.heard(lambda p: msg_type(p) == "execute_input", start)
        before = stage.looked_at(Channel.CONTROL)
        stage.middle.inject(
            retold(seen, COPY, header={"msg_id": "forged", "msg_type": "interrupt_request"})
        )
        stage.settle_control(before + 1)
        go.path.touch()
        return _interrupted(cell)


def _interrupted(cell: Future[Result]) -> Evidence:
    status = cell.result().status
    return judged(status == "error", f"the victim's cell ended with {status!r}")


def waits_for(path: object) -> str:
    """A cell that waits for a file."""
    return (
        f"import pathlib, time\ngo = pathlib.Path({str(path)!r})\n"
        "while not go.exists(): time.sleep(0.005)"
    )


class ForgeAControlReply(Attack):
    """Forge the kernel's reply on control."""

    steps = (
        "the victim asks for the kernel's ledger (auth_status_request)",
        "before the reply, deliver another with its signature: nothing was ever refused",
    )
    wire = ("middle -> victim   <IDS|MSG> copied header parent {} {channels'}",)
    expected = (
        ("K", THROUGH, why.CLEAR),
        ("O", THROUGH, "the client's DEALER can't tell who replies; it trusts"),
        ("BG", STOPPED, why.SIGNED),
        ("C", STOPPED, why.ALL_COVERED),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        stage.middle.rule = on("auth_status_reply", _with_other_ledger)
        rows = [row.channel for row in stage.victim.do(lambda client: client.auth_status())]
        return judged(rows == [FORGED], f"the victim was shown the channels {rows}")


def _with_other_ledger(passing: Passing) -> list[Passing]:
    return [retold(passing, COPY, content={"channels": {FORGED: {}}}), passing]


class ForgeQuestion(Attack):
    """Ask the victim for a password in the kernel's name, on stdin."""

    steps = (
        "the victim runs a cell that asks for a name",
        "in the place of the kernel's question, ask for a password",
    )
    wire = ("middle -> victim   <IDS|MSG> copied header parent {} {prompt', password: true}",)
    expected = (
        ("K", THROUGH, why.CLEAR),
        ("O", THROUGH, "the client's DEALER can't tell who asks; it trusts"),
        ("BG", STOPPED, why.SIGNED),
        ("C", STOPPED, why.ALL_COVERED),
    )

    def act(self, stage: Stage) -> Evidence:
        """See `steps`."""
        asked: list[str] = []

        def answer(prompt: str, _password: object) -> str:
            asked.append(prompt)
            return "x"

        stage.middle.rule = on("input_request", _with_other_question)
        stage.victim.run("input('name? ')", on_input=answer)
        return judged(FORGED in asked, f"the victim was asked: {asked}")


def _with_other_question(passing: Passing) -> list[Passing]:
    return [retold(passing, COPY, content={"prompt": FORGED, "password": True}), passing]
