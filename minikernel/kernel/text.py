"""`sys.stdout` and `sys.stderr` of a kernel: text is kept until `Streams` takes it."""

from __future__ import annotations

import codecs
import io
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from minikernel.kernel.streams import Streams


class TextStream(io.TextIOBase):
    """sys.stdout or sys.stderr.

    `write` takes no lock and reads no clock: appending to a list is atomic, and `size` may err
    when threads race, which only moves the point where the text is published.
    """

    __slots__ = ("limit", "parts", "size")  # a third of the cost of `write`, though __dict__ stays

    encoding = "utf-8"
    errors = "replace"
    newlines = None
    mode = "w"
    line_buffering = False
    write_through = False

    def __init__(self, owner: Streams, label: str, descriptor: int) -> None:
        self.label = label
        self.name = f"<{label}>"
        self.parts: list[str] = []
        self.size = 0  # characters in parts
        self.limit = -1  # size from which `owner` wants to know; -1 if nothing is pending
        self.buffer = ByteStream(self)
        self._owner = owner
        self._descriptor = descriptor

    def write(self, text: str, /) -> int:
        """Write; published a little later, with what follows.

        Raises:
            TypeError: `text` is not a string.
        """
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self.parts.append(text)
        length = len(text)
        self.size = size = self.size + length
        if size > self.limit:
            self._owner.grown(self, text)
        return length

    def take(self) -> str:
        """Hand over what is pending; the caller holds the lock.

        The list stays the same one, because a thread may be about to append to it. The limit is
        set first: a text that comes too late to be taken then reports itself.
        """
        self.limit = -1
        self.size = 0
        parts = self.parts.copy()
        del self.parts[: len(parts)]
        return "".join(parts)

    def flush(self) -> None:
        """Publish what is pending, as one message."""
        self._owner.published(self)

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
        return self._descriptor

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
