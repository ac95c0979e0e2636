"""The frames of a multipart message, and its parts (messaging spec, "The Wire Protocol")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from minikernel.errors import FramingError

if TYPE_CHECKING:
    from collections.abc import Iterable

DELIMITER = b"<IDS|MSG>"
JSON_FRAMES = 4  # header, parent_header, metadata, content
GREETING = 2  # delimiter and signature
FIRST_BUFFER = 1 + GREETING + JSON_FRAMES  # in a message with one identity, or a topic


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How many frames a message may have, and how many bytes; None: any."""

    before: int = 64  # identities, or the topic
    after: int = 1024  # the JSON frames and the buffers
    header: int | None = None  # bytes of the header, and of the parent_header
    metadata: int | None = None  # bytes


LIMITS = Limits()
# A header is echoed in all that answers it; JupyterLab puts the cell's own metadata into a request.
AT_THE_KERNEL = Limits(header=1 << 20, metadata=16 << 20)
WITH_SESSIONS = Limits(header=64 << 10, metadata=16 << 20)  # every client there is one of ours


class RawMessage(NamedTuple):
    """The parts of a message that nobody has verified yet."""

    route: tuple[bytes, ...]  # the identities; on iopub the topic
    signature: bytes
    frames: list[bytes]  # header, parent_header, metadata, content, buffers


def split(frames: list[bytes], limits: Limits = LIMITS) -> RawMessage:
    """Split the frames of a message as they came from a socket.

    Raises:
        FramingError: no delimiter, too few or too many frames, or too many bytes.
    """
    try:
        at = frames.index(DELIMITER, 0, limits.before + 1)
    except ValueError:
        raise FramingError("no delimiter") from None
    count = len(frames) - at - 2
    if not JSON_FRAMES <= count <= limits.after:
        raise FramingError(f"{count} frames after the signature")
    if at > 1:  # what a socket took for a buffer may be none
        first = at + GREETING + JSON_FRAMES
        frames = [*map(bytes, frames[:first]), *frames[first:]]
    header, parent, metadata = frames[at + 2 : at + 5]
    if limits.header is not None and max(len(header), len(parent)) > limits.header:
        raise FramingError("a header of too many bytes")
    if limits.metadata is not None and len(metadata) > limits.metadata:
        raise FramingError("metadata of too many bytes")
    return RawMessage(tuple(frames[:at]), frames[at + 1], frames[at + 2 :])


def join(route: Iterable[bytes], signature: bytes, frames: Iterable[bytes] = ()) -> list[bytes]:
    """Put a message together: the inverse of `split`."""
    return [*route, DELIMITER, signature, *frames]


def is_greeting(frames: list[bytes], limits: Limits = LIMITS) -> bool:
    """Whether nothing follows the signature frame: a message of a handshake, if anything."""
    return (
        1 < len(frames) <= limits.before + GREETING
        and frames[-GREETING] == DELIMITER
        and DELIMITER not in frames[:-GREETING]
    )
