"""Users of a kernel: each a client of the project's own, in its own thread."""

from __future__ import annotations

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import create, find
from minikernel.client.blocking import MiniKernelClient
from minikernel.client.ledger import NAMES
from minikernel.client.verifier import Verifier
from minikernel.errors import MinikernelError
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from concurrent.futures import Future

    from minikernel.client.channels import HeartbeatChannel
    from minikernel.client.conversation import Option
    from minikernel.client.result import Result
    from minikernel.client.verifier import TraceEvent
    from minikernel.wire.message import Json

_T = TypeVar("_T")
PATIENCE = 20.0  # seconds until an attack is given up as broken


class BareClient(MiniKernelClient):
    """Verifies as Jupyter's specification says, and remembers nothing."""

    @property
    def verifier(self) -> Verifier:
        """Judges all messages of this client."""
        if self._verifier is None:
            name = self.session.signature_scheme
            scheme = create(name, SecretKey(self.session.key))
            self._verifier = Verifier(scheme, self.session, find(name).traits)
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

    def start(self, code: str, **options: Option) -> Future[Result]:
        """Begin to run a cell."""
        options.setdefault("timeout", PATIENCE)
        options.setdefault("allow_stdin", "on_input" in options)
        return self._thread.submit(lambda: self.client.run(code, **options))

    def run(self, code: str, **options: Option) -> Result:
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
        **header: Json,
    ) -> str:
        """Send one message, and wait for nothing; what its header says can be a lie.

        Returns:
            The msg_id.
        """

        def send() -> str:
            msg = self.client.session.msg(kind, content, parent=parent)
            msg["header"].update(header)
            msg["buffers"] = list(buffers)
            getattr(self.client, f"{channel.value}_channel").send(msg)
            return str(msg["header"]["msg_id"])

        return self._thread.submit(send).result()

    def execute(self, code: str, *, buffers: tuple[bytes, ...] = (), **header: Json) -> None:
        """Send a cell, and wait for nothing."""
        content: dict[str, Any] = {"code": code, "silent": False, "allow_stdin": False}
        self.say(Channel.SHELL, "execute_request", content, buffers=buffers, **header)

    def do(self, act: Callable[[MiniKernelClient], _T]) -> _T:
        """Do something else with the client."""
        return self._thread.submit(act, self.client).result()

    def next_reply(self, channel: Channel, asked: Collection[str]) -> str:
        """Which of these requests the next reply to one of them answers, by their msg_id."""

        def wait(client: MiniKernelClient) -> str:
            take = _take(client, channel)
            while (parent := take(timeout=PATIENCE)["parent_header"].get("msg_id")) not in asked:
                pass
            return str(parent)

        return str(self.do(wait))

    @contextlib.contextmanager
    def traced(self) -> Iterator[list[TraceEvent]]:
        """Record what passes meanwhile, and what becomes of it."""
        came: list[TraceEvent] = []
        self.do(lambda client: setattr(client, "trace", came.append))
        try:
            yield came
        finally:
            self.do(lambda client: setattr(client, "trace", None))

    def status_of(self, channel: Channel, kind: str, **header: Json) -> str:
        """Ask, and return what the reply says, whoever gets it; "none": none came before the next.

        Args:
            channel: control, where replies come in the order of the questions.
            kind: of the question, without `_request`.
            header: what its header says, a lie perhaps.
        """
        with self.traced() as came:
            self.say(channel, f"{kind}_request", {}, **header)
            self.do(lambda client: client.auth_status())
        replies = [e for e in came if (e.direction, e.msg_type) == ("received", f"{kind}_reply")]
        return str(json.loads(replies[0].frames[-1])["status"]) if replies else "none"

    def replies_until(self, channel: Channel, asked: str) -> list[str]:
        """Their msg_ids, as the client hands them out, up to the one that answers `asked`."""

        def wait(client: MiniKernelClient) -> list[str]:
            take, given = _take(client, channel), []
            while True:
                reply = take(timeout=PATIENCE)
                given.append(str(reply["msg_id"]))
                if reply["parent_header"].get("msg_id") == asked:
                    return given

        replies: list[str] = self.do(wait)
        return replies

    def hurry(self, seconds: float) -> HeartbeatChannel:
        """Restart the heartbeat, with so many seconds between two pings."""

        def begin(client: MiniKernelClient) -> HeartbeatChannel:
            client.hb_channel.stop()
            client._hb_channel = None  # noqa: SLF001 - jupyter_client's; it starts only once
            channel: HeartbeatChannel = client.hb_channel
            channel.interval = channel.time_to_dead = seconds
            channel.start()
            return channel

        begun: HeartbeatChannel = self.do(begin)
        return begun

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
        """How many messages of this channel the kernel and it itself know to be missing."""

        def count(client: MiniKernelClient) -> int:
            name = NAMES.get(channel.value, channel.value)
            told = sum(row.gaps for row in client.auth_status() if row.channel == name)
            return told + client.ledger[name].gaps

        return int(self.do(count))

    def close(self) -> None:
        """Close the client."""
        with contextlib.suppress(MinikernelError):
            self._thread.submit(self.client.close).result()
        self._thread.shutdown()


def _take(client: MiniKernelClient, channel: Channel) -> Callable[..., Any]:
    return client.get_control_msg if channel is Channel.CONTROL else client.get_shell_msg
