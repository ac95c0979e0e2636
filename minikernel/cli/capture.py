"""What the cells of a notebook show, put into the notebook as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_output

if TYPE_CHECKING:
    from minikernel import MiniKernelClient
    from minikernel.client.verifier import Msg


class Capture(NotebookClient):
    """nbclient's view of outputs, displays that are updated, and widgets, without its kernel.

    Lines of one stream are joined, and in the notebook at any time after `settle`.

    Args:
        book: the notebook; its outputs are changed in place.
        client: what Output widgets answer through.
    """

    def __init__(self, book: NotebookNode, client: MiniKernelClient) -> None:
        super().__init__(book, record_timing=False)
        self.kc = client
        self._stream: Any = None  # the output that goes on
        self._more: list[str] = []

    def begin(self, index: int) -> None:
        """Cell number `index` begins: it has no outputs yet."""
        cell = self.nb.cells[index]
        cell["outputs"], cell["execution_count"] = [], None
        self.clear_before_next_output = False
        self.clear_display_id_mapping(index)

    def take(self, msg: Msg, index: int) -> None:
        """Take a message of iopub that belongs to cell number `index`."""
        if msg["msg_type"] != "status":
            self.process_message(msg, self.nb.cells[index], index)

    def page(self, data: dict[str, Any], index: int) -> None:
        """Show what a reply brought: help, say."""
        self.settle()
        self.nb.cells[index]["outputs"].append(new_output("display_data", data))

    def output(
        self, outs: list[NotebookNode], msg: dict[str, Any], display_id: str | None, cell_index: int
    ) -> NotebookNode | None:
        """Append an output, or go on with the last one."""
        content, last = msg["content"], outs[-1] if outs else NotebookNode()
        hooked = self.output_hook_stack[msg["parent_header"].get("msg_id")]
        goes_on = last is self._stream and not self.clear_before_next_output
        if goes_on and not hooked and content.get("name") == last["name"]:
            self._more.append(content["text"])
            return last
        self.settle()
        out = super().output(outs, msg, display_id, cell_index)
        self._stream = out if out is not None and out["output_type"] == "stream" else None
        return out

    def settle(self) -> None:
        """Put all lines that came into the notebook."""
        if self._more:
            self._stream["text"] += "".join(self._more)
            self._more.clear()
