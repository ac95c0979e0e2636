"""How to run a bridge."""

from __future__ import annotations

from typing import NamedTuple


class Options(NamedTuple):
    """How to run a bridge; a tuple, for the kernel waits while this is imported.

    Args:
        kernelspec: folder with the kernel.json of the kernel behind.
        connection_file: of the front end.
        arguments: more of them for the kernel.
    """

    kernelspec: str
    connection_file: str
    arguments: tuple[str, ...] = ()
