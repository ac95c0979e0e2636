"""What the reaper's own process is, and what the kernel finds around it."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.bridge.behind import is_running, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bridge.behind import Behind

    Start = Callable[..., Behind]

# What a program sees of itself, on one line.
MIRROR = """
import json, os, signal, sys, time
seen = {
    "pid": os.getpid(), "parent": os.getppid(), "session": os.getsid(0), "group": os.getpgid(0),
    "told": int(os.environ["JPY_PARENT_PID"]),
    "ignored": [s.name for s in signal.Signals if signal.getsignal(s) == signal.SIG_IGN],
    "blocked": [s.name for s in signal.pthread_sigmask(signal.SIG_BLOCK, ())],
    "open": sorted(os.listdir("/dev/fd"))[:-1],
}
print(json.dumps(seen), flush=True)
time.sleep(600)
"""
# Python ignores these itself.
PYTHONS_OWN = {"SIGPIPE", "SIGXFSZ"}
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="a child subreaper is of Linux")


def mirror(behind: Start, *before: str) -> tuple[Behind, dict[str, Any]]:
    one = behind(*before, sys.executable, "-c", MIRROR)
    return one, json.loads(one.said())


def test_the_kernel_is_the_child_of_the_reaper_and_leads_a_session(behind: Start) -> None:
    one, seen = mirror(behind)
    assert (seen["pid"], seen["session"], seen["group"]) == (one.kernel,) * 3
    assert seen["parent"] == seen["told"] == one.reaper
    assert os.getsid(one.reaper) not in {one.bridge, one.kernel}


def test_neither_is_a_descendant_of_the_bridge(behind: Start) -> None:
    one, _ = mirror(behind)
    assert psutil.Process(one.bridge).children(recursive=True) == []


def test_the_kernel_has_the_signals_of_any_program(behind: Start) -> None:
    _, seen = mirror(behind)
    assert set(seen["ignored"]) == PYTHONS_OWN
    assert seen["blocked"] == []


@pytest.mark.parametrize(("ignored", "kept"), [("INT", set()), ("HUP", {"SIGHUP"})])
def test_what_the_bridge_was_started_to_ignore(behind: Start, ignored: str, kept: set[str]) -> None:
    number = signal.Signals[f"SIG{ignored}"]
    before = signal.signal(number, signal.SIG_IGN)  # inherited, as from a shell or nohup
    try:
        _, seen = mirror(behind)
    finally:
        signal.signal(number, before)
    assert set(seen["ignored"]) == PYTHONS_OWN | kept


def test_no_descriptor_is_passed_on_but_the_streams(behind: Start) -> None:
    one, seen = mirror(behind)
    assert set(seen["open"]) <= {"0", "1", "2", "3"}  # the last one is of the listing
    if sys.platform == "linux":
        held = {Path(f"/proc/{one.reaper}/fd/{fd}").readlink() for fd in (0, 1, 2)}
        assert held == {Path("/dev/null")}
        assert Path(f"/proc/{one.reaper}/cwd").readlink() == Path("/")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_the_reaper_is_deaf(behind: Start, number: int) -> None:
    one, _ = mirror(behind)
    os.kill(one.reaper, number)
    one.signal(signal.SIGTERM)  # which it still passes on; without it, the end is by SIGKILL
    assert one.told() == str(-signal.SIGTERM)


@on_linux
def test_orphans_become_its_children_and_are_waited_for(behind: Start) -> None:
    one = behind("sh", "-c", "(setsid sh -c 'echo $$; exec sleep 600' &); exec sleep 600")
    orphan = int(one.said())
    wait_until(lambda: psutil.Process(orphan).ppid() == one.reaper)
    os.kill(orphan, signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(orphan))  # not even as a zombie
    assert is_running(one.kernel)


def test_those_that_heed_it_get_sigterm_once(behind: Start, tmp_path: Any) -> None:
    log = tmp_path / "log"
    trap = f"trap 'echo TERM >> {log}; sleep 0.3; echo done >> {log}; exit' TERM"
    one = behind("sh", "-c", f"{trap}; echo READY; while :; do sleep 0.05; done")
    assert one.said() == "READY"
    os.kill(one.bridge, signal.SIGKILL)
    one.wait_until_nothing_is_left()
    assert log.read_text().split() == ["TERM", "done"]
