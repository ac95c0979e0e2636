from __future__ import annotations

import hashlib
import tracemalloc

import pytest

from minikernel.auth.hashing import LARGE, feed


@pytest.mark.parametrize(
    "sizes", [(), (0,), (1, 2), (LARGE - 1,) * 3, (LARGE,), (3, LARGE + 1, 0, 5)]
)
def test_it_is_the_hash_of_all(sizes: tuple[int, ...]) -> None:
    parts = [bytes([i]) * size for i, size in enumerate(sizes)]
    digest = hashlib.sha256()
    feed(digest, parts)
    assert digest.digest() == hashlib.sha256(b"".join(parts)).digest()


def test_large_parts_are_not_copied() -> None:
    parts = [bytes(20 * LARGE)] * 4
    digest = hashlib.sha256()
    tracemalloc.start()
    feed(digest, parts)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < LARGE
