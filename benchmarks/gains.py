#!/usr/bin/env python3
"""What each thing that was done for speed gains, and what each guard costs: undone one at a time.

    gains.py kernel NAME -f FILE    (used by itself) a kernel with one of them undone

Batches go to the kernels in turn; ratios are to the kernel as it is, turn by turn.
"""

from __future__ import annotations

import hmac
import json
import queue
import statistics
import sys
import threading
from typing import TYPE_CHECKING, Any

import msgspec
from harness import OURS, Kernel, Report, ratios, repeat, run, spread, started

from minikernel.auth import jupyter_hmac
from minikernel.transport import sockets
from minikernel.wire import content, message

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

AS_IT_IS = "as it is"
TURNS, BATCH, PIPELINED = 16, 50, 500


def pyzmqs_multipart_calls() -> None:
    def wait(inbox: Any) -> list[bytes]:
        frames: list[bytes] = inbox._socket.recv_multipart()  # noqa: SLF001 - takes its place
        return frames

    def send(socket: Any, frames: Sequence[bytes]) -> bool:
        socket.send_multipart(frames, sockets.NOBLOCK)
        return True

    sockets.send = send
    sockets.Inbox.wait = wait  # type: ignore[method-assign]


def poll_before_each_receive() -> None:
    plain = sockets.Inbox.wait

    def wait(inbox: Any) -> list[bytes]:
        inbox._socket.poll()  # noqa: SLF001 - takes its place
        return plain(inbox)

    sockets.Inbox.wait = wait  # type: ignore[method-assign]


def key_anew_for_each_hmac() -> None:
    begin = jupyter_hmac.JupyterHmac.__init__

    def __init__(self: Any, key: Any, *more: Any, **options: Any) -> None:  # noqa: N807 - takes its place
        begin(self, key, *more, **options)
        self.key = key.reveal()

    def digest(self: Any, frames: Sequence[bytes]) -> bytes:
        return hmac.new(self.key, b"".join(frames[:4]), "sha256").digest()

    setattr(jupyter_hmac.JupyterHmac, "__init__", __init__)  # noqa: B010 - mypy refuses the assignment
    setattr(jupyter_hmac.JupyterHmac, "_digest", digest)  # noqa: B010 - likewise


def json_of_the_standard_library() -> None:
    def loads(frame: bytes, decoder: Any) -> Any:
        return msgspec.convert(json.loads(frame), decoder.type)

    message.loads = loads
    message.dumps = lambda value: json.dumps(value, separators=(",", ":")).encode()


def states_encoded_each_time() -> None:
    content.BUSY = {"execution_state": "busy"}  # type: ignore[assignment]
    content.IDLE = {"execution_state": "idle"}  # type: ignore[assignment]


def a_thread_that_sends_on_iopub() -> None:
    from minikernel.kernel import publisher  # noqa: PLC0415 - takes names from what is undone

    waiting: queue.SimpleQueue[tuple[Any, list[bytes]]] = queue.SimpleQueue()

    def send_all() -> None:
        while True:
            sockets.send(*waiting.get())

    publisher.send = lambda socket, frames: waiting.put((socket, frames)) or True
    threading.Thread(target=send_all, daemon=True).start()


UNDONE: dict[str, Callable[[], None]] = {
    "frames without pyzmq's multipart calls": pyzmqs_multipart_calls,
    "a blocking receive, no poll": poll_before_each_receive,
    "a keyed HMAC that is copied": key_anew_for_each_hmac,
    "msgspec instead of json": json_of_the_standard_library,
    "busy and idle encoded once": states_encoded_each_time,
    "no thread and queue for iopub": a_thread_that_sends_on_iopub,
}
WITHOUT = {"replay memory and the other guards": ("--guards", "off")}
LOOP = "no asyncio until a cell wants it"


def kernel(name: str, arguments: list[str]) -> None:
    """Undo one thing, then be the kernel."""
    UNDONE[name]()
    from minikernel.cli.app import main  # noqa: PLC0415 - likewise

    sys.argv[1:] = ["run", "--history", "off", *arguments]
    sys.exit(main())


def measure(options: argparse.Namespace) -> Report:
    turns, batch, cells = (1, 3, 10) if options.quick else (TURNS, BATCH, PIPELINED)
    file = ["-f", "{connection_file}"]
    commands = {AS_IT_IS: OURS, LOOP: OURS}
    commands |= {n: [sys.executable, __file__, "kernel", n, *file] for n in UNDONE}
    commands |= {n: [*OURS, *more] for n, more in WITHOUT.items()}
    times: dict[str, list[float]] = {name: [] for name in commands}
    piped: dict[str, list[float]] = {name: [] for name in commands}
    with started(commands) as kernels:
        kernels[LOOP].round_trip("import asyncio; await asyncio.sleep(0)")
        for _ in range(turns):
            for name, one in kernels.items():
                times[name].append(statistics.median(trips(one, batch)))
                piped[name].append(1 / (one.pipelined(cells) or 0.001))
    report = Report("What each thing gains")
    report.say(
        f"Each row is a kernel with one thing undone, against the kernel as it is, {turns} turns of"
        f" {batch} round trips of `pass` and of {cells} pipelined cells each; a raw client. Ratios"
        " of time, median (least-greatest) of the turns: 1.10 means that undoing it costs 10 %."
    )
    rows = [
        (name, *(spread(ratios(of[name], of[AS_IT_IS])) for of in (times, piped)))
        for name in commands
        if name != AS_IT_IS
    ]
    report.table(["undone", "round trip, ratio", "pipelined, ratio"], rows)
    report.facts = {name: ratios(times[name], times[AS_IT_IS]) for name in commands}
    return report


def trips(one: Kernel, batch: int) -> list[float]:
    return repeat(lambda: one.round_trip("pass"), batch)


if __name__ == "__main__":
    if sys.argv[1:2] == ["kernel"]:
        kernel(sys.argv[2], sys.argv[3:])
    run(measure, __doc__)
