"""Lines that are flushed one by one come whole, at our clients, at stock ones and from exec."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient

import minikernel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATIENCE = 60
LINES = """
import logging, os, subprocess, sys, threading
out = logging.getLogger("out")
out.addHandler(logging.StreamHandler(sys.stdout))
for i in range({n}): print(i, flush=True)
for i in range({n}): out.error(i)
def work():
    for i in range({n}): sys.stdout.write(f"{{i}}\\n"); sys.stdout.flush()
thread = threading.Thread(target=work)
thread.start()
thread.join()
for i in range({n}): os.write(1, b"%d\\n" % i)
code = "for i in range({n}): print(i, flush=True)"
done = subprocess.run([sys.executable, "-c", code], check=True)
"""
TIMES = 5  # that each line comes
SOME, MANY = 4_000, 50_000  # lines; so many are more than wait anywhere on the way to a client


def by_run(code: str, _: Path) -> str:
    with minikernel.launch() as client:
        result = client.run(code, timeout=PATIENCE)
        assert (result.status, result.complete, result.missed) == ("ok", True, 0)
        return result.stdout


def by_run_async(code: str, _: Path) -> str:
    async def run() -> str:
        async with minikernel.launch_async() as client:
            return (await client.run(code, timeout=PATIENCE)).stdout

    return asyncio.run(run())


def by_exec(code: str, directory: Path) -> str:
    script = directory / "script.py"
    script.write_text(code)
    command = [sys.executable, "-m", "minikernel", "exec", str(script)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return done.stdout.decode()


def by_nbclient(code: str, _: Path) -> str:
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(book, timeout=PATIENCE, kernel_name="minikernel").execute()
    return "".join(output.text for output in book.cells[0].outputs)


READERS = [by_run, by_run_async, by_exec, by_nbclient]


@pytest.mark.parametrize("read", READERS)
def test_flushed_lines_come_whole(read: Callable[[str, Path], str], tmp_path: Path) -> None:
    expected = "".join(f"{i}\n" for i in range(SOME)) * TIMES
    assert read(LINES.format(n=SOME), tmp_path) == expected


@pytest.mark.slow
@pytest.mark.parametrize("read", READERS)
def test_many_flushed_lines_come_whole(read: Callable[[str, Path], str], tmp_path: Path) -> None:
    expected = "".join(f"{i}\n" for i in range(MANY)) * TIMES
    assert read(LINES.format(n=MANY), tmp_path) == expected
