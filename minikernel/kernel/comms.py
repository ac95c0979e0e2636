"""Comms: the `comm` package's side of a kernel (messaging spec, "Custom Messages").

The package is what ipywidgets and others talk to; it is imported by them, or when a client opens
a comm, and without it a client's comm is closed at once, as the spec asks.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import msgspec

from minikernel.interpreter.imports import after_import
from minikernel.wire.message import loads_dict

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from minikernel.kernel.publisher import Publisher
    from minikernel.kernel.request import Requests
    from minikernel.wire.message import Message


class Comms:
    """The comms of a kernel, opened from either side.

    Args:
        publisher: of their messages.
        requests: know whose an output is.
        flush: publishes what was printed before.
    """

    def __init__(self, publisher: Publisher, requests: Requests, flush: Callable[[], None]) -> None:
        self._publisher = publisher
        self._requests = requests
        self._flush = flush
        self._manager: Any = None
        after_import("comm", self._install)

    def _install(self, comm: ModuleType) -> None:
        publisher, requests, flush = self._publisher, self._requests, self._flush
        manager = comm.base_comm.CommManager()

        class KernelComm(comm.base_comm.BaseComm):  # type: ignore[misc,name-defined]
            kernel = _CommKernel(publisher, requests, flush)

            def publish_msg(
                self,
                msg_type: str,
                data: object = None,
                metadata: dict[str, Any] | None = None,
                buffers: list[bytes] | None = None,
                **fields: object,
            ) -> None:
                content = {"data": data or {}, "comm_id": self.comm_id, **fields}
                flush()
                publisher.publish(
                    msg_type.encode(), content, metadata=metadata, buffers=buffers or ()
                )

        comm.create_comm = KernelComm  # type: ignore[attr-defined]
        comm.get_comm_manager = lambda: manager  # type: ignore[attr-defined]
        self._manager = manager

    def info(self, target_name: str | None) -> dict[str, dict[str, str]]:
        """The open comms, all or those of one target."""
        comms = self._manager.comms if self._manager else {}
        return {
            key: {"target_name": comm.target_name}
            for key, comm in comms.items()
            if target_name in {None, comm.target_name}
        }

    def handle(self, message: Message) -> None:
        """Pass a client's comm message on to whom it belongs."""
        if self._manager is None and importlib.util.find_spec("comm"):
            importlib.import_module("comm")
        msg_type = message.header.msg_type
        if self._manager is not None:
            getattr(self._manager, msg_type)(None, None, _as_dict(message))
        elif msg_type == "comm_open":
            content = {"comm_id": message.content.get("comm_id"), "data": {}}
            self._publisher.publish(b"comm_close", content)


class _CommKernel:
    """What ipywidgets' Output asks a comm's `kernel`, where there is no IPython.

    With it the widget knows which request's outputs to take, and shows an error inside it.
    """

    iopub_socket = None

    def __init__(self, publisher: Publisher, requests: Requests, flush: Callable[[], None]) -> None:
        self._publisher = publisher
        self._requests = requests
        self._flush = flush

    def get_parent(self) -> dict[str, Any]:
        """The request that outputs belong to; only its header."""
        return {"header": loads_dict(self._requests.mine().parent)}

    def send_response(self, _socket: None, msg_type: str, content: dict[str, Any]) -> None:
        """Publish a message that belongs to that request."""
        self._flush()
        self._publisher.publish(msg_type.encode(), content)


def _as_dict(message: Message) -> dict[str, Any]:
    """A message as jupyter_client would have decoded it."""
    header = msgspec.to_builtins(message.header)
    return {
        "header": header,
        "msg_id": message.header.msg_id,
        "msg_type": message.header.msg_type,
        "parent_header": message.parent_header,
        "metadata": message.metadata,
        "content": message.content,
        "buffers": [memoryview(b) for b in message.buffers],
    }
