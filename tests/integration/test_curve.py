"""CURVE on whole kernels: stock clients, ours, strangers, and who stands in between."""

from __future__ import annotations

import asyncio
import contextlib
import json
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import zmq
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_async_kernel
from jupyter_client.provisioning import KernelProvisionerFactory
from zmq.utils.monitor import parse_monitor_message

import minikernel
from minikernel.cli.app import main
from minikernel.client.manager import MiniKernelManager
from minikernel.errors import ConfigError, KernelDied
from minikernel.transport import connection, curve
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import KernelProcess

    StartKernel = Callable[..., KernelProcess]

PATIENCE = 20
POLICIES = ("disabled", "auto", "required")
QUICK: dict[str, Any] = {"extra_arguments": ["--history", "off"]}
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


def is_encrypted(path: str) -> bool:
    return "curve_secretkey" in json.loads(Path(path).read_text())


# Jupyter's own manager and clients


def run_stock(client: BlockingKernelClient, code: str) -> str:
    printed: list[str] = []

    def hook(msg: dict[str, Any]) -> None:
        if msg["msg_type"] == "stream":
            printed.append(msg["content"]["text"])

    reply = client.execute_interactive(code, timeout=PATIENCE, output_hook=hook)
    assert reply["content"]["status"] == "ok"
    return "".join(printed)


@pytest.mark.usefixtures("jupyter")
@pytest.mark.parametrize("transport", ["tcp", "ipc"])
@pytest.mark.parametrize("policy", POLICIES)
def test_the_policies_of_jupyter_client(policy: str, transport: str, tmp_path: Path) -> None:
    file = f"/tmp/{uuid.uuid4().hex[:12]}.json"  # an ipc path must be short
    manager = KernelManager(
        kernel_name="minikernel",
        transport=transport,
        connection_file=file,
        transport_encryption=policy,
    )
    with (tmp_path / "terminal.txt").open("w") as out:
        manager.start_kernel(stdout=out, stderr=out)
        client = manager.client()
        try:
            client.start_channels()
            client.wait_for_ready(PATIENCE)
            assert is_encrypted(file) == (policy != "disabled")
            before = (client.curve_publickey, run_stock(client, "print(6 * 7)"))
            manager.restart_kernel()
            client.wait_for_ready(PATIENCE)
            assert (client.curve_publickey, run_stock(client, "print(6 * 7)")) == before
            assert before[1] == "42\n"
            until(client.hb_channel.is_beating)
        finally:
            client.stop_channels()
            manager.shutdown_kernel()
    assert (tmp_path / "terminal.txt").read_text() == ""
    assert not Path(file).exists()


@pytest.mark.usefixtures("jupyter")
def test_an_asyncio_client_of_jupyter_client() -> None:
    async def main() -> None:
        manager, client = await start_new_async_kernel(
            PATIENCE, "minikernel", transport_encryption="required"
        )
        try:
            assert is_encrypted(manager.connection_file)
            reply = await client.execute("1", reply=True, timeout=PATIENCE)
            assert reply["content"]["status"] == "ok"
        finally:
            client.stop_channels()
            await manager.shutdown_kernel()

    asyncio.run(main())


