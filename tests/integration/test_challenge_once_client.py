"""The scheme challenge-once from end to end: the project's kernel and its client."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

import minikernel
from minikernel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import KernelProcess

PATIENCE = 20
SCHEME = {"signature_scheme": "challenge-once"}
DELIMITER = b"<IDS|MSG>"


def test_a_kernel_and_its_client(start_kernel: Callable[..., KernelProcess]) -> None:
    kernel = start_kernel(**SCHEME)
    with minikernel.connect(kernel.file, scheme="challenge-once", timeout=PATIENCE) as client:
        signatures: set[bytes] = set()

        def note(event: minikernel.TraceEvent) -> None:
            frames = list(event.frames)
            if event.msg_type.endswith(("_request", "_reply")):
                signatures.add(bytes(frames[frames.index(DELIMITER) + 1]))

        client.trace = note
        code = "print(input('? ')); 6 * 7"
        result = client.run(code, on_input=lambda *_: "an answer", timeout=PATIENCE)
        assert (result.status, result.value, result.stdout) == ("ok", "42", "an answer\n")
        assert client.run("1", timeout=PATIENCE).value == "1"
        assert signatures == {b""}
        assert client.ledger.rejected == 0
        assert client.auth_status().rejected == 0
        client.shutdown()
    assert kernel.process.wait(PATIENCE) == 0


def test_an_asynchronous_client(start_kernel: Callable[..., KernelProcess]) -> None:
    kernel = start_kernel(**SCHEME)

    async def talk() -> str | None:
        async with await minikernel.connect_async(kernel.file, timeout=PATIENCE) as client:
            result = await client.run("input()", on_input=lambda *_: "42", timeout=PATIENCE)
            return result.value

    assert asyncio.run(talk()) == "'42'"


def test_two_clients_and_one_that_is_busy(start_kernel: Callable[..., KernelProcess]) -> None:
    kernel = start_kernel(**SCHEME)
    with minikernel.connect(kernel.file, timeout=PATIENCE) as first:
        first.execute("input()", allow_stdin=False)
        first.run("1", timeout=PATIENCE)
        with minikernel.connect(kernel.file, timeout=PATIENCE) as second:
            assert second.run("2", timeout=PATIENCE).value == "2"
            assert first.run("3", timeout=PATIENCE).value == "3"


def test_after_a_restart_the_client_shakes_hands_again(
    start_kernel: Callable[..., KernelProcess],
) -> None:
    kernel = start_kernel(**SCHEME)
    with minikernel.connect(kernel.file, timeout=PATIENCE) as client:
        assert client.run("1", timeout=PATIENCE).value == "1"
        kernel.kill()
        kernel.start()
        client.wait_for_ready(PATIENCE)
        assert client.run("2", timeout=PATIENCE).value == "2"


def test_a_client_that_expects_another_scheme(start_kernel: Callable[..., KernelProcess]) -> None:
    kernel = start_kernel(**SCHEME)
    for scheme in ("hmac-sha256", "channel-hmac-sha256"):
        with pytest.raises(ConfigError):
            minikernel.connect(kernel.file, scheme=scheme)


def test_a_client_with_another_key(start_kernel: Callable[..., KernelProcess]) -> None:
    kernel = start_kernel(**SCHEME)
    path = kernel.file.with_name("other.json")
    path.write_text(kernel.file.read_text().replace(kernel.info["key"], "k" * 32))
    path.chmod(0o600)
    with pytest.raises(minikernel.KernelDied):
        minikernel.connect(path, timeout=1)
