"""Who listens to an encrypted kernel, who connects to it, and its list of clients."""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import zmq
from jupyter_client.blocking.client import BlockingKernelClient
from zmq.utils.monitor import parse_monitor_message

import minikernel
from minikernel.cli.app import main
from minikernel.errors import KernelDied
from minikernel.transport import connection, curve
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import KernelProcess

    StartKernel = Callable[..., KernelProcess]

PATIENCE = 20
PORTS = tuple(connection.PORTS.values())
KINDS = {
    "shell_port": zmq.DEALER,
    "control_port": zmq.DEALER,
    "stdin_port": zmq.DEALER,
    "iopub_port": zmq.SUB,
    "hb_port": zmq.REQ,
}
SECRETS = ("key", "curve_secretkey", "curve_client_secretkey")


def until(claim: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.01)  # a poll with a deadline


class Tap:
    """Stands between a client and all ports of a kernel, and records what it passes on."""

    def __init__(self, info: dict[str, Any]) -> None:
        self.heard = bytearray()
        self.info = dict(info)
        self._selector = selectors.DefaultSelector()
        for name in PORTS:
            listener = socket.create_server(("127.0.0.1", 0))
            self.info[name] = listener.getsockname()[1]
            self._selector.register(listener, selectors.EVENT_READ, info[name])
        self._ended = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended:
            for key, _ in self._selector.select(0.05):
                if isinstance(key.data, int):
                    self._join(key.fileobj.accept()[0], key.data)  # type: ignore[union-attr]
                else:
                    self._pass(key.fileobj, key.data)

    def _join(self, near: socket.socket, port: int) -> None:
        far = socket.create_connection(("127.0.0.1", port))
        self._selector.register(near, selectors.EVENT_READ, far)
        self._selector.register(far, selectors.EVENT_READ, near)

    def _pass(self, source: Any, target: socket.socket) -> None:
        if source.fileno() < 0:
            return  # closed with its other end, in the same turn
        data = source.recv(1 << 16)
        self.heard += data
        if data:
            target.sendall(data)
            return
        for end in (source, target):
            self._selector.unregister(end)
            end.close()

    def close(self) -> None:
        self._ended = True
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()


def overhear(kernel: KernelProcess, tmp_path: Path) -> bytes:
    tap = Tap(kernel.info)
    path = tmp_path / f"{uuid.uuid4().hex}.json"
    connection.write(path, tap.info)
    try:
        with minikernel.connect(path) as client:
            code = "code = 'sent ' + input('asked '); print('shown')"
            client.run(code, on_input=lambda *_: "typed")
            assert client.run("code").value == "'sent typed'"
            until(lambda: client.ledger["heartbeat"].beats)
    finally:
        tap.close()
    return bytes(tap.heard)


WORDS = (b"sent ", b"typed", b"asked ", b"shown", b"ping 1", b"execute_request", b"msg_id")


def test_who_listens_reads_nothing(start_kernel: StartKernel, tmp_path: Path) -> None:
    plain = overhear(start_kernel(name="plain"), tmp_path)
    assert all(word in plain for word in WORDS)
    kernel = start_kernel(name="encrypted", **curve.new_pair())
    heard = overhear(kernel, tmp_path)
    assert len(heard) > len(plain)
    assert not any(word in heard for word in WORDS)
    assert not any(kernel.info[name].encode() in heard for name in SECRETS[:2])


class Visitor:
    """Connects to one port, and is told by libzmq what came of it."""

    def __init__(self, info: dict[str, Any], port: str, keys: curve.ClientKeys | None) -> None:
        self._context = zmq.Context()
        self._context.linger = 0
        self.socket = self._context.socket(KINDS[port])
        self._monitor = self.socket.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_SUCCEEDED
            | zmq.EVENT_HANDSHAKE_FAILED_AUTH
            | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
            | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
        )
        if KINDS[port] == zmq.SUB:
            self.socket.subscribe(b"")
        if keys is not None:
            keys.secure(self.socket)
        self.socket.connect(f"tcp://127.0.0.1:{info[port]}")

    def outcome(self) -> int:
        assert self._monitor.poll(PATIENCE * 1000)
        return int(parse_monitor_message(self._monitor.recv_multipart())["event"])

    def close(self) -> None:
        self.socket.disable_monitor()
        self._context.destroy(0)


def visit(info: dict[str, Any], port: str, keys: curve.ClientKeys | None) -> int:
    with contextlib.closing(Visitor(info, port, keys)) as visitor:
        return visitor.outcome()