# Our manager and client


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
@pytest.mark.parametrize("policy", POLICIES)
def test_launch(policy: str, transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.ExitStack() as stack:
        directory = tempfile.TemporaryDirectory(dir="/tmp")  # an ipc path must be short
        monkeypatch.setenv("JUPYTER_RUNTIME_DIR", stack.enter_context(directory))
        client = stack.enter_context(
            minikernel.launch(encryption=policy, transport=transport, **QUICK)
        )
        assert is_encrypted(client.connection_file) == (policy != "disabled")
        client.restart()
        assert client.run("input()", on_input=lambda *_: "typed").value == "'typed'"
        until(lambda: client.ledger["heartbeat"].beats)
        with minikernel.connect(client.connection_file, encryption=policy) as second:
            assert second.run("6 * 7").value == "42"
        assert client.ledger.rejected == 0


def test_launch_async() -> None:
    async def main() -> None:
        async with minikernel.launch_async(encryption="required", **QUICK) as client:
            file = client.connection_file
            assert is_encrypted(file)
            async with minikernel.connect_async(file, encryption="required") as second:
                assert (await second.run("6 * 7")).value == "42"

    asyncio.run(main())


def test_connect_refuses_another_encryption_than_it_was_told(start_kernel: StartKernel) -> None:
    plain = start_kernel(name="plain").file
    encrypted = start_kernel(name="encrypted", **curve.new_pair()).file

    async def connect() -> None:
        with pytest.raises(ConfigError, match="encryption is required"):
            await minikernel.connect_async(plain, encryption="required")

    with pytest.raises(ConfigError, match="encryption is required"):
        minikernel.connect(plain, encryption="required")
    asyncio.run(connect())
    with pytest.raises(ConfigError, match="encryption is disabled"):
        minikernel.connect(encrypted, encryption="disabled")
    for file in (plain, encrypted):
        with pytest.raises(ConfigError, match="'always'"):
            minikernel.connect(file, encryption="always")
        with minikernel.connect(file, encryption="auto") as client:
            assert client.run("1").value == "1"


def test_launch_refuses_an_unknown_policy_and_a_libzmq_without_curve(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ConfigError, match="'always'"):
        minikernel.launch(encryption="always")
    monkeypatch.setattr(zmq, "has", lambda _: False)
    for policy in ("auto", "required"):
        with pytest.raises(ConfigError, match="without CURVE"):
            minikernel.launch(encryption=policy)


def test_a_client_whose_keys_were_taken_away_does_not_talk(start_kernel: StartKernel) -> None:
    client = minikernel.MiniKernelClient(encryption="required")
    fields = start_kernel().info
    for name in PORTS:
        setattr(client, name, fields[name])
    with pytest.raises(ConfigError, match="encryption is required"):
        client.start_channels()


# Kernels that don't encrypt, though they must

KEYLESS = """
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
class Keyless(LocalProvisioner):
    async def pre_launch(self, **kwargs):
        policy, self.parent.transport_encryption = self.parent.transport_encryption, "disabled"
        try:
            return await super().pre_launch(**kwargs)
        finally:
            self.parent.transport_encryption = policy
"""
LIAR = """
import json, pathlib, sys
from minikernel.cli.app import main
file = pathlib.Path(sys.argv[1])
plain = {k: v for k, v in json.loads(file.read_text()).items() if "curve" not in k}
copy = file.with_name("copy-" + file.name)
copy.touch(0o600)
copy.write_text(json.dumps(plain))
try:
    main(["run", "--history", "off", "-f", str(copy)])
finally:
    copy.unlink()
"""


@pytest.fixture
def kernelspec(jupyter: Path) -> Callable[..., str]:
    """Installs a kernelspec; its name."""

    def install(argv: list[str], **metadata: Any) -> str:
        name = f"k{uuid.uuid4().hex}"
        directory = jupyter / "share" / "jupyter" / "kernels" / name
        directory.mkdir()
        spec = {"argv": argv, "display_name": name, "language": "python", "metadata": metadata}
        (directory / "kernel.json").write_text(json.dumps(spec))
        return name

    return install


RUN = [sys.executable, "-m", "minikernel", "run", "-f", "{connection_file}"]


def children() -> set[psutil.Process]:
    return set(psutil.Process().children())


def test_required_needs_a_kernelspec_that_promises_it(kernelspec: Callable[..., str]) -> None:
    before, name = children(), kernelspec(RUN)
    with pytest.raises(ConfigError, match="does not promise encryption"):
        minikernel.launch(kernel_name=name, encryption="required")
    with minikernel.launch(kernel_name=name, encryption="auto", **QUICK) as client:
        assert not is_encrypted(client.connection_file)
        assert client.run("1").value == "1"
    assert children() == before


def test_a_kernel_that_came_up_without_keys_is_ended(
    kernelspec: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keyless.py").write_text(KEYLESS)
    monkeypatch.syspath_prepend(str(tmp_path))
    entry = EntryPoint("keyless", "keyless:Keyless", KernelProvisionerFactory.GROUP_NAME)
    monkeypatch.setitem(KernelProvisionerFactory.provisioners, "keyless", entry)
    name = kernelspec(
        RUN, supported_encryption=["curve"], kernel_provisioner={"provisioner_name": "keyless"}
    )
    before = children()

    manager = MiniKernelManager(kernel_name=name, transport_encryption="required")
    with pytest.raises(ConfigError, match="encryption is required"):
        manager.start_kernel()
    assert not manager.has_kernel
    assert not Path(manager.connection_file).exists()
    with pytest.raises(ConfigError, match="encryption is required"):
        minikernel.launch(kernel_name=name, encryption="required")

    async def launch() -> None:
        with pytest.raises(ConfigError, match="encryption is required"):
            await minikernel.launch_async(kernel_name=name, encryption="required")

    asyncio.run(launch())
    assert children() == before
    with minikernel.launch(kernel_name=name, encryption="auto", **QUICK) as client:
        assert client.run("1").value == "1"


def test_a_kernel_that_ignores_its_keys_is_ended_unheard(kernelspec: Callable[..., str]) -> None:
    name = kernelspec(
        [sys.executable, "-c", LIAR, "{connection_file}"], supported_encryption=["curve"]
    )
    before = children()
    with pytest.raises(KernelDied):
        minikernel.launch(kernel_name=name, encryption="required", timeout=2)
    assert children() == before


# Files and options that are refused


def refused(path: Path, *options: str) -> str:
    """What the kernel says when it does not start."""
    done = subprocess.run(
        [sys.executable, "-m", "minikernel", "run", "-f", str(path), *options],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    fields = json.loads(path.read_text())
    assert not any(fields[name] in line for name in SECRETS if name in fields)
    assert all(fields[port] == 0 for port in PORTS), "it has bound its sockets"
    return line


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(**fields: Any) -> Path:
        base = connection.new_fields(
            transport="tcp", ip="127.0.0.1", signature_scheme="hmac-sha256", key="k" * 32
        )
        connection.write(tmp_path / "kernel.json", {**base, **fields})
        return tmp_path / "kernel.json"

    return write


def test_one_key_without_the_other(write: Callable[..., Path]) -> None:
    pair = curve.new_pair()
    for name, key in pair.items():
        path = write(**{name: key})
        assert f"{name} alone" in refused(path)
        with pytest.raises(ConfigError, match=f"{name} alone"):
            minikernel.connect(path)


def test_keys_that_are_invalid(write: Callable[..., Path]) -> None:
    pair, other = curve.new_pair(), curve.new_pair()
    swapped = {**pair, "curve_publickey": other["curve_publickey"]}
    assert "not the public part" in refused(write(**swapped))
    with pytest.raises(ConfigError, match="not the public part"):
        minikernel.connect(write(**swapped))
    assert "is no CURVE key" in refused(write(**{**pair, "curve_secretkey": "s3cret"}))
    client, _ = curve.client_fields(pair)
    assert "the file of a client" in refused(write(**client))
    assert "of a kernel and of a client" in refused(write(**pair, **client))


def test_options_that_contradict_the_file(write: Callable[..., Path], tmp_path: Path) -> None:
    clients = tmp_path / "clients.txt"
    assert "encryption is required" in refused(write(), "--encryption", "required")
    assert "needs CURVE keys" in refused(write(), "--curve-clients", str(clients))
    path = write(**curve.new_pair())
    assert "encryption is disabled" in refused(path, "--encryption", "disabled")
    clients.write_text("alice\n")
    assert "line 1" in refused(path, "--curve-clients", str(clients))


def test_a_kernel_without_keys_loads_and_starts_nothing_for_curve(
    start_kernel: StartKernel, connect: Callable[..., Any]
) -> None:
    client = connect(start_kernel())
    code = "import sys; print('minikernel.transport.curve' in sys.modules)"
    assert client.text(code) == "False\n"
    with minikernel.connect(start_kernel(name="with", **curve.new_pair()).file) as other:
        threads = "import threading; sorted(t.name for t in threading.enumerate())"
        said = other.run(threads).value
        assert said is not None
        assert "admission" not in said


# Who listens, and who connects


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


def test_a_stock_client_is_refused_its_heartbeat_too(guarded: KernelProcess, alice: Path) -> None:
    client = BlockingKernelClient(connection_file=str(guarded.file))
    client.load_connection_file()
    client.hb_channel.time_to_dead = 0.2
    missed: list[float] = []
    client.hb_channel.call_handlers = missed.append
    try:
        client.start_channels()
        with pytest.raises(RuntimeError):
            client.wait_for_ready(timeout=1)
        until(lambda: missed)
        assert not client.hb_channel.is_beating()
    finally:
        client.stop_channels()
    with pytest.raises(KernelDied, match="whose key it takes"):
        minikernel.connect(guarded.file, timeout=1)
    with minikernel.connect(alice) as ours:
        assert ours.run("6 * 7").value == "42"


def test_the_list_is_heeded_while_the_kernel_runs(
    guarded: KernelProcess, alice: Path, tmp_path: Path
) -> None:
    clients = tmp_path / "clients.txt"
    bob = admit(guarded, name="bob")  # not on the list yet
    keys = curve.client_keys(read(bob))
    with minikernel.connect(alice) as client:
        assert visit(guarded.info, "shell_port", keys) == REFUSED
        curve.add_client(clients, read(bob)["curve_client_publickey"], "bob")
        assert visit(guarded.info, "shell_port", keys) == ACCEPTED
        clients.write_text("")
        for path in (alice, bob):
            assert visit(guarded.info, "hb_port", curve.client_keys(read(path))) == REFUSED
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
    mallory = read(admit(guarded, name="mallory"))
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
        with pytest.raises(RuntimeError):
            client.wait_for_ready(timeout=1)
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
