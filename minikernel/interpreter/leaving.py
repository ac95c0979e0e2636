"""`exit` and `quit`: they end the cell, and ask the client whether the kernel is to end."""

from __future__ import annotations

from typing import Any, NoReturn


class LeaveKernel(SystemExit):
    """Raised by `exit()` and `quit()`, and by no other SystemExit."""

    def __init__(self, *, keep_kernel: bool = False) -> None:
        super().__init__()
        self.payload: dict[str, Any] = {"source": "ask_exit", "keepkernel": keep_kernel}


class Quitter:
    """`exit` or `quit`; as a cell's last expression it need not be called."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"{self._name}() asks to end the kernel."

    def __call__(self, code: object = None, *, keep_kernel: bool = False) -> NoReturn:
        """End the cell and ask to end the kernel."""
        del code
        raise LeaveKernel(keep_kernel=keep_kernel)
