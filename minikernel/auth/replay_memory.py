"""The last messages that were accepted, so that none is accepted twice.

First in, first out. Nothing comes in before its signature has verified, so that a stranger can
neither flush nor poison the memory. As Python objects 65,536 digests would take 10 MB; here they
are one ring of bytes, and two arrays that chain the slots of a bucket.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from minikernel.auth.locks import Lock
from minikernel.errors import Replayed

if TYPE_CHECKING:
    from collections.abc import Callable

DIGEST_LENGTH = 16
CAPACITY = 65_536
BUCKETS = 65_536  # one for each value of a digest's first two bytes
NONE = -1
FREE = bytes(DIGEST_LENGTH)


class ReplayMemory:
    """Remembers the last `CAPACITY` digests.

    The ring has one slot more, always free, before the oldest digest: what is read
    back from a file shows by it where to go on.

    Args:
        ring: what an earlier run left, at most `CAPACITY + 1` slots.
        record: called with (slot, digest) before a digest counts as remembered; may raise OSError.
    """

    def __init__(
        self, ring: bytes = b"", record: Callable[[int, bytes], None] | None = None
    ) -> None:
        self._ring = bytearray(ring)
        self._slots = CAPACITY + 1
        self._ring.extend(bytes(self._slots * DIGEST_LENGTH - len(ring)))
        self._heads = array("i", [NONE]) * BUCKETS
        self._nexts = array("i", [NONE]) * self._slots
        self._record = record
        self._lock = Lock()
        self._next = self._restore(len(ring) // DIGEST_LENGTH)

    def admit(self, digest: bytes) -> None:
        """Remember the digest of a message that has just verified.

        Args:
            digest: `DIGEST_LENGTH` bytes, which the caller has computed itself: what came with
                the message may be the same signature, written in another way.

        Raises:
            Replayed: it is remembered already.
            OSError: it could not be recorded; it is not remembered either.
            ValueError: it has another length.
        """
        if len(digest) != DIGEST_LENGTH:  # a shorter one would never be found, a longer one spill
            raise ValueError(f"a digest has {DIGEST_LENGTH} bytes, not {len(digest)}")
        with self._lock:
            if self._holds(digest):
                raise Replayed("this message was accepted before")
            slot = self._next
            if self._record is not None:
                self._record(slot, digest)
            self._insert(slot, digest)
            self._next = (slot + 1) % self._slots
            self._forget(self._next)

    def rewrite(self, write: Callable[[bytes], None]) -> None:
        """Have the whole ring recorded, up to its free end, while nothing is admitted.

        Args:
            write: takes the ring; what it raises comes out here.
        """
        with self._lock:
            used = len(self._ring.rstrip(b"\0"))
            slots = min(-(-used // DIGEST_LENGTH) + 1, self._slots)
            write(bytes(self._ring[: slots * DIGEST_LENGTH]))

    def _holds(self, digest: bytes) -> bool:
        slot = self._heads[digest[0] << 8 | digest[1]]
        while slot != NONE:
            if self._at(slot) == digest:
                return True
            slot = self._nexts[slot]
        return False

    def _at(self, slot: int) -> bytearray:
        return self._ring[slot * DIGEST_LENGTH : (slot + 1) * DIGEST_LENGTH]

    def _insert(self, slot: int, digest: bytes) -> None:
        self._ring[slot * DIGEST_LENGTH : (slot + 1) * DIGEST_LENGTH] = digest
        bucket = digest[0] << 8 | digest[1]
        self._nexts[slot] = self._heads[bucket]
        self._heads[bucket] = slot

    def _forget(self, slot: int) -> None:
        """Free the oldest slot: it is the last of its chain."""
        digest = self._at(slot)
        if digest == FREE:
            return
        bucket = digest[0] << 8 | digest[1]
        at = self._heads[bucket]
        if at == slot:
            self._heads[bucket] = NONE
        else:
            while self._nexts[at] != slot:
                at = self._nexts[at]
            self._nexts[at] = NONE
        self._ring[slot * DIGEST_LENGTH : (slot + 1) * DIGEST_LENGTH] = FREE

    def _restore(self, filled: int) -> int:
        """Index what the ring holds, oldest first; return the slot to go on with."""
        free = next((s for s in range(filled) if self._at(s) == FREE), filled % self._slots)
        self._ring[free * DIGEST_LENGTH : (free + 1) * DIGEST_LENGTH] = FREE
        for slot in (*range(free + 1, filled), *range(free)):
            if self._at(slot) != FREE:
                self._insert(slot, bytes(self._at(slot)))
        return free