def visit_all(info: dict[str, Any], *keys: curve.ClientKeys | None) -> list[int]:
    """What becomes of visitors of each port with each of the keys, all at the same time."""
    with contextlib.ExitStack() as stack:
        visitors = [Visitor(info, port, each) for port in PORTS for each in keys]
        for visitor in visitors:
            stack.enter_context(contextlib.closing(visitor))
        return [visitor.outcome() for visitor in visitors]


def stranger(kernel: KernelProcess) -> curve.ClientKeys:
    """Knows the kernel's public key, and nothing else."""
    fields, _ = curve.client_fields(curve.new_pair())
    keys = curve.client_keys({**fields, "curve_serverkey": kernel.info["curve_publickey"]})
    assert keys is not None
    return keys


def shared(kernel: KernelProcess) -> curve.ClientKeys:
    """Has the kernel's pair, as all of Jupyter's clients have."""
    keys = curve.client_keys(kernel.info)
    assert keys is not None
    return keys


def admit(kernel: KernelProcess, *options: str, name: str = "alice") -> Path:
    path = kernel.file.with_name(f"{name}.json")
    assert main(["admit", str(kernel.file), str(path), *options]) == 0
    return path


def not_listed(kernel: KernelProcess) -> dict[str, Any]:
    """The fields of a client's file: `admit` makes none with which no client can connect."""
    return curve.client_fields(kernel.info)[0]


ACCEPTED, REFUSED = zmq.EVENT_HANDSHAKE_SUCCEEDED, zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL


def test_by_jupyter_s_way_the_public_key_is_enough_to_read_iopub(
    start_kernel: StartKernel,
) -> None:
    kernel = start_kernel(**curve.new_pair())
    visitor = Visitor(kernel.info, "iopub_port", stranger(kernel))
    with contextlib.closing(visitor), minikernel.connect(kernel.file) as client:
        assert visitor.outcome() == ACCEPTED
        client.run("print('shown')")
        heard = b""
        while b"shown" not in heard:
            assert visitor.socket.poll(PATIENCE * 1000)
            heard = b"".join(visitor.socket.recv_multipart())


def test_strangers_cost_the_kernel_nothing(start_kernel: StartKernel) -> None:
    kernel = start_kernel(**curve.new_pair())
    other, _ = curve.client_fields(curve.new_pair())
    for _ in range(20):
        for port in PORTS:
            assert visit(kernel.info, port, None) != ACCEPTED
            assert visit(kernel.info, port, curve.client_keys(other)) != ACCEPTED
    with minikernel.connect(kernel.file) as client:
        assert client.run("6 * 7").value == "42"
        assert client.auth_status().rejected == 0
    assert kernel.terminal == ""


@pytest.fixture
def guarded(start_kernel: StartKernel, tmp_path: Path) -> KernelProcess:
    """Admits those on a list."""
    clients = tmp_path / "clients.txt"
    return start_kernel("--curve-clients", str(clients), **curve.new_pair())


@pytest.fixture
def alice(guarded: KernelProcess, tmp_path: Path) -> Path:
    """The file of a client that is on the list."""
    return admit(guarded, "--curve-clients", str(tmp_path / "clients.txt"))


def test_only_clients_on_the_list_are_admitted(guarded: KernelProcess, alice: Path) -> None:
    with minikernel.connect(alice, encryption="required") as client:
        result = client.run("print(input()); 6 * 7", on_input=lambda *_: "typed")
        assert (result.stdout, result.value) == ("typed\n", "42")
        until(lambda: client.ledger["heartbeat"].beats)
        by_keys = visit_all(guarded.info, stranger(guarded), shared(guarded), None)
        assert all(event != ACCEPTED for event in by_keys)
        assert set(visit_all(guarded.info, curve.client_keys(read(alice)))) == {ACCEPTED}
        assert client.run("6 * 7").value == "42"
    assert guarded.terminal == ""


def read(path: Path) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(path.read_text())
    return fields


def is_refused(client: BlockingKernelClient) -> None:
    for channel in (client.shell_channel, client.control_channel):
        channel.socket.sndtimeo = 1000  # once it was turned away, a send would wait for good
    with pytest.raises((RuntimeError, zmq.Again)):
        client.wait_for_ready(timeout=1)


