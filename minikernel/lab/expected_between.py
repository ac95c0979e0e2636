"""What is expected of attacks on messages under way, and of those who hold a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.lab.attacks import changing, handshakes, heartbeats, insiders, ordering, routing
from minikernel.lab.reasons import (
    ABSENT,
    ALL_COVERED,
    CIPHERTEXT,
    CLEAR,
    CLEARTEXT,
    MARKED,
    NO_ORDER,
    NO_ROUTE,
    NOTHING,
    NOTICED,
    ONCE_PATH,
    OWN_KEY,
    ROUTE,
    SHARED,
    SIGNED,
    STOPPED,
    THROUGH,
    TRUSTED,
    UNSIGNED_BUFFERS,
)

if TYPE_CHECKING:
    from minikernel.lab.evidence import Attack
    from minikernel.lab.reasons import Row

ROWS: dict[type[Attack], Row] = {
    ordering.DropAControlRequest: (
        ("NKOBG", THROUGH, NO_ORDER),
        ("C", NOTICED, "the next counter shows the gap, and the kernel tells"),
        ("V", STOPPED, CIPHERTEXT),
    ),
    changing.ChangeContent: (
        ("N", THROUGH, NOTHING),
        ("K", THROUGH, CLEAR),
        ("O", THROUGH, ONCE_PATH),
        ("BG", STOPPED, SIGNED),
        ("C", STOPPED, ALL_COVERED),
        ("V", STOPPED, CIPHERTEXT),
    ),
    **dict.fromkeys(
        (changing.ChangeABuffer, changing.AddABuffer, changing.DropABuffer),
        (
            ("N", THROUGH, NOTHING),
            ("K", THROUGH, CLEAR),
            ("O", THROUGH, ONCE_PATH),
            ("B", THROUGH, UNSIGNED_BUFFERS),
            ("G", STOPPED, MARKED),
            ("C", STOPPED, ALL_COVERED),
            ("V", STOPPED, CIPHERTEXT),
        ),
    ),
    changing.MoveAFrameBoundary: (
        ("N", THROUGH, NOTHING),
        ("K", THROUGH, CLEAR),
        ("O", THROUGH, ONCE_PATH),
        ("B", THROUGH, UNSIGNED_BUFFERS),
        ("G", STOPPED, "the digest of the buffers covers their lengths"),
        ("C", STOPPED, ALL_COVERED),
        ("V", STOPPED, CIPHERTEXT),
    ),
    changing.ChangeOutput: (
        ("N", THROUGH, NOTHING),
        ("K", THROUGH, CLEAR),
        ("O", THROUGH, "iopub is not authenticated"),
        ("BG", STOPPED, SIGNED),
        ("C", STOPPED, ALL_COVERED),
        ("V", STOPPED, CIPHERTEXT),
    ),
    changing.ChangeAnAnswer: (
        ("N", THROUGH, NOTHING),
        ("K", THROUGH, CLEAR),
        ("O", THROUGH, ONCE_PATH),
        ("BG", STOPPED, SIGNED),
        ("C", STOPPED, ALL_COVERED),
        ("V", STOPPED, CIPHERTEXT),
    ),
    ordering.SwapRequests: (
        ("NKOBG", THROUGH, NO_ORDER),
        ("C", STOPPED, "after the second counter the first is refused; its sender gets no reply"),
        ("V", STOPPED, CIPHERTEXT),
    ),
    ordering.SwapReplies: (
        ("NKOBG", THROUGH, NO_ORDER),
        ("C", NOTICED, "after the second counter the first is refused; the ledger shows the gap"),
        ("V", STOPPED, CIPHERTEXT),
    ),
    ordering.SwapControlReplies: (
        ("NKOBG", THROUGH, NO_ORDER),
        ("C", NOTICED, "after the second counter the first is refused; the ledger shows the gap"),
        ("V", STOPPED, CIPHERTEXT),
    ),
    ordering.DropAnAnswer: (
        ("NKOBG", THROUGH, "the cell waits on, as for one who does not answer; " + NO_ORDER),
        ("C", NOTICED, "the next counter shows the gap, and the kernel tells"),
        ("V", STOPPED, CIPHERTEXT),
    ),
    ordering.DropAQuestion: (
        ("NKOBG", THROUGH, "the cell looks as if it worked on; " + NO_ORDER),
        ("C", NOTICED, "the next counter shows the gap in the client's ledger"),
        ("V", STOPPED, CIPHERTEXT),
    ),
    ordering.DropARequest: (
        ("NKOBG", THROUGH, NO_ORDER),
        ("C", NOTICED, "the next counter shows the gap, and the kernel tells"),
        ("V", STOPPED, CIPHERTEXT),
    ),
    ordering.DropOutput: (
        ("NKOB", THROUGH, NO_ORDER),
        ("GC", NOTICED, "the next number on iopub shows the gap in the client's ledger"),
        ("V", STOPPED, CIPHERTEXT),
    ),
    ordering.DeliverOnControl: (
        ("N", THROUGH, NOTHING),
        ("K", THROUGH, CLEAR),
        ("O", THROUGH, TRUSTED),
        ("B", THROUGH, "a signature says nothing about the channel"),
        (
            "G",
            STOPPED,
            "the channel table; kernel_info and shutdown may come on both, as in Jupyter",
        ),
        ("C", STOPPED, "keys are bound to the channel"),
        ("V", STOPPED, CIPHERTEXT),
    ),
    ordering.HoldUntilGivenUp: (
        ("NKOBG", THROUGH, "a signature does not age, unless the kernel has --max-age"),
        ("C", STOPPED, "what was sent after it has a higher counter"),
        ("V", STOPPED, CIPHERTEXT),
    ),
    ordering.DelayEverything: (
        (
            "NKOBGCV",
            THROUGH,
            "nobody can tell a slow network from a slow attacker, but by clocks (--max-age)",
        ),
    ),
    routing.PresentInAnothersConnection: (
        ("N", THROUGH, NOTHING),
        ("KBG", THROUGH, NO_ROUTE),
        ("O", THROUGH, "any identity that was challenged is as good as another"),
        ("C", STOPPED, ROUTE),
        ("V", STOPPED, CIPHERTEXT),
    ),
    routing.DeliverOverOnesOwnConnection: (
        ("N", THROUGH, NOTHING),
        ("KBG", THROUGH, NO_ROUTE),
        ("O", STOPPED, "the connection of a stranger was not challenged"),
        ("C", STOPPED, ROUTE),
        ("V", STOPPED, CIPHERTEXT),
    ),
    routing.CopyAnIdentity: (
        (
            "NKOBG",
            THROUGH,
            "stock clients come back with their identity: it is handed over to who brings it",
        ),
        ("CV", STOPPED, "no identity is set or handed over; a route comes of a valid message"),
    ),
    routing.AnswerFromAnotherConnection: (
        ("N", THROUGH, NOTHING),
        ("K", THROUGH, CLEAR),
        ("O", STOPPED, "the connection of a stranger was not challenged"),
        ("BG", STOPPED, SIGNED),
        ("CV", STOPPED, "an answer must come in the session that was asked, by its route"),
    ),
    routing.AnswerALaterQuestion: (
        ("N", THROUGH, "which question it answers can be cut out of the message"),
        ("K", THROUGH, "which question it answers can be cut out of the message"),
        ("O", THROUGH, "which question it answers can be cut out of the message"),
        ("BG", STOPPED, "our client names the question, and the signature covers it"),
        ("C", STOPPED, "the counter of the second answer may be higher, and the question named"),
        ("V", STOPPED, CIPHERTEXT),
    ),
    insiders.AnotherHolderForgesOutput: (
        ("NKBG", THROUGH, SHARED),
        ("O", THROUGH, "iopub is not authenticated"),
        ("C", STOPPED, OWN_KEY),
        ("V", STOPPED, OWN_KEY),
    ),
    insiders.AnotherHolderForgesARequest: (
        ("NKBG", THROUGH, SHARED),
        ("O", THROUGH, "a trusted identity may write any name into its header"),
        ("CV", STOPPED, "header.session must be the one that this session began with"),
    ),
    insiders.AnotherHolderAnswersInput: (
        ("NKBG", THROUGH, SHARED),
        ("O", THROUGH, "a trusted identity may write any name into its header"),
        ("CV", STOPPED, "an answer must come in the session that was asked"),
    ),
    insiders.SpeakUnderTheOwnersMsgId: (
        ("NKOBG", THROUGH, "there are no rights: who holds the key may do everything"),
        ("CV", STOPPED, "rights belong to the session's key, whatever the header says"),
    ),
    insiders.WidenRights: (
        ("NKOBG", ABSENT, "there are no rights"),
        ("CV", STOPPED, "the kernel derives the key from the rights that HELLO names"),
    ),
    insiders.MiddleWithAnothersKey: (
        ("NKBG", THROUGH, SHARED),
        ("O", THROUGH, ONCE_PATH),
        ("C", STOPPED, OWN_KEY),
        ("V", STOPPED, CIPHERTEXT),
    ),
    insiders.MiddleWithTheMasterKey: (
        ("NKOBG", THROUGH, SHARED),
        (
            "CV",
            THROUGH,
            "who holds the key and hears the handshake derives all keys; with CURVE, its key too",
        ),
    ),
    handshakes.RelayAHandshake: (
        ("NKBG", ABSENT, "there is no handshake"),
        ("O", THROUGH, "nothing is derived from the challenge: who relayed it may speak"),
        ("C", STOPPED, "the handshake gives keys that a relay doesn't learn"),
        ("V", STOPPED, CIPHERTEXT),
    ),
    handshakes.HandshakeFlood: (
        ("NKBG", ABSENT, "there is no handshake"),
        ("O", STOPPED, "challenges wait in a bounded table, and nobody waits for a stranger's"),
        ("CV", STOPPED, "a HELLO is checked before anything is kept; the rest is bounded"),
    ),
    heartbeats.ReadHeartbeats: (
        ("NKOBGC", THROUGH, CLEARTEXT),
        ("V", STOPPED, CIPHERTEXT),
    ),
    heartbeats.FakeHeartbeat: (
        ("NKOBG", THROUGH, "the heartbeat is an echo, and an echo needs no key"),
        ("C", STOPPED, "PONG has a tag, and answers a PING that is outstanding"),
        ("V", STOPPED, CIPHERTEXT),
    ),
    heartbeats.ChangeAHeartbeat: (
        ("NKOBG", THROUGH, "the kernel returns whatever comes; who changed it can change it back"),
        ("C", STOPPED, "the kernel does not answer a PING whose tag is wrong"),
        ("V", STOPPED, "the middle holds no CURVE key: what it changes is no message any more"),
    ),
    heartbeats.DropHeartbeats: (
        ("NKOBG", THROUGH, "the kernel counts no heartbeats, and an echo looks like its answer"),
        ("C", NOTICED, "the next counter shows the gap, and the kernel tells; no PONG came"),
        ("V", STOPPED, CIPHERTEXT),
    ),
    heartbeats.ReplayAHeartbeat: (
        ("NKOBG", THROUGH, "our client looks for the number in the echo, which nothing covers"),
        ("C", STOPPED, "a PONG answers one PING, by a counter that its tag covers"),
        ("V", STOPPED, CIPHERTEXT),
    ),
}
