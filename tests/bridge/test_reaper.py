"""Whoever is killed, and however: of a kernel and all that it has started nothing is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING, NamedTuple

import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from minikernel.bridge import reaper
from tests.bridge.behind import PATIENCE, Behind, new_folder, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Start = Callable[..., Behind]

# What a program may do that outlives a careless end. Each leads a line of its own with READY.
SLEEPERS = {
    "plain": ["sh", "-c", "echo READY; exec sleep 600"],
    "behind a shell": ["sh", "-c", "echo READY; sleep 600; true"],
    "double fork": ["sh", "-c", "(setsid sleep 600 &); echo READY; exec sleep 600"],
    "deaf to SIGTERM": ["sh", "-c", "trap '' TERM; echo READY; while :; do sleep 600; done"],
    "stopped": ["sh", "-c", "echo READY; kill -STOP $$"],
}


class Death(NamedTuple):
    number: int
    of: Callable[[Behind], list[int]]
    group: bool = False


DEATHS = {
    "SIGTERM of the bridge": Death(signal.SIGTERM, lambda b: [b.bridge]),
    "SIGKILL of the bridge": Death(signal.SIGKILL, lambda b: [b.bridge]),
    "SIGTERM of its group": Death(signal.SIGTERM, lambda b: [b.bridge], group=True),
    "SIGKILL of its group": Death(signal.SIGKILL, lambda b: [b.bridge], group=True),
    "SIGKILL of the reaper": Death(signal.SIGKILL, lambda b: [b.reaper]),
    "SIGKILL of the kernel": Death(signal.SIGKILL, lambda b: [b.kernel]),
    "SIGTERM of all three": Death(signal.SIGTERM, lambda b: [b.reaper, b.kernel, b.bridge]),
}


# Those that end by SIGKILL only, some seconds later.
SLOW = {"deaf to SIGTERM", "stopped"}
DEATHS_OF_THE_SLOW = {"SIGTERM of its group", "SIGKILL of the bridge", "SIGKILL of the reaper"}


def die(behind: Behind, death: Death) -> None:
    for pid in death.of(behind):
        (os.killpg if death.group else os.kill)(pid, death.number)


@pytest.mark.parametrize(
    ("sleeper", "death"),
    [(s, d) for s in SLEEPERS for d in DEATHS if s not in SLOW or d in DEATHS_OF_THE_SLOW],
)
def test_nothing_is_left_of_a_program(behind: Start, sleeper: str, death: str) -> None:
    one = behind(*SLEEPERS[sleeper])
    assert one.said() == "READY"
    wait_until(lambda: one.kernel in [process.pid for process in one.left()])
    die(one, DEATHS[death])
    one.wait_until_nothing_is_left()


def test_nothing_is_left_of_a_kernel_whose_reaper_and_bridge_die_at_once(behind: Start) -> None:
    one = behind(*SLEEPERS["plain"])
    os.kill(one.bridge, signal.SIGSTOP)  # it can't take over
    os.kill(one.reaper, signal.SIGKILL)
    os.kill(one.bridge, signal.SIGKILL)
    wait_until(lambda: not one.left())


MODULES = {
    "ipykernel": ["-m", "ipykernel_launcher", "-f", "{file}"],
    "xeus-python": ["-m", "xpython_launcher", "--raw", "-f", "{file}"],
}


def in_a_tight_loop(behind: Start, kernel: str, *, shell: bool) -> Behind:
    folder = new_folder()
    file = folder / "kernel.json"
    ports = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
    info = {
        **{port: number for number, port in enumerate(ports, 1)},
        "transport": "ipc",
        "ip": f"{folder}/k",
        "key": uuid.uuid4().hex,
        "signature_scheme": "hmac-sha256",
    }
    file.write_text(json.dumps(info))
    before = ["sh", "-c", '"$@"; true', "sh"] if shell else []
    argv = [sys.executable, *(word.format(file=file) for word in MODULES[kernel])]
    one = behind(*before, *argv, folder=folder)
    wait_until((folder / "k-5").exists)
    client = BlockingKernelClient(connection_file=str(file))
    client.load_connection_file()
    client.start_channels()
    try:
        client.wait_for_ready(PATIENCE)
        client.execute("while True: pass")
        while client.get_iopub_msg(timeout=PATIENCE)["msg_type"] != "execute_input":
            pass
    finally:
        client.stop_channels()
    return one


@pytest.mark.parametrize(
    ("kernel", "shell"), [("ipykernel", False), ("ipykernel", True), ("xeus-python", False)]
)
@pytest.mark.parametrize(
    "death", ["SIGTERM of the bridge", "SIGKILL of its group", "SIGKILL of the reaper"]
)
def test_nothing_is_left_of_a_kernel_in_a_tight_loop(
    behind: Start, kernel: str, shell: bool, death: str
) -> None:
    one = in_a_tight_loop(behind, kernel, shell=shell)
    die(one, DEATHS[death])
    one.wait_until_nothing_is_left()


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("exit 0", 0),
        ("exit 3", 3),
        ("kill -SEGV $$", -signal.SIGSEGV),
        ("kill $$", -signal.SIGTERM),
    ],
)
def test_how_the_kernel_ended_is_told(behind: Start, script: str, code: int) -> None:
    one = behind("sh", "-c", script)
    assert one.told() == str(code)
    one.wait_until_nothing_is_left()


def test_a_killed_reaper_is_a_killed_kernel(behind: Start) -> None:
    one = behind(*SLEEPERS["plain"])
    assert one.said() == "READY"
    os.kill(one.reaper, signal.SIGKILL)
    assert one.told() == str(-signal.SIGKILL)


def test_a_signal_is_for_the_process_group(behind: Start) -> None:
    child = "trap 'echo child; exit' INT; echo READY; while :; do sleep 0.05; done"
    one = behind("sh", "-c", f'trap "echo parent; exit 7" INT; sh -c "{child}"; sleep 600')
    assert one.said() == "READY"
    one.signal(signal.SIGINT)
    assert [one.said(), one.said(), one.told()] == ["child", "parent", "7"]


def test_a_signal_after_the_end_is_for_nobody(tmp_path: Path) -> None:
    program = """
