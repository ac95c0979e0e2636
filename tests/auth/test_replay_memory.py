from __future__ import annotations

import hashlib

import pytest

from minikernel.auth.replay_memory import CAPACITY, DIGEST_LENGTH, FREE, ReplayMemory
from minikernel.errors import Replayed


def digest(n: int) -> bytes:
    return hashlib.sha256(n.to_bytes(8, "big")).digest()[:DIGEST_LENGTH]


class Disk:
    """What a ring file holds."""

    def __init__(self) -> None:
        self.content = bytearray()

    def record(self, slot: int, value: bytes) -> None:
        for at, entry in ((slot, value), ((slot + 1) % (CAPACITY + 1), FREE)):
            end = (at + 1) * DIGEST_LENGTH
            self.content.extend(bytes(max(0, end - len(self.content))))
            self.content[end - DIGEST_LENGTH : end] = entry


def test_a_digest_is_admitted_once() -> None:
    memory = ReplayMemory()
    memory.admit(digest(1))
    with pytest.raises(Replayed):
        memory.admit(digest(1))
    memory.admit(digest(2))


@pytest.mark.parametrize("length", [0, 1, 2, 15, 17, 32, 64])
def test_a_digest_of_another_length_is_refused_and_changes_nothing(length: int) -> None:
    memory = ReplayMemory()
    with pytest.raises(ValueError, match=f"16 bytes, not {length}"):
        memory.admit(bytes([7]) * length)
    memory.admit(digest(1))
    with pytest.raises(Replayed):
        memory.admit(digest(1))


def test_digests_of_one_bucket_are_told_apart() -> None:
    memory = ReplayMemory()
    family = [b"\x01\x02" + digest(n)[2:] for n in range(50)]
    for one in family:
        memory.admit(one)
    for one in family:
        with pytest.raises(Replayed):
            memory.admit(one)


def test_the_oldest_of_a_bucket_is_forgotten_alone() -> None:
    memory = ReplayMemory()
    family = [b"\x01\x02" + digest(n)[2:] for n in range(4)]
    for one in (*family, *map(digest, range(CAPACITY - 3))):
        memory.admit(one)
    for one in family[1:]:
        with pytest.raises(Replayed):
            memory.admit(one)
    memory.admit(family[0])


def test_first_in_first_out() -> None:
    memory = ReplayMemory()
    for n in range(CAPACITY):
        memory.admit(digest(n))
    with pytest.raises(Replayed):
        memory.admit(digest(0))
    memory.admit(digest(CAPACITY))  # pushes the oldest out
    for n in (1, CAPACITY // 2, CAPACITY):
        with pytest.raises(Replayed):
            memory.admit(digest(n))
    memory.admit(digest(0))


@pytest.mark.parametrize("count", [0, 1, 1000, CAPACITY - 1, CAPACITY, CAPACITY + 1, CAPACITY * 2])
def test_what_was_recorded_is_remembered_by_the_next_run(count: int) -> None:
    disk = Disk()
    memory = ReplayMemory(b"", disk.record)
    for n in range(count):
        memory.admit(digest(n))
    again = ReplayMemory(bytes(disk.content), disk.record)
    kept = range(max(0, count - CAPACITY), count)
    for n in kept[:: max(1, len(kept) // 500)]:
        with pytest.raises(Replayed):
            again.admit(digest(n))
    for n in range(count, count + 3):
        again.admit(digest(n))
    for n in (*kept[4:6], *range(count, count + 3)):
        with pytest.raises(Replayed):
            again.admit(digest(n))
    if count > CAPACITY:
        again.admit(digest(0))


def test_what_can_t_be_recorded_is_not_remembered() -> None:
    full = True

    def record(_slot: int, _value: bytes) -> None:
        if full:
            raise OSError("no space")

    memory = ReplayMemory(b"", record)
    with pytest.raises(OSError, match="no space"):
        memory.admit(digest(1))
    full = False
    memory.admit(digest(1))
