"""The examples of docs/connections.md: clients and a kernel without jupyter_client."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import zmq

import minikernel
from minikernel.transport import connection

EXAMPLES = Path(minikernel.__file__).parents[1] / "docs" / "examples"

PATIENCE = 20  # seconds

pytestmark = pytest.mark.usefixtures("jupyter")


@pytest.mark.parametrize("scheme", ["hmac-sha256", "channel-hmac-sha256", "challenge-once"])
@pytest.mark.parametrize("example", ["plain_client.py", "asyncio_client.py"])
def test_a_client_runs_a_cell(example: str, scheme: str) -> None:
    with minikernel.launch(scheme=scheme, extra_arguments=["--history", "off"]) as client:
        done = subprocess.run(
            [sys.executable, EXAMPLES / example, client.connection_file, "print('hello'); 6 * 7"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        rejected = client.auth_status().rejected
    assert (done.returncode, done.stderr) == (0, "")
    for said in (
        "stream {'name': 'stdout', 'text': 'hello\\n'}",
        "'data': {'text/plain': '42'}",
        "execute_reply {'status': 'ok'",
    ):
        assert said in done.stdout
    assert rejected == 0


@pytest.mark.parametrize(
    "scheme", ["hmac-sha256", "clear-key", "channel-hmac-sha256", "challenge-once"]
)
def test_a_kernel_repeats_a_cell(scheme: str, tmp_path: Path) -> None:
    file = tmp_path / "kernel.json"
    key = "a key of 32 bytes, or some more!"
    fields = connection.new_fields(
        transport="tcp", ip="127.0.0.1", signature_scheme=scheme, key=key
    )
    connection.write(file, fields)
    kernel = subprocess.Popen([sys.executable, EXAMPLES / "plain_kernel.py", file])
    try:
        while json.loads(file.read_text())["shell_port"] == 0:
            assert kernel.poll() is None
        with minikernel.connect(file, scheme=scheme) as client:
            assert client.run("6 * 7").stdout == "6 * 7"
            stranger = zmq.Context.instance().socket(zmq.DEALER)
            stranger.connect(f"tcp://127.0.0.1:{client.shell_port}")
            stranger.send_multipart([b"<IDS|MSG>", b"junk", b"{}", b"{}", b"{}", b"{}"])
            assert client.run("once more").stdout == "once more"
            stranger.close(0)
            assert client.ledger.rejected == 0
            client.request_control("shutdown_request", {"restart": False})
        assert kernel.wait(PATIENCE) == 0
    finally:
        kernel.kill()
        kernel.wait()


def test_they_are_without_jupyter_client() -> None:
    for example in ("plain_client", "asyncio_client", "plain_kernel"):
        code = f"import sys; import {example}; print('jupyter_client' in sys.modules)"
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=EXAMPLES,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert done.stdout == "False\n"
