"""Asking the user at this process's terminal."""

from __future__ import annotations

from getpass import getpass

END_OF_FILE = "\x04"  # what jupyter_client answers for it


def ask_terminal(prompt: str, password: bool) -> str:  # noqa: FBT001 - on_input's signature
    """Ask the user at this process's terminal."""
    try:
        return getpass(prompt) if password else input(prompt)
    except EOFError:
        return END_OF_FILE
