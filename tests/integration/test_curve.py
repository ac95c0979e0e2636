"""CURVE on whole kernels: stock clients, ours, strangers, and who stands in between."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
import uuid
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import zmq
from jupyter_client.manager import KernelManager, start_new_async_kernel
from jupyter_client.provisioning import KernelProvisionerFactory

import minikernel
from minikernel.client.manager import MiniKernelManager
from minikernel.errors import ConfigError, KernelDied
from minikernel.transport import connection, curve

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_client.blocking.client import BlockingKernelClient

    from tests.conftest import KernelProcess

    StartKernel = Callable[..., KernelProcess]

PATIENCE = 20
POLICIES = ("disabled", "auto", "required")
QUICK: dict[str, Any] = {"extra_arguments": ["--history", "off"]}
PORTS = tuple(connection.PORTS.values())
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
