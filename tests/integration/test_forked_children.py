"""A child that was forked off has no key of channel-hmac, and says nothing."""

from __future__ import annotations

import gc
import hmac
import multiprocessing
from typing import TYPE_CHECKING

import pytest

import minikernel
from minikernel.auth.channel_hmac import NAME as CHANNEL_HMAC
from minikernel.auth.keys import SecretKey

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import KernelProcess

PATIENCE = 20
KEYS = """
import gc, hmac
from minikernel.auth.keys import SecretKey
def keys():
    gc.unfreeze()  # else what was there when the kernel began to serve is not looked at
    gc.collect()
    return sum(isinstance(o, hmac.HMAC) or (isinstance(o, SecretKey) and bool(o))
               for o in gc.get_objects())
"""
FORK = """
import os, sys
r, w = os.pipe()
pid = os.fork()
if pid == 0:
    display('from the child')
    os.write(w, str(keys()).encode())
    os._exit(0)
os.waitpid(pid, 0)
keys() > 0, int(os.read(r, 100))
"""
MULTIPROCESSING = """
import multiprocessing
context = multiprocessing.get_context('fork')
queue = context.SimpleQueue()
def work():
    display('from the child')
    queue.put(keys())
child = context.Process(target=work)
child.start()
child.join()
keys() > 0, queue.get()
"""


@pytest.mark.parametrize("code", [FORK, MULTIPROCESSING], ids=["fork", "multiprocessing"])
def test_of_a_kernel(start_kernel: Callable[..., KernelProcess], code: str) -> None:
    kernel = start_kernel(signature_scheme=CHANNEL_HMAC)
    with minikernel.connect(kernel.file, timeout=PATIENCE) as client:
        client.run(f"import warnings; warnings.simplefilter('ignore')\n{KEYS}", timeout=PATIENCE)
        result = client.run(code, timeout=PATIENCE).raise_for_error()
        assert (result.value, result.displays) == ("(True, 0)", [])
        assert client.run("1", timeout=PATIENCE).value == "1"
        assert client.auth_status().rejected == 0
        reasons = {reason for row in client.ledger for reason in row.rejected}
        assert reasons <= {"no tag", "unknown session"}  # said before this client had joined


def keys() -> int:
    """How many objects of this process hold one."""
    gc.collect()
    return sum(
        isinstance(o, hmac.HMAC) or (isinstance(o, SecretKey) and bool(o)) for o in gc.get_objects()
    )


def child(client: minikernel.MiniKernelClient, before: int, found: Path) -> None:
    kept, error = keys() - before, ""
    try:
        client.execute("forged = 1")
    except minikernel.MinikernelError as problem:
        error = type(problem).__name__
    found.write_text(f"{kept} {bool(client.session.key)} {error}")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_of_a_client(start_kernel: Callable[..., KernelProcess], tmp_path: Path) -> None:
    kernel, found = start_kernel(signature_scheme=CHANNEL_HMAC), tmp_path / "found"
    before = keys()
    with minikernel.connect(kernel.file, timeout=PATIENCE) as client:
        assert keys() > before
        context = multiprocessing.get_context("fork")
        process = context.Process(target=child, args=(client, before, found))
        process.start()
        process.join(PATIENCE)
        assert found.read_text() == "0 False LocalProtocolError"
        assert client.run("'forged' in globals()", timeout=PATIENCE).value == "False"
        assert client.auth_status().rejected == 0
