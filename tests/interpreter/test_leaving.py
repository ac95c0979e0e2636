"""`exit` and `quit`."""

from __future__ import annotations

import pytest

from minikernel.interpreter.leaving import LeaveKernel, Quitter


@pytest.mark.parametrize("keep", [False, True])
def test_leaving_asks_the_client(keep: bool) -> None:
    with pytest.raises(LeaveKernel) as leaving:
        Quitter("exit")(3, keep_kernel=keep)
    assert leaving.value.payload == {"source": "ask_exit", "keepkernel": keep}
    assert isinstance(leaving.value, SystemExit)
    assert leaving.value.code is None


def test_they_say_what_they_are_for() -> None:
    assert repr(Quitter("quit")) == "quit() asks to end the kernel."
