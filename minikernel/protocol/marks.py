"""What our ends add to the metadata of a message: a digest of its buffers, its number, whose it is.

Stock peers ignore it (channel-hmac, section 8; docs/protocol.md, "Guards").
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from minikernel.errors import BadSignature
from minikernel.wire.message import dumps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MARK, BUFFERS, RUN, SEQUENCE = "minikernel", "buffers_sha256", "run", "sequence"
CLIENT = "client"
LARGEST = 2**53  # integers below it are exact in every JSON


def mark(
    buffers: Sequence[bytes], numbered: tuple[str, int] | None = None
) -> dict[str, dict[str, str | int]]:
    """The addition to the metadata.

    Args:
        buffers: of the message.
        numbered: id of the sender's run, and the number of the message in it; None: it has none.
    """
    signed: dict[str, str | int] = {BUFFERS: buffers_digest(buffers)}
    if numbered is not None:
        signed[RUN], signed[SEQUENCE] = numbered
    return {MARK: signed}


def buffers_digest(buffers: Sequence[bytes]) -> str:
    """SHA-256 over their number, their lengths, and themselves (channel-hmac, section 8)."""
    sizes = (len(buffers), *(memoryview(b).nbytes for b in buffers))
    digest = hashlib.sha256(b"".join(n.to_bytes(8, "big") for n in sizes))
    for buffer in buffers:
        digest.update(buffer)
    return digest.hexdigest()


def asked_by(client_id: str | None) -> dict[str, dict[str, str]] | None:
    """The addition to an execute_input: whose cell it is, where the kernel knows that.

    Args:
        client_id: as the scheme has verified it; the owner's is empty.
    """
    return None if client_id is None else {MARK: {CLIENT: client_id}}


def asker_in(metadata: Mapping[str, object]) -> str | None:
    """The name that `asked_by` has put into this metadata; None: none."""
    found = metadata.get(MARK)
    name = found.get(CLIENT) if isinstance(found, dict) else None
    return name if isinstance(name, str) else None


NO_BUFFERS = dumps(mark(()))


def numbered_template(run: str) -> bytes:
    """The metadata frame of a message without buffers, its number left open.

    Args:
        run: ASCII, without quotes and percent signs.
    """
    return dumps(mark((), (run, 0))).replace(b":0}", b":%d}")


def check_buffers(metadata: Mapping[str, object], buffers: Sequence[bytes]) -> None:
    """See that these are the buffers that were signed, if the sender is one who signs them.

    Raises:
        BadSignature: they are others.
    """
    found = metadata.get(MARK)
    if not isinstance(found, dict) or BUFFERS not in found:
        return
    if found[BUFFERS] != buffers_digest(buffers):
        raise BadSignature("the buffers are not those that were signed")


class Missed:
    """Counts the published messages that did not come, as a subscriber to all topics sees it.

    What was published before the first message that came is not missed. A kernel that was started
    anew begins with another run; one of another make says nothing, and nothing is counted.

    Attributes:
        count: numbers that were skipped.
    """

    def __init__(self) -> None:
        self.count = 0
        self._run: object = None
        self._last = 0

    def note(self, metadata: Mapping[str, object]) -> None:
        """Look at the metadata of a message that has verified."""
        found = metadata.get(MARK)
        if not isinstance(found, dict):
            return
        run, number = found.get(RUN), found.get(SEQUENCE)
        if not isinstance(run, str) or type(number) is not int or not 0 < number < LARGEST:
            return
        if run != self._run:
            self._run, self._last = run, number
        elif number > self._last:
            self.count += number - self._last - 1
            self._last = number
