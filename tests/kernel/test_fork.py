"""What a forked child forgets, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os, signal
from minikernel.kernel import fork
from minikernel.kernel.streams import Streams

class Part:
    def __init__(self): self.keys = 1
    def forget(self): self.keys = 0

class Broken:
    def forget(self): raise KeyError

got = []
streams = Streams(lambda name, text, parent: got.append(text))
first, last = Part(), Part()
fork.forget_in_children(streams, first, Broken(), last)
signal.signal(signal.SIGINT, signal.SIG_IGN)
streams.start()
print("pending", end="")
if os.fork() == 0:
    print("from the child", flush=True)
    handler = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    kept = [first.keys, last.keys, fork.happened(), handler]
    os._exit(kept != [0, 0, True, True])
status = os.waitstatus_to_exitcode(os.wait()[1])
kept = [first.keys, last.keys, fork.happened()]
held = signal.pthread_sigmask(signal.SIG_BLOCK, [])
streams.stop()
print(status, kept, held, got)
"""


def test_a_child_is_no_kernel_and_its_parent_still_is() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        capture_output=True,
        check=False,
        timeout=100,
        text=True,
    )
    assert done.stdout == "0 [1, 1, False] set() ['pending', 'from the child\\n']\n", done.stderr
