from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

import minikernel

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_connection_can_be_loaded_as_jupyter_client_does(play: Callable[..., Any]) -> None:
    rogue, _ = play()
    client = minikernel.MiniKernelClient(connection_file=os.fspath(rogue.path))
    client.load_connection_file()
    client.start_channels()
    client.wait_for_ready(20)
    assert client.run("1", timeout=20).status == "ok"
    client.close()


def test_a_refused_connection_changes_nothing(play: Callable[..., Any]) -> None:
    rogue, client = play()
    key, port = client.session.key, client.shell_port
    with pytest.raises(minikernel.ConfigError):
        client.load_connection_info({"key": "", "shell_port": 1, "ip": "127.0.0.2"})
    assert (client.session.key, client.shell_port) == (key, port)
    assert client.run("1", timeout=20).status == "ok"
    assert rogue.problem is None
