"""What a cell gave: collected from the messages of one execute_request, shown richly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from minikernel.client.escape import plain, shortened
from minikernel.client.render import as_html
from minikernel.errors import CellError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from minikernel.client.verifier import Msg

SHOWN = 60  # characters of a value that a repr shows


class Failure(NamedTuple):
    """The exception that ended a cell."""

    ename: str
    evalue: str
    traceback: list[str]  # lines, with colours


@dataclass(frozen=True, kw_only=True, repr=False)
class Result:
    """The outcome of one cell.

    Args:
        status: "ok", "error" or "aborted".
        execution_count: the cell's number; None if the kernel gave none.
        outputs: in nbformat 4's form, streams joined, display updates and clear_output applied.
        displayed: those of the outputs that have a display_id, by it.
        updates: contents of all update_display_data: they may be meant for earlier cells' outputs.
        error: the exception, if one ended the cell.
        user_expressions: of the reply, by name.
        payload: of the reply.
        complete: whether the end of the outputs came; False if it was lost.
        missed: messages of iopub, all cells' together, that were lost while this one ran, as far
            as those that came show it. With the end lost, the next cell's first message shows
            the rest, in the ledger.
        reply: the execute_reply.
    """

    status: str
    execution_count: int | None
    outputs: list[dict[str, Any]]
    displayed: dict[str, list[dict[str, Any]]]
    updates: list[dict[str, Any]]
    error: Failure | None
    user_expressions: dict[str, Any]
    payload: list[dict[str, Any]]
    complete: bool
    missed: int
    reply: Msg

    @property
    def stdout(self) -> str:
        """All that was written to standard output."""
        return self._stream("stdout")

    @property
    def stderr(self) -> str:
        """All that was written to standard error."""
        return self._stream("stderr")

    @property
    def data(self) -> dict[str, Any]:
        """The value of the cell's last expression, by MIME type; empty if it has none."""
        return next((output["data"] for output in self._of("execute_result")), {})

    @property
    def value(self) -> str | None:
        """The value's repr, if there is a value."""
        text = self.data.get("text/plain")
        return None if text is None else str(text)

    @property
    def displays(self) -> list[dict[str, Any]]:
        """What was displayed, each with `data` by MIME type and `metadata`."""
        return list(self._of("display_data"))

    def raise_for_error(self) -> Result:
        """This result, unless the cell failed.

        Raises:
            CellError: it did, or it was aborted.
        """
        if self.status == "ok":
            return self
        failure = self.error or Failure(self.status, "the kernel did not run this cell", [])
        text = f"{plain(failure.ename)}: {plain(failure.evalue)}"
        trace = plain("\n".join(failure.traceback))
        raise CellError(f"{text}\n{trace}".rstrip(), **failure._asdict())

    def _stream(self, name: str) -> str:
        return "".join(out["text"] for out in self._of("stream") if out["name"] == name)

    def _of(self, output_type: str) -> Iterator[dict[str, Any]]:
        return (output for output in self.outputs if output["output_type"] == output_type)

    def __repr__(self) -> str:
        return f"Result({', '.join(self._facts())})"

    def _facts(self) -> Iterator[str]:
        yield shortened(self.status, SHOWN)
        if self.execution_count is not None:
            yield f"[{self.execution_count}]"
        if self.value is not None:
            yield f"value={shortened(self.value, SHOWN)}"
        for name in ("stdout", "stderr"):
            if text := self._stream(name):
                yield f"{name}={len(text)} characters"
        if self.displays:
            yield f"displays={len(self.displays)}"
        if self.error is not None:
            yield shortened(f"{self.error.ename}: {self.error.evalue}", SHOWN)
        if not self.complete:
            yield "incomplete"
        if self.missed:
            yield f"missed={self.missed}"

    def _repr_html_(self) -> str:
        return as_html(self.outputs)

    def _repr_mimebundle_(
        self,
        include: object = None,  # noqa: ARG002 - IPython's signature
        exclude: object = None,  # noqa: ARG002 - as above
    ) -> dict[str, Any]:
        """The bundle of the only output if there is just one, else all of them as HTML."""
        if len(self.outputs) == 1 and "data" in self.outputs[0]:
            return {"text/plain": repr(self), **self.outputs[0]["data"]}
        return {"text/plain": repr(self), "text/html": self._repr_html_()}


