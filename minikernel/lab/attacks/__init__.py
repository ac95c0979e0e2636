"""One class an attack, by theme; `ATTACKS` has them in the order of the matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.lab.attacks import (
    changing,
    forging,
    handshakes,
    insiders,
    ordering,
    reading,
    reflecting,
    replaying,
    routing,
)

if TYPE_CHECKING:
    from minikernel.lab.evidence import Attack

ATTACKS: tuple[type[Attack], ...] = (
    reading.ReadIopub,
    reading.ReadRequests,
    reading.ReadControl,
    reading.ReadAnswers,
    forging.ForgeBlind,
    forging.ForgeCopied,
    forging.InjectAfterHandshake,
    forging.StripScheme,
    forging.ForgeControl,
    forging.ForgeIopub,
    forging.ForgeReply,
    forging.ForgeQuestion,
    forging.ForgeAControlReply,
    forging.MutatedFrames,
    replaying.ReplayInTheSameRun,
    replaying.DuplicateOnTheConnection,
    replaying.ReplayAfterAFlood,
    replaying.ReplayAfterARestart,
    replaying.ReplayIopub,
    replaying.ShowOldIopub,
    replaying.ReplayAReply,
    replaying.ReplayOnControl,
    replaying.ReplayAControlReply,
    replaying.ReplayAnAnswer,
    replaying.ReplayAQuestion,
    replaying.BurnAPendingSignature,
    reflecting.ReflectComm,
    reflecting.ReflectToStdin,
    changing.ChangeContent,
    changing.ChangeABuffer,
    changing.AddABuffer,
    changing.DropABuffer,
    changing.MoveAFrameBoundary,
    changing.ChangeOutput,
    changing.ChangeAnAnswer,
    ordering.SwapRequests,
    ordering.DropARequest,
    ordering.DropAControlRequest,
    ordering.DropOutput,
    ordering.DeliverOnControl,
    ordering.HoldUntilGivenUp,
    ordering.DelayEverything,
    routing.PresentInAnothersConnection,
    routing.DeliverOverOnesOwnConnection,
    routing.CopyAnIdentity,
    routing.AnswerFromAnotherConnection,
    routing.AnswerALaterQuestion,
    insiders.AnotherHolderForgesOutput,
    insiders.AnotherHolderForgesARequest,
    insiders.AnotherHolderAnswersInput,
    insiders.SpeakUnderTheOwnersMsgId,
    insiders.WidenRights,
    insiders.MiddleWithAnothersKey,
    insiders.MiddleWithTheMasterKey,
    handshakes.RelayAHandshake,
    handshakes.HandshakeFlood,
    handshakes.FakeHeartbeat,
)
"""All attacks."""

BY_TITLE = {attack.title(): attack for attack in ATTACKS}
