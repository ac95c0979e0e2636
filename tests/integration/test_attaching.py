"""A Jupyter server attaches to a kernel that runs already, as docs/use.md says."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tornado.websocket import websocket_connect

import minikernel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import KernelProcess

PATIENCE = 60  # seconds
TOKEN = "only-for-this-test"
DOCUMENT = Path(__file__).parents[2] / "docs" / "use.md"
LESSONS = Path(__file__).parents[2] / "notebooks"
LINK = re.compile(r"\]\(([^)\s:]+)\)")
COMMAND = re.compile(r"^jupyter lab (--ServerApp.*)$", re.MULTILINE)


@pytest.fixture
def kernel(start_kernel: Callable[..., KernelProcess]) -> KernelProcess:
    return start_kernel()


@pytest.fixture
def serve(tmp_path: Path, port_of: Callable[..., int]) -> Iterator[Callable[..., str]]:
    """Starts a Jupyter server, which ends with the test; its address."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "JPY"))}
    own = {f"JUPYTER_{k}_DIR": str(tmp_path / k) for k in ("DATA", "RUNTIME", "CONFIG")}
    with contextlib.ExitStack() as stack:

        def start(directory: Path, *options: str) -> str:
            log = stack.enter_context((tmp_path / "server.txt").open("wb"))
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "jupyter", "server", "--no-browser", "--allow-root"),
                    *("--ServerApp.port=0", f"--IdentityProvider.token={TOKEN}", *options),
                ],
                cwd=directory,
                env={**kept, **own},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            stack.callback(process.wait, PATIENCE)
            stack.callback(process.terminate)
            return f"127.0.0.1:{port_of(process, tmp_path / 'RUNTIME', PATIENCE)}"

        yield start


def asked(server: str, path: str) -> Any:
    """What the server answers, once it does."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(f"http://{server}/api/{path}?token={TOKEN}") as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code
        except urllib.error.URLError:
            assert time.monotonic() < deadline, "the server does not answer"


async def run(server: str, kernel_id: str, code: str) -> str:
    """Run a cell as JupyterLab does; what it printed."""
    address = f"ws://{server}/api/kernels/{kernel_id}/channels?token={TOKEN}"
    connection = await websocket_connect(address)
    header = {
        "msg_id": uuid.uuid4().hex,
        "session": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "username": "test",
        "version": "5.3",
        "date": "2026-01-01T00:00:00Z",
    }
    content = {"code": code, "silent": False}
    rest = {"parent_header": {}, "metadata": {}, "buffers": [], "channel": "shell"}
    await connection.write_message(json.dumps({"header": header, "content": content, **rest}))
    said = ""
    while True:
        text = await asyncio.wait_for(connection.read_message(), PATIENCE)
        assert text is not None
        msg = json.loads(text)
        if msg["parent_header"].get("msg_id") == header["msg_id"]:
            said += msg["content"].get("text", "")
            if msg["content"].get("execution_state") == "idle":
                connection.close()
                return said


def test_a_server_lists_the_kernel_runs_cells_on_it_and_leaves_it_running(
    serve: Callable[..., str], kernel: KernelProcess, tmp_path: Path
) -> None:
    (tmp_path / "attach").mkdir()
    (tmp_path / "attach" / "kernel.json").symlink_to(kernel.file)
    command = COMMAND.search(DOCUMENT.read_text())
    assert command is not None
    server = serve(tmp_path, *command.group(1).split())
    with minikernel.connect(kernel.file, timeout=PATIENCE) as owner:
        owner.run("x = 'from the console'")
        (listed,) = asked(server, "kernels")
        assert asyncio.run(run(server, listed["id"], "print(x); y = 'from the notebook'")) == (
            "from the console\n"
        )
        assert owner.run("y").value == "'from the notebook'"
    assert kernel.process.poll() is None


@pytest.mark.slow
def test_links_of_the_lessons_work_where_their_page_says_to_start_a_server(
    serve: Callable[..., str],
) -> None:
    assert "start `jupyter lab` in the project's directory" in (LESSONS / "README.md").read_text()
    server = serve(LESSONS.parent)
    texts = "".join(path.read_text() for path in LESSONS.glob("*.ipynb"))
    links = {Path(os.path.normpath(f"notebooks/{link}")) for link in LINK.findall(texts)}
    assert Path("SECURITY.md") in links
    for link in links:
        assert asked(server, f"contents/{link}")["type"] in {"file", "notebook"}, link
