"""A second client, written from the text of channel-hmac alone; it shares no code with ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from independent import IndependentClient
from independent_stage import Stage
from independent_wire import OWNER, invitation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import KernelProcess


@pytest.fixture(scope="module")
def independent() -> Iterator[Callable[..., IndependentClient]]:
    """Makes independent clients, the owner's or invited ones, that are closed with the module."""
    clients: list[IndependentClient] = []

    def connect(
        kernel: KernelProcess, client_id: str = "", rights: int = OWNER
    ) -> IndependentClient:
        info = invitation(kernel.info, client_id, rights) if client_id else kernel.info
        clients.append(IndependentClient(info))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


@pytest.fixture
def client(
    kernel: KernelProcess, independent: Callable[..., IndependentClient]
) -> IndependentClient:
    """The owner's, joined."""
    owner = independent(kernel)
    assert owner.join()["status"] == "ok"
    owner.bound()
    return owner


@pytest.fixture(scope="module")
def both(kernel: KernelProcess, independent: Callable[..., IndependentClient]) -> Stage:
    return Stage(independent(kernel), independent(kernel, "bob", 255))


@pytest.fixture
def stage(both: Stage, kernel: KernelProcess) -> Iterator[Stage]:
    both.welcome()
    both.forget()
    yield both
    assert kernel.process.poll() is None, kernel.terminal
    assert not (kernel.file.parent / "executed").exists()