class Collector:
    """Collects the outputs of one request.

    A peer may be authentic and yet wrong: fields that are missing or of a wrong type count as
    empty.

    Args:
        missed: how many messages of iopub the client has missed so far.
    """

    def __init__(self, missed: Callable[[], int]) -> None:
        self._missed = missed
        self._missed_before = missed()
        self._outputs: list[dict[str, Any]] = []
        self._displays: dict[str, list[dict[str, Any]]] = {}  # by display_id
        self._updates: list[dict[str, Any]] = []
        self._clear_next = False

    def add(self, msg: Msg) -> None:
        """Take a message of iopub that belongs to the request."""
        if msg["content"].get("execution_state") == "busy":
            self._missed_before = self._missed()  # this first message shows what came before it
        take = self._takes.get(msg["msg_type"])
        if take is not None:
            take(self, msg["content"])

    def result(self, reply: Msg, *, complete: bool) -> Result:
        """All that came."""
        content = reply["content"]
        count = content.get("execution_count")
        return Result(
            status=str(content.get("status", "error")),
            execution_count=count if isinstance(count, int) else None,
            outputs=[_joined(output) for output in self._outputs],
            displayed=self._displays,
            updates=self._updates,
            error=_failure(content) if content.get("status") == "error" else None,
            user_expressions=_dict(content.get("user_expressions")),
            payload=[item for item in _list(content.get("payload")) if isinstance(item, dict)],
            complete=complete,
            missed=self._missed() - self._missed_before,
            reply=reply,
        )

    def _append(self, output: dict[str, Any]) -> None:
        if self._clear_next:
            self._clear()
        self._outputs.append(output)

    def _stream(self, content: dict[str, Any]) -> None:
        name, text = str(content.get("name", "stdout")), str(content.get("text", ""))
        last = self._outputs[-1] if self._outputs and not self._clear_next else {}
        if last.get("name") == name:
            last["text"].append(text)
        else:
            self._append({"output_type": "stream", "name": name, "text": [text]})

    def _display(self, content: dict[str, Any]) -> None:
        output = {"output_type": "display_data", **_bundle(content)}
        self._append(output)
        if (display_id := _display_id(content)) is not None:
            self._displays.setdefault(display_id, []).append(output)

    def _value(self, content: dict[str, Any]) -> None:
        count = content.get("execution_count")
        output = {"output_type": "execute_result", "execution_count": count, **_bundle(content)}
        self._append(output)
        if (display_id := _display_id(content)) is not None:
            self._displays.setdefault(display_id, []).append(output)

    def _update(self, content: dict[str, Any]) -> None:
        self._updates.append(content)
        for output in self._displays.get(_display_id(content) or "", ()):
            output.update(_bundle(content))

    def _error(self, content: dict[str, Any]) -> None:
        self._append({"output_type": "error", **_failure(content)._asdict()})

    def _clear_output(self, content: dict[str, Any]) -> None:
        if content.get("wait"):
            self._clear_next = True
        else:
            self._clear()

    def _clear(self) -> None:
        self._clear_next = False
        self._outputs.clear()
        self._displays.clear()

    _takes: ClassVar = {
        "stream": _stream,
        "display_data": _display,
        "execute_result": _value,
        "update_display_data": _update,
        "error": _error,
        "clear_output": _clear_output,
    }


def _joined(output: dict[str, Any]) -> dict[str, Any]:
    if output["output_type"] == "stream":
        output["text"] = "".join(output["text"])
    return output


def _bundle(content: dict[str, Any]) -> dict[str, Any]:
    return {"data": _dict(content.get("data")), "metadata": _dict(content.get("metadata"))}


def _display_id(content: dict[str, Any]) -> str | None:
    display_id = _dict(content.get("transient")).get("display_id")
    return display_id if isinstance(display_id, str) else None


def _failure(content: dict[str, Any]) -> Failure:
    lines = [str(line) for line in _list(content.get("traceback"))]
    return Failure(str(content.get("ename", "")), str(content.get("evalue", "")), lines)


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
