"""Those who use a kernel: each a client of the project's own, in a thread of its own."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import create
from minikernel.client.blocking import MiniKernelClient
from minikernel.client.verifier import Verifier
from minikernel.errors import MinikernelError
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from minikernel.client.result import Result

PATIENCE = 20.0  # seconds until an attack is given up as broken
MESSAGES = (Channel.SHELL, Channel.CONTROL, Channel.STDIN, Channel.IOPUB)


class BareClient(MiniKernelClient):
    """Verifies as Jupyter's specification says, and remembers nothing."""

    @property
    def verifier(self) -> Verifier:
        """Judges all messages of this client."""
        if self._verifier is None:
            scheme = create(self.session.signature_scheme, SecretKey(self.session.key))
            self._verifier = Verifier(scheme, self.session)
        return self._verifier


class Person:
    """A client that somebody uses, in a thread of its own.

    Args:
        client: connected; closed with this.
        thread: where it was connected, and where all else is done with it.
    """

    def __init__(self, client: MiniKernelClient, thread: ThreadPoolExecutor) -> None:
        self.client = client
        self.session: str = client.session.session
        self._thread = thread

    @classmethod
    def connect(cls, make: Callable[[], MiniKernelClient]) -> Person:
        """Connect a client in a thread of its own."""
        thread = ThreadPoolExecutor(1)
        try:
            return cls(thread.submit(make).result(), thread)
        except BaseException:
            thread.shutdown()
            raise

    def start(self, code: str, **options: Any) -> Future[Result]:  # noqa: ANN401 - of `run`
        """Begin to run a cell."""
        options.setdefault("timeout", PATIENCE)
        options.setdefault("allow_stdin", "on_input" in options)
        return self._thread.submit(lambda: self.client.run(code, **options))

    def run(self, code: str, **options: Any) -> Result:  # noqa: ANN401 - likewise
        """Run a cell."""
        return self.start(code, **options).result()

    def gives_up(self, code: str, seconds: float = 0.3) -> bool:
        """Run a cell, and give it up if it takes longer; whether that was so."""
        try:
            self.run(code, timeout=seconds)
        except (TimeoutError, MinikernelError):
            return True
        return False

    def say(
        self,
        channel: Channel,
        kind: str,
        content: dict[str, Any],
        *,
        buffers: tuple[bytes, ...] = (),
        parent: dict[str, Any] | None = None,
        **header: str,
    ) -> None:
        """Send one message, and wait for nothing; what its header says can be a lie."""

        def send() -> None:
            msg = self.client.session.msg(kind, content, parent=parent)
            msg["header"].update(header)
            msg["buffers"] = list(buffers)
            getattr(self.client, f"{channel.value}_channel").send(msg)

        self._thread.submit(send).result()

    def execute(self, code: str, *, buffers: tuple[bytes, ...] = (), **header: Any) -> None:  # noqa: ANN401 - JSON
        """Send a cell, and wait for nothing."""
        content: dict[str, Any] = {"code": code, "silent": False, "allow_stdin": False}
        self.say(Channel.SHELL, "execute_request", content, buffers=buffers, **header)

    def do(self, act: Callable[[MiniKernelClient], Any]) -> Any:  # noqa: ANN401 - act's
        """Do something else with the client."""
        return self._thread.submit(act, self.client).result()

    def watch_until_a_cell_ends(self) -> str:
        """All that is printed on iopub, whoever's it is, until a cell of one's own has ended."""

        def watch(client: MiniKernelClient) -> str:
            msg_id, text = client.execute("None", allow_stdin=False), ""
            while True:
                msg = client.get_iopub_msg(timeout=PATIENCE)
                text += str(msg["content"].get("text", ""))
                idle = msg["content"].get("execution_state") == "idle"
                if idle and msg["parent_header"].get("msg_id") == msg_id:
                    return text

        return str(self.do(watch))

    def gaps(self, channel: Channel) -> int:
        """Messages of this client that the kernel or it itself knows to be missing."""

        def count(client: MiniKernelClient) -> int:
            own = client.ledger[channel.value] if channel in MESSAGES else None
            told = client.auth_status()[channel.value]
            return max(getattr(own, "gaps", 0), getattr(told, "gaps", 0))

        return int(self.do(count))

    def close(self) -> None:
        """Close the client."""
        with contextlib.suppress(MinikernelError):
            self._thread.submit(self.client.close).result()
        self._thread.shutdown()
