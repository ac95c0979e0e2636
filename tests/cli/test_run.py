"""`minikernel run`, as people start it by hand."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import minikernel
from minikernel.auth.registry import ALIASES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Command = Callable[..., Any]

PATIENCE = 20  # seconds


class Running:
    """A kernel that was started by hand."""

    def __init__(self, environment: dict[str, str], *options: str, wait: bool = True) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "minikernel", "run", "--history", "off", *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert self.process.stdout is not None
        self.file = Path(self.process.stdout.readline().rstrip("\n") if wait else "")

    def end(self) -> tuple[int, str]:
        """Its exit code, and what it said besides the path."""
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out + err


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Callable[..., Running]]:
    kernels: list[Running] = []

    def start(*options: str, **how: bool) -> Running:
        kernels.append(Running(environment, *options, **how))
        return kernels[-1]

    yield start
    for kernel in kernels:
        if kernel.process.poll() is None:
            kernel.process.kill()
        kernel.process.communicate()


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_without_a_file_it_writes_one_and_prints_its_path(
    start: Callable[..., Running], environment: dict[str, str], transport: str
) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:  # an ipc path must be short
        environment["JUPYTER_RUNTIME_DIR"] = directory
        _starts_and_ends(start("--transport", transport), Path(directory), transport)


def _starts_and_ends(kernel: Running, runtime_dir: Path, transport: str) -> None:
    assert kernel.file.parent == runtime_dir
    assert stat.S_IMODE(kernel.file.stat().st_mode) == 0o600
    assert json.loads(kernel.file.read_text())["transport"] == transport
    with minikernel.connect(kernel.file, timeout=PATIENCE) as client:
        assert client.run("6 * 7", timeout=PATIENCE).value == "42"
    assert kernel.end() == (0, "")
    assert list(runtime_dir.iterdir()) == []  # nor the replay memory: its key is not used again


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP], ids=lambda s: s.name)
def test_whatever_ends_it_the_key_goes(start: Callable[..., Running], ending: int) -> None:
    kernel = start()
    kernel.process.send_signal(ending)
    assert kernel.process.wait(PATIENCE) == 0
    assert not kernel.file.exists()


@pytest.mark.parametrize(
    "ending",
    [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.slow)],
    ids=lambda s: s.name,
)
def test_no_key_stays_whenever_it_is_ended(tmp_path: Path, ending: int) -> None:
    """From the moment on in which there is a file; each turn a little later."""
    for turn in range(6):
        runtime = tmp_path / str(turn)
        runtime.mkdir()
        command = [sys.executable, "-m", "minikernel", "run", "--history", "off"]
        environment = {**os.environ, "JUPYTER_RUNTIME_DIR": str(runtime)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
            assert process.stdout is not None
            try:
                while not list(runtime.glob("kernel-*.json")):
                    assert process.poll() is None
                if turn > 3:
                    process.stdout.readline()
                process.send_signal(ending)
                assert process.wait(PATIENCE) == 0
            finally:
                process.kill()
        assert not list(runtime.glob("kernel-*"))


def test_options_reach_the_kernel(start: Callable[..., Running]) -> None:
    kernel = start("--scheme", "hmac-sha512", "--guards", "off", "--ip", "127.0.0.1")
    assert json.loads(kernel.file.read_text())["signature_scheme"] == "hmac-sha512"
    with minikernel.connect(kernel.file, timeout=PATIENCE) as client:
        assert client.run("1", timeout=PATIENCE).status == "ok"


def test_without_authentication_only_by_name(start: Callable[..., Running]) -> None:
    kernel = start("--scheme", "null")
    with minikernel.connect(kernel.file, scheme="null", timeout=PATIENCE) as client:
        assert client.run("1", timeout=PATIENCE).status == "ok"
    with pytest.raises(minikernel.ConfigError):
        minikernel.connect(kernel.file)


def test_an_unknown_scheme_is_one_line(call: Command) -> None:
    done = call("run", "--scheme", "hmac-sha265")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "hmac-sha265" in done.err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "truncated"),
        ("[]", "Expected"),
        ("{}", "missing required field"),
        ('{"shell_port": 1}', "missing required field"),
    ],
)
def test_a_file_that_is_no_connection_file(
    call: Command, tmp_path: Path, content: str, said: str
) -> None:
    path = tmp_path / "kernel.json"
    path.write_text(content)
    done = call("run", "-f", os.fspath(path))
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.err


def test_a_key_that_is_empty_is_refused(call: Command, tmp_path: Path) -> None:
    path = tmp_path / "kernel.json"
    ports = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
    path.write_text(json.dumps(dict.fromkeys(ports, 0)))
    done = call("run", "-f", os.fspath(path))
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "key" in done.err


def test_one_invitation_ends_and_the_others_stay(
    start: Callable[..., Running], call: Command, tmp_path: Path
) -> None:
    kernel = start("--scheme", "channel-hmac")
    for name in ("alice", "bob"):
        to = ["--rights", "observe,execute", "--connection-file", str(kernel.file)]
        assert call("invite", "--name", name, *to).code == 0
    kept = tmp_path / "kept.json"
    shutil.copy(kernel.file, kept)
    kernel.end()
    assert not kernel.file.exists()
    again = start("-f", str(kept), "--refuse", "alice", wait=False)
    with minikernel.connect(tmp_path / "bob.json", timeout=PATIENCE) as bob:
        assert bob.run("6 * 7").value == "42"
    with pytest.raises(minikernel.KernelDied):
        minikernel.connect(tmp_path / "alice.json", timeout=1)
    again.end()
    assert kept.exists()


def test_refuse_without_the_invitation_s_kernel_is_refused(refused: Callable[..., str]) -> None:
    assert "--refuse needs -f FILE" in refused(
        "run", "--scheme", "channel-hmac-sha256", "--refuse", "alice"
    )


def test_a_scheme_has_the_name_that_the_lab_gives_it_too(start: Callable[..., Running]) -> None:
    for name, full in ALIASES.items():
        kernel = start("--scheme", name)
        assert json.loads(kernel.file.read_text())["signature_scheme"] == full
        with minikernel.connect(kernel.file, scheme=name, timeout=PATIENCE) as client:
            assert client.run("6 * 7").value == "42"
        with minikernel.launch(scheme=name, extra_arguments=["--history", "off"]) as client:
            assert client.run("6 * 7").value == "42"