def test_a_stock_client_is_refused_its_heartbeat_too(guarded: KernelProcess, alice: Path) -> None:
    client = BlockingKernelClient(connection_file=str(guarded.file))
    client.load_connection_file()
    client.hb_channel.time_to_dead = 0.2
    missed: list[float] = []
    client.hb_channel.call_handlers = missed.append
    try:
        client.start_channels()
        is_refused(client)
        until(lambda: missed)
        assert not client.hb_channel.is_beating()
    finally:
        client.stop_channels()
    with pytest.raises(KernelDied, match="whose key it takes"):
        minikernel.connect(guarded.file, timeout=1)
    with minikernel.connect(alice) as ours:
        assert ours.run("6 * 7").value == "42"


@pytest.mark.slow
def test_the_list_is_heeded_while_the_kernel_runs(
    guarded: KernelProcess, alice: Path, tmp_path: Path
) -> None:
    clients = tmp_path / "clients.txt"
    bob = not_listed(guarded)
    keys = curve.client_keys(bob)
    with minikernel.connect(alice) as client:
        assert visit(guarded.info, "shell_port", keys) == REFUSED
        curve.add_client(clients, bob["curve_client_publickey"], "bob")
        assert visit(guarded.info, "shell_port", keys) == ACCEPTED
        clients.write_text("")
        for fields in (read(alice), bob):
            assert visit(guarded.info, "hb_port", curve.client_keys(fields)) == REFUSED
        assert client.run("6 * 7").value == "42"  # what is connected stays so


def test_the_list_is_found_though_a_cell_changes_the_directory(
    start_kernel: StartKernel, tmp_path: Path
) -> None:
    kernel = start_kernel("--curve-clients", "clients.txt", **curve.new_pair())
    clients = kernel.file.with_name("clients.txt")
    with minikernel.connect(admit(kernel, "--curve-clients", str(clients))) as client:
        client.run(f"import os; os.chdir({str(tmp_path)!r})")
        with minikernel.connect(admit(kernel, "--curve-clients", str(clients), name="bob")) as bob:
            assert bob.run("1").value == "1"


def test_a_client_on_the_list_waits_through_a_restart(guarded: KernelProcess, alice: Path) -> None:
    with minikernel.connect(alice) as client:
        guarded.kill()
        guarded.start()
        client.wait_for_ready(PATIENCE)
        assert client.run("6 * 7").value == "42"


def test_the_file_of_a_client_does_not_let_it_be_the_kernel(
    guarded: KernelProcess, alice: Path
) -> None:
    mallory = not_listed(guarded)
    as_kernel = {
        "curve_publickey": mallory["curve_client_publickey"],
        "curve_secretkey": mallory["curve_client_secretkey"],
    }
    victim = curve.client_keys(read(alice))
    assert impersonate(as_kernel, victim) != ACCEPTED
    # By Jupyter's way each client can: it has the kernel's secret key.
    assert impersonate(guarded.info, victim) == ACCEPTED


def impersonate(fields: dict[str, Any], victim: curve.ClientKeys | None) -> int:
    with zmq.Context() as context:
        false = context.socket(zmq.ROUTER)
        curve.Server(context, fields).secure(false)
        port = false.bind_to_random_port("tcp://127.0.0.1")
        try:
            return visit({"shell_port": port}, "shell_port", victim)
        finally:
            context.destroy(0)


def test_stock_clients_don_t_mistake_the_file_of_a_client(
    guarded: KernelProcess, alice: Path
) -> None:
    client = BlockingKernelClient(connection_file=str(alice))
    client.load_connection_file()
    assert client.curve_publickey is None
    try:
        client.start_channels(hb=False)
        is_refused(client)
    finally:
        client.stop_channels()
    assert guarded.terminal == ""


def test_ipc(start_kernel: StartKernel) -> None:
    name = f"/tmp/{uuid.uuid4().hex[:12]}"
    kernel = start_kernel("--curve-clients", "list", transport="ipc", ip=name, **curve.new_pair())
    alice = admit(kernel, "--curve-clients", str(kernel.file.with_name("list")))
    with minikernel.connect(alice, encryption="required") as client:
        assert client.run("6 * 7").value == "42"
        with pytest.raises(KernelDied):
            minikernel.connect(kernel.file, timeout=1)
        client.shutdown()
    assert kernel.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("scheme", ["hmac-sha512", "clear-key"])
def test_other_schemes(start_kernel: StartKernel, scheme: str) -> None:
    kernel = start_kernel(signature_scheme=scheme, **curve.new_pair())
    assert connection.read(kernel.file)[0].url(Channel.SHELL).startswith("tcp")
    with minikernel.connect(kernel.file, scheme=scheme, encryption="required") as client:
        assert client.run("6 * 7").value == "42"
