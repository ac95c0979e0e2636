"""What a language engine shows and asks, as messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from minikernel.interpreter.base import MimeBundle
    from minikernel.kernel.publisher import Publisher


class Ask(Protocol):
    """Asks the user for a line."""

    def __call__(self, prompt: str, *, password: bool) -> str:
        """The line."""


class Frontend:
    """The kernel, as `interpreter.base.Frontend` sees it."""

    def __init__(self, publisher: Publisher, flush: Callable[[], None], ask: Ask) -> None:
        self._publisher = publisher
        self._flush = flush  # what was printed before comes before
        self._ask = ask

    def display(
        self,
        data: MimeBundle,
        metadata: MimeBundle,
        *,
        display_id: str | None = None,
        update: bool = False,
    ) -> None:
        """Publish a display, or the new content of one."""
        self._flush()
        transient = {} if display_id is None else {"display_id": display_id}
        content = {"data": data, "metadata": metadata, "transient": transient}
        msg_type = b"update_display_data" if update else b"display_data"
        self._publisher.publish(msg_type, content)

    def result(self, count: int, data: MimeBundle, metadata: MimeBundle) -> None:
        """Publish the value of a cell."""
        self._flush()
        content = {"execution_count": count, "data": data, "metadata": metadata}
        self._publisher.publish(b"execute_result", content)

    def clear_output(self, *, wait: bool = False) -> None:
        """Publish the wish to clear the cell's output."""
        self._flush()
        self._publisher.publish(b"clear_output", {"wait": wait})

    def input(self, prompt: str, *, password: bool = False) -> str:
        """Ask over stdin."""
        self._flush()
        return self._ask(prompt, password=password)
