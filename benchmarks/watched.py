#!/usr/bin/env python3
"""A kernel like any other, but with a stopwatch (stages.py starts it).

watched.py FILE OUT REQUESTS    after so many requests it writes the times of its stages to OUT
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from stopwatch import Stopwatch, watch_protocol

from minikernel.interpreter import python
from minikernel.interpreter.steps import Caller
from minikernel.kernel import publisher, service
from minikernel.kernel.options import Options
from minikernel.kernel.streams import Streams
from minikernel.protocol.end import ChannelEnd
from minikernel.transport import sockets


def main(file: str, out: str, requests: str) -> None:
    watch = Stopwatch()
    watch_protocol(watch)
    receive = watch.timed("receive", sockets.Inbox.wait)

    def wait_and_receive(inbox: Any) -> list[bytes]:
        watch.end()
        if len(watch.requests) == int(requests):
            Path(out).write_text(json.dumps(watch.medians()))
        inbox._socket.poll()  # noqa: SLF001 - only the time from here on counts
        watch.begin()
        return receive(inbox)  # type: ignore[no-any-return]

    sockets.Inbox.wait = wait_and_receive  # type: ignore[method-assign]
    watch.watch("publish: lock, new subscribers", publisher.Publisher, "publish", "_greet")
    watch.watch("encode", publisher, "dumps")
    watch.watch("encode", ChannelEnd, "compose")
    watch.watch("send", publisher, "send")
    watch.watch("send", sockets, "send")
    watch.watch("compile", python, "compile_cell")
    watch.watch("execute", Caller, "call")
    watch.watch("streams", Streams, "flush")
    engine = python.PythonEngine
    engine.execute = watch.timed_coroutine("engine", engine.execute)  # type: ignore[method-assign]
    service.run(Options(connection_file=file, history_file="off"))


if __name__ == "__main__":
    main(*sys.argv[1:])