import os, select, sys
from minikernel.bridge import reaper
kernel = reaper.start(["true"], os.environ, None, sys.argv[1])
select.select([kernel.fd], [], [])
kernel.signal(9)
assert (kernel.poll(), kernel.poll()) == (0, 0)
kernel.signal(9)
kernel.close()
kernel.close()
kernel.signal(9)
assert kernel.poll() == 0
"""
    folder = tmp_path / "sockets"
    folder.mkdir(mode=0o700)
    subprocess.run([sys.executable, "-c", program, folder], check=True, timeout=PATIENCE)
    wait_until(lambda: not folder.exists())


@pytest.mark.parametrize(
    ("argv", "cwd", "said"),
    [
        (["/nowhere/kernel"], None, "No such file or directory: '/nowhere/kernel'"),
        (["/"], None, "Permission denied: '/'"),
        (["a\0b"], None, "Invalid argument: 'a\\x00b'"),
        (["true"], "/nowhere", "No such file or directory: 'true'"),
    ],
)
def test_a_program_that_cannot_be_run(
    tmp_path: Path, argv: list[str], cwd: str | None, said: str
) -> None:
    program = f"""
import os, sys
from minikernel.bridge import reaper
try:
    reaper.start({argv!r}, os.environ, {cwd!r}, sys.argv[1])
except Exception as problem:
    print(problem)
print(*os.listdir("/dev/fd" if sys.platform == "darwin" else "/proc/self/fd"))
"""
    folder = tmp_path / "sockets"
    folder.mkdir(mode=0o700)
    done = subprocess.run(
        [sys.executable, "-c", program, folder],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    problem, descriptors = done.stdout.splitlines()
    assert problem.endswith(said)
    assert descriptors == "0 1 2 3"  # the last one is of the listing
    assert done.stderr == ""
    wait_until(lambda: not folder.exists())


def test_a_folder_that_is_not_ours_alone_starts_nothing(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(PermissionError, match="0700"):
        reaper.start(["true"], os.environ, None, str(tmp_path))
    assert tmp_path.exists()
