"""The numbers by which libzmq's ROUTER knows the peers that do not name themselves.

They count up from a number of the C library's generator, which is the same in each process unless
somebody seeds it.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FRESH = 1  # what a C library that nobody has seeded does: code of the user's may count on it


@contextlib.contextmanager
def at_random() -> Iterator[bool]:
    """ROUTERs that are made in here begin at a number that nobody can foresee.

    Yields:
        Whether that is so: a Python without _ctypes can't seed the generator.
    """
    try:
        _seed(int.from_bytes(os.urandom(4), "big"))
    except (ImportError, OSError):
        yield False
        return
    try:
        yield True
    finally:
        _seed(FRESH)


def _seed(number: int) -> None:
    import _ctypes  # a tenth of the time that ctypes takes

    library = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]  # typeshed: None is the process
    _ctypes.call_cdeclfunction(_ctypes.dlsym(library, "srand"), (number,))
