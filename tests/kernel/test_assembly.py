"""A kernel is put together, or refused and nothing left behind; in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from minikernel.transport import connection

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import json, os, sys
from pathlib import Path
from minikernel.errors import ConfigError
from minikernel.interpreter.plain import PlainEngine
from minikernel.kernel.assembly import Assembly
from minikernel.kernel.options import Options
from tests.kernel.test_control import INFO

class Engine(PlainEngine):
    info = INFO

class Broken:
    def __init__(self, frontend, history_file): raise KeyError("no engine")

class Life:
    def end(self): pass
    def tick(self): pass
    def failed(self, problem): pass

engine = {"good": Engine, "broken": Broken}[sys.argv[2]]
try:
    parts = Assembly(Path(sys.argv[1]), Options(engine=engine, history_file="off"), Life())
except ConfigError as problem:
    print(json.dumps(["refused", str(problem)]))
else:
    print(json.dumps(["made", parts.memory is not None, parts.connection.heartbeat is not None]))
    parts.sockets.abandon()
"""


def assemble(path: Path, scheme: str, engine: str = "good", mode: int = 0o600) -> list[object]:
    fields = connection.new_fields(
        transport="tcp", ip="127.0.0.1", signature_scheme=scheme, key="k" * 32
    )
    connection.write(path, fields)
    path.chmod(mode)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path), engine],
        capture_output=True,
        check=False,
        timeout=100,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found: list[object] = json.loads(done.stdout)
    return found


def test_the_ports_that_were_bound_are_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "kernel.json"
    assert assemble(path, "hmac-sha256") == ["made", True, False]
    fields = json.loads(path.read_text())
    assert all(fields[name] for name in connection.PORTS.values())


def test_a_scheme_with_sessions_has_its_own_heartbeat(tmp_path: Path) -> None:
    assert assemble(tmp_path / "kernel.json", "channel-hmac-sha256") == ["made", False, True]


def test_an_engine_that_fails_ends_it(tmp_path: Path) -> None:
    said = assemble(tmp_path / "kernel.json", "hmac-sha256", "broken")
    assert said[0] == "refused"
    assert "no engine" in str(said[1])


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    said = assemble(tmp_path / "kernel.json", "channel-hmac-sha256", mode=0o644)
    assert said[0] == "refused"
    assert "chmod 600" in str(said[1])
