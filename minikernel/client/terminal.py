"""Asking the user at this process's terminal."""

from __future__ import annotations

import sys
from getpass import getpass

from minikernel.client.escape import plain

END_OF_FILE = "\x04"  # what jupyter_client answers for it


def ask_terminal(prompt: str, password: bool) -> str:  # noqa: FBT001 - on_input's signature
    """Ask the user at this process's terminal, which a kernel's prompt must not act on."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    shown = plain(prompt).encode(encoding, "backslashreplace").decode(encoding)
    try:
        return getpass(shown) if password else input(shown)
    except EOFError:
        return END_OF_FILE
