"""What a language engine shows and asks, as messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.kernel import fork

if TYPE_CHECKING:
    from collections.abc import Callable

    from minikernel.interpreter.base import MimeBundle
    from minikernel.kernel.publisher import Publisher
    from minikernel.kernel.questions import Questions


class Frontend:
    """The kernel, as `interpreter.base.Frontend` sees it."""

    def __init__(
        self, publisher: Publisher, flush: Callable[[], None], questions: Questions
    ) -> None:
        self._publisher = publisher
        self._flush = flush  # what was printed before comes before
        self._questions = questions

    def display(
        self,
        data: MimeBundle,
        metadata: MimeBundle,
        *,
        display_id: str | None = None,
        update: bool = False,
        transient: MimeBundle | None = None,
    ) -> None:
        """Publish a display, or the new content of one."""
        self._flush()
        transient = dict(transient or {})
        if display_id is not None:
            transient["display_id"] = display_id
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
        if fork.happened():
            raise EOFError("a forked child can't ask for input")
        self._flush()
        return self._questions.input(prompt, password=password)
