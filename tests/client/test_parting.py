"""A forked child has no keys of its parent's."""

from __future__ import annotations

import gc
import os

import pytest

from minikernel.client.parting import forget_in_child, say_goodbye


class Holder:
    """Holds keys."""

    def __init__(self) -> None:
        self.keys = "keys"

    def forget_keys(self) -> None:
        self.keys = ""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Python 3.12: other threads, a fork
def test_a_child_forgets_and_its_parent_does_not() -> None:
    holder, gone = Holder(), Holder()
    forget_in_child(holder)
    forget_in_child(gone)
    del gone
    gc.collect()
    child = os.fork()
    if not child:
        os._exit(3 if holder.keys == "" else 4)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    assert holder.keys == "keys"


def test_who_has_sent_nothing_says_no_goodbye() -> None:
    say_goodbye(None, None, {})
