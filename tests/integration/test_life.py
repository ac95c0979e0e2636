"""A kernel lives and dies well."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from minikernel.transport.ring_file import beside

if TYPE_CHECKING:
    from tests.conftest import KernelProcess

PATIENCE = 20


def ends(kernel: KernelProcess) -> int:
    return kernel.process.wait(PATIENCE)


@pytest.mark.parametrize("channel", ["control", "shell"])
@pytest.mark.parametrize("restart", [True, False])
def test_shutdown(start_kernel: Any, connect: Any, channel: str, restart: bool) -> None:
    kernel = start_kernel()
    client = connect(kernel)
    content = client.request(getattr(client, channel), "shutdown_request", restart=restart)
    assert content == {"status": "ok", "restart": restart}
    assert ends(kernel) == 0
    assert kernel.terminal == ""
    assert kernel.file.exists(), "the file is not the kernel's own"


def test_sigterm(start_kernel: Any, connect: Any) -> None:
    kernel = start_kernel()
    connect(kernel).execute("import atexit; atexit.register(lambda: open('left', 'w').close())")
    kernel.process.terminate()
    assert ends(kernel) == 0
    assert (kernel.file.parent / "left").exists()
    assert kernel.terminal == ""


@pytest.mark.parametrize(
    "code",
    [
        "import time; time.sleep(600)",
        "while True: pass",
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        "import asyncio; await asyncio.sleep(600)",
        "input()",
        "import threading; threading.Thread(target=lambda: threading.Event().wait()).start()",
    ],
)
def test_shutdown_while_something_runs(start_kernel: Any, connect: Any, code: str) -> None:
    kernel = start_kernel()
    client = connect(kernel)
    client.send(client.shell, "execute_request", code=code)
    while client.receive(client.iopub)["header"]["msg_type"] != "execute_input":
        pass
    assert client.request(client.control, "shutdown_request", restart=False)["status"] == "ok"
    ends(kernel)


def test_sigint_between_cells_is_nothing(start_kernel: Any, connect: Any) -> None:
    kernel = start_kernel()
    client = connect(kernel)
    client.execute("1")
    for _ in range(5):
        kernel.process.send_signal(signal.SIGINT)
        assert client.execute("2")[0]["status"] == "ok"


@pytest.mark.parametrize(
    "code",
    [
        "while True: pass",
        "import time\ntime.sleep(600)",
        "import asyncio\nawait asyncio.sleep(600)",
        "import asyncio\nawait asyncio.sleep(0)\nwhile True: pass",
        "import os\nos.system('echo; exec sleep 600')",
        "input()",
        "while True: print('x', flush=True)",
        "import threading\nthreading.Event().wait()",
    ],
)
def test_sigint_in_a_cell(start_kernel: Any, connect: Any, code: str) -> None:
    kernel = start_kernel()
    client = connect(kernel)
    msg_id = client.send(client.shell, "execute_request", code=code + "\nraise KeyboardInterrupt")
    # system() ignores SIGINT: a signal that comes before its child is there is lost.
    begun = "stream" if "system" in code else "execute_input"
    while client.receive(client.iopub)["header"]["msg_type"] != begun:
        pass
    os.killpg(kernel.process.pid, signal.SIGINT)
    assert client.reply(client.shell, msg_id)["content"]["ename"] == "KeyboardInterrupt"
    client.outputs(msg_id)
    assert client.text("print('alive')") == "alive\n"


def test_without_f_the_kernel_writes_a_file_says_where_and_takes_it_away(tmp_path: Path) -> None:
    environment = {**os.environ, "JUPYTER_RUNTIME_DIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "minikernel", "run", "--history", "off"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        text=True,
    )
    with process:
        assert process.stdout is not None
        path = Path(process.stdout.readline().strip())
        assert path.parent == tmp_path
        assert path.stat().st_mode & 0o777 == 0o600
        assert json.loads(path.read_text())["shell_port"] > 0
        process.terminate()
        assert process.wait(PATIENCE) == 0
        assert process.stdout.read() == ""
    assert not path.exists()


def test_a_cell_that_does_not_end_leaves_no_file_of_the_kernel_s(
    connect: Any, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "minikernel", "run", "--history", "off", "--transport", "ipc"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "JUPYTER_RUNTIME_DIR": str(tmp_path)},
        text=True,
    )
    with process:
        assert process.stdout is not None
        info = json.loads(Path(process.stdout.readline().strip()).read_text())
        client = connect(SimpleNamespace(info=info))
        code = (
            "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n"
            "print('deaf', flush=True)\nwhile True: pass"
        )
        client.send(client.shell, "execute_request", code=code)
        while client.receive(client.iopub)["header"]["msg_type"] != "stream":
            pass
        assert client.request(client.control, "shutdown_request")["status"] == "ok"
        assert process.wait(PATIENCE) == 1
        assert "did not end" in process.stdout.read()
    assert [p.suffix for p in tmp_path.iterdir()] == [".ring"]


def test_ipc(start_kernel: Any, connect: Any, tmp_path: Path) -> None:
    kernel = start_kernel(transport="ipc", ip=str(tmp_path / "k"))
    sockets = sorted(tmp_path.glob("k-*"))
    assert len(sockets) == 5
    assert all(s.stat().st_mode & 0o077 == 0 for s in sockets)
    client = connect(kernel)
    assert client.text("import os; os.chdir('/'); print(6 * 7)") == "42\n"
    client.request(client.control, "shutdown_request")
    ends(kernel)
    assert not list(tmp_path.glob("k-*"))


def test_the_kernel_ends_with_its_parent(tmp_path: Path) -> None:
    script = (
        "import os, subprocess, sys\n"
        "os.environ['JPY_PARENT_PID'] = str(os.getpid())\n"
        "kernel = subprocess.Popen([sys.executable, '-m', 'minikernel', 'run', '--history', 'off'],"
        " stdout=subprocess.PIPE, start_new_session=True)\n"
        "kernel.stdout.readline()\n"
        "print(kernel.pid)\n"
    )
    environment = {**os.environ, "JUPYTER_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, env=environment, check=True, timeout=60
    )
    with contextlib.suppress(psutil.NoSuchProcess):
        kernel = psutil.Process(int(done.stdout))
        kernel.wait(PATIENCE)
    assert not list(tmp_path.glob("*.json"))


def test_os_exit_in_a_cell_ends_the_kernel_as_asked(start_kernel: Any, connect: Any) -> None:
    kernel = start_kernel()
    client = connect(kernel)
    client.send(client.shell, "execute_request", code="import os; os._exit(7)")
    assert ends(kernel) == 7
    assert kernel.terminal == ""


def test_fork(start_kernel: Any, connect: Any) -> None:
    client = connect(start_kernel())
    code = (
        "import os\npid = os.fork()\n"
        "if pid == 0:\n    print('child'); raise SystemExit(3)\n"
        "status = os.waitpid(pid, 0)[1]\n"
        "print('parent', os.waitstatus_to_exitcode(status))"
    )
    text = client.text(code)  # stderr has a warning of Python's since 3.12
    assert sorted(text.split("\n")) == ["", "child", "parent 1"]
    code = (
        "import multiprocessing\n"
        "def work(n): return n * n\n"
        "with multiprocessing.get_context('fork').Pool(2) as pool: print(pool.map(work, [2, 3]))"
    )
    assert client.text(code) == "[4, 9]\n"
    code = (
        "p = multiprocessing.get_context('fork').Process(target=__import__('time').sleep,"
        " args=(60,))\np.start(); p.terminate(); p.join(); print(p.exitcode)"
    )
    assert client.text(code) == "-15\n"


def test_a_start_imports_nothing_that_it_does_not_need(start_kernel: Any, connect: Any) -> None:
    client = connect(start_kernel())
    heavy = ["asyncio", "jupyter_client", "IPython", "traitlets", "jedi", "sqlite3", "logging"]
    code = f"import sys; print([m for m in {heavy} if m in sys.modules])"
    assert client.text(code.replace("asyncio", "async' 'io")) == "[]\n"


def test_asyncio_in_plain_cells(start_kernel: Any, connect: Any) -> None:
    client = connect(start_kernel())
    assert client.text("import sys; print(any(m[:5] == 'async' for m in sys.modules))") == "False\n"
    code = (
        "import asyncio\nticks = []\n"
        "async def tick():\n"
        "    while True:\n        ticks.append(1); await asyncio.sleep(0.001)\n"
        "task = asyncio.create_task(tick())"
    )
    assert client.execute(code)[0]["status"] == "ok"
    deadline = time.monotonic() + PATIENCE
    while client.text("print(len(ticks) > 20)") != "True\n":
        assert time.monotonic() < deadline
    assert client.text("await asyncio.sleep(0); print('awaited')") == "awaited\n"
    assert client.execute("await asyncio.wait_for(asyncio.sleep(9), 0.01)")[0]["ename"] == (
        "TimeoutError"
    )


def test_a_replay_is_refused_also_after_kill_9(start_kernel: Any, connect: Any) -> None:
    kernel = start_kernel()
    client = connect(kernel)
    msg_id, frames = client.message("execute_request", {"code": "open('ran', 'a').write('x')"})
    client.shell.send_multipart(frames)
    client.outputs(msg_id)
    client.shell.send_multipart(frames)
    client.execute("1")
    assert client.rejected("shell") == {"replayed": 1}
    kernel.kill()
    kernel.start()
    again = connect(kernel)
    again.shell.send_multipart(frames)
    again.execute("1")
    assert again.rejected("shell") == {"replayed": 1}
    assert (kernel.file.parent / "ran").read_text() == "x"


def test_the_bare_specification_lets_a_replay_pass(start_kernel: Any, connect: Any) -> None:
    client = connect(kernel := start_kernel("--guards", "off"))
    _, frames = client.message("execute_request", {"code": "open('ran', 'a').write('x')"})
    client.shell.send_multipart(frames)
    client.shell.send_multipart(frames)
    client.execute("1")
    assert (kernel.file.parent / "ran").read_text() == "xx"


def test_a_connection_file_that_others_could_read_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "k.json"
    file.write_text(json.dumps(BASE))
    file.chmod(0o644)  # the kernel writes its ports back, and 0600: the key was readable before
    kernel = subprocess.Popen(
        [sys.executable, "-m", "minikernel", "run", "-f", str(file), "--history", "off"],
        stderr=subprocess.PIPE,
        text=True,
    )
    with kernel:
        assert kernel.stderr is not None
        assert "could be read by others" in kernel.stderr.readline()
        kernel.terminate()
    assert file.stat().st_mode & 0o077 == 0


def test_hmac_md5_is_a_warning(start_kernel: Any, connect: Any) -> None:
    kernel = start_kernel(signature_scheme="hmac-md5")
    client = connect(kernel, digest="md5")
    assert client.text("print(6 * 7)") == "42\n"
    assert "broken hash" in kernel.terminal


def test_history_survives(start_kernel: Any, connect: Any, tmp_path: Path) -> None:
    database = tmp_path / "history.sqlite"
    kernel = start_kernel("--history", str(database))
    client = connect(kernel)
    client.execute("'remember me'")
    client.request(client.control, "shutdown_request")
    ends(kernel)
    assert database.stat().st_mode & 0o077 == 0
    client = connect(start_kernel("--history", str(database), name="second"))
    content = client.request(
        client.shell, "history_request", hist_access_type="search", pattern="*remember me*"
    )
    assert content["history"][0][2] == "'remember me'"


def refused(*arguments: str) -> str:
    """What `minikernel run` says when it does not start."""
    done = subprocess.run(
        [sys.executable, "-m", "minikernel", "run", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_a_second_kernel_on_the_same_file_is_refused(start_kernel: Any) -> None:
    kernel = start_kernel()
    assert "in use" in refused("-f", str(kernel.file))


def test_a_replay_memory_that_another_kernel_holds_stops_the_start(
    start_kernel: Any, connect: Any
) -> None:
    kernel = start_kernel()
    connect(kernel).execute("1")
    copy = kernel.file.with_name("copy.json")
    zeros = {name: 0 for name in kernel.info if name.endswith("_port")}
    copy.write_text(json.dumps({**kernel.info, **zeros}))
    beside(copy).hardlink_to(beside(kernel.file))
    beside(kernel.file).unlink()  # one link, held by the first kernel
    assert "another kernel" in refused("-f", str(copy))


def test_a_scheme_that_the_file_does_not_ask_for_is_refused(start_kernel: Any) -> None:
    file = str(start_kernel().file)
    assert "'hmac-sha256'" in refused("-f", file, "--scheme", "hmac-sha512")
    assert "'null'" in refused("-f", file, "--scheme", "null")


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"key": ""}, "empty key"),
        ({"signature_scheme": "hmac-sha257"}, "unknown signature_scheme 'hmac-sha257'"),
        ({"signature_scheme": "channel-hmac-sha256"}, "others can read it"),
        ({"curve_publickey": "x"}, "curve_publickey alone"),
        ({"ip": "203.0.113.1"}, "can't listen"),
        ({"ip": "127.0.0.1\0"}, "ip has a zero byte"),
        ({"ip": "k\0", "transport": "ipc"}, "ip has a zero byte"),
    ],
)
def test_a_file_that_can_t_be_served_stops_the_start(
    tmp_path: Path, fields: dict[str, Any], complaint: str
) -> None:
    file = tmp_path / "k.json"
    file.write_text(json.dumps({**BASE, **fields}))
    assert complaint in refused("-f", str(file))


def test_a_file_of_brackets_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "k.json"
    file.write_text('{"key": ' + "[" * 100_000)
    assert "no JSON object" in refused("-f", str(file))


BASE = {
    **dict.fromkeys(("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port"), 0),
    "ip": "127.0.0.1",
    "transport": "tcp",
    "key": "k" * 32,
    "signature_scheme": "hmac-sha256",
}


def test_null_must_be_asked_for_by_name(start_kernel: Any, connect: Any) -> None:
    client = connect(start_kernel("--scheme", "null", key=""))
    assert client.text("print(6 * 7)") == "42\n"
