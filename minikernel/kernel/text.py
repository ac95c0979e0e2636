"""`sys.stdout` and `sys.stderr` of a kernel: text is kept until `Streams` takes it."""

from __future__ import annotations

import codecs
import io
import threading
from typing import TYPE_CHECKING, Protocol

from minikernel.interpreter.base import REQUEST

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from minikernel.kernel.request import Requests, Text

_mine = REQUEST.get


class Taker(Protocol):
    """Who takes what was written."""

    def grown(self, pending: Text, text: str, /) -> None:
        """There is more than its limit, with this text."""

    def published(self, pending: Text, /) -> None:
        """It is to be published now, or soon."""


class TextStream(io.TextIOBase):
    """sys.stdout or sys.stderr. `write` takes no lock and reads no clock."""

    __slots__ = (
        "_number",
        "_owner",
        "_requests",
        "alone",
    )  # a third of its cost, though __dict__ stays

    encoding = "utf-8"
    errors = "replace"
    newlines = None
    mode = "w"
    line_buffering = False
    write_through = False

    def __init__(self, owner: Taker, label: str, number: int, requests: Requests) -> None:
        self.name = f"<{label}>"
        self.buffer = ByteStream(self)
        self._owner = owner
        self._number = number  # in the texts of a request
        self._requests = requests
        # The running request's text, as long as no thread or task can have another request.
        self.alone: Text | None = requests.running.texts[number]
        requests.streams.append(self)

    def write(self, text: str, /) -> int:
        """Write; published a little later, with what follows.

        Raises:
            TypeError: `text` is not a string.
        """
        if type(text) is not str and not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        pending = self.alone or _mine(self._requests.running).texts[self._number]
        pending.parts.append(text)
        length = len(text)
        pending.size = size = pending.size + length
        if size > pending.limit:
            self._owner.grown(pending, text)
        return length

    @property
    def pending(self) -> Text:
        """What the request of this thread or task has written, and is not yet published."""
        return self._requests.mine().texts[self._number]

    def flush(self) -> None:
        """Publish what is pending; soon after another flush, in a moment."""
        self._owner.published(self.pending)

    def close(self) -> None:
        """Flush. The stream stays open: the next cell needs it."""
        self.flush()

    def detach(self) -> ByteStream:  # type: ignore[override]  # no BinaryIO, but used as one
        """Return `buffer`; the stream stays usable."""
        return self.buffer

    def reconfigure(self, **_options: object) -> None:
        """Flush; a stream of the kernel has no options."""
        self.flush()

    def fileno(self) -> int:
        """Return the descriptor that children inherit: 1 or 2."""
        return self._number + 1

    def writable(self) -> bool:
        """Return True."""
        return True


class ByteStream(io.BufferedIOBase):
    """`buffer` of a TextStream: UTF-8 that is written here takes its place among the text."""

    def __init__(self, stream: TextStream) -> None:
        self._stream = stream
        self.name = stream.name
        self.mode = "wb"
        self.reset()

    def reset(self) -> None:
        """Forget the part of a character that was written."""
        self._lock = threading.RLock()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def write(self, data: Buffer, /) -> int:
        """Write bytes of UTF-8; a character may come in parts."""
        raw = bytes(memoryview(data))
        with self._lock:
            text = self._decoder.decode(raw)
        self._stream.write(text)
        return len(raw)

    def flush(self) -> None:
        """Flush the text stream."""
        self._stream.flush()

    def close(self) -> None:
        """Flush; a wrapper that user code throws away must not close this one."""
        self.flush()

    def fileno(self) -> int:
        """Return the descriptor of the text stream."""
        return self._stream.fileno()

    def writable(self) -> bool:
        """Return True."""
        return True
