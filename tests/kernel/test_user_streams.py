"""A sys.stdout of the user's: what it still holds at the end of a cell is the cell's output."""

from __future__ import annotations

from typing import Any

import pytest

TEE = """
class Tee:
    def __init__(self, stream): self.stream, self.kept = stream, []
    def write(self, text): self.kept.append(text)
    def flush(self): self.stream.write(''.join(self.kept)); self.kept.clear()
sys.stdout = Tee(sys.stdout)
"""
RAW = "io.BufferedWriter(io.FileIO(1, 'w', False))"
BEGIN = "class S:\n    write = lambda self, text: 0\n    def flush(self): "
KEEPING = {
    "a wrapper": "sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='utf-8')",
    "a file": "sys.stdout = open(1, 'w', closefd=False)",
    "a buffered writer": f"sys.stdout = io.TextIOWrapper({RAW})",
    "a tee": TEE,
    "codecs": f"import codecs; sys.stdout = codecs.getwriter('utf-8')({RAW})",
}
BROKEN = {
    "raises": f"{BEGIN}1 / 0\nsys.stdout = S()",
    "exits": f"{BEGIN}sys.exit(3)\nsys.stdout = S()",
    "closed": "sys.stdout = io.StringIO(); sys.stdout.close()",
    "None": "sys.stdout = sys.stderr = None",
    "an object": "sys.stdout = object()",
    "no attribute": "del sys.stdout",
}


@pytest.mark.parametrize("code", KEEPING.values(), ids=KEEPING)
def test_it_is_flushed_at_the_end_of_each_cell(client: Any, code: str) -> None:
    client.execute(f"import io, sys\n{code}")
    try:
        assert client.text("print('one')") == "one\n"
        assert client.text("print('two')\n1").replace("1", "") == "two\n"
    finally:
        client.execute("sys.stdout = sys.__stdout__")


@pytest.mark.parametrize("code", BROKEN.values(), ids=BROKEN)
def test_a_broken_one_ends_nothing(client: Any, code: str) -> None:
    client.execute(f"import io, sys\n{code}")
    assert client.execute("6 * 7")[0]["status"] == "ok"
    client.execute("sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__")
    assert client.text("print('alive')") == "alive\n"


def test_a_flush_that_never_ends_can_be_interrupted(client: Any) -> None:
    code = (
        f"import sys, time\nout = sys.__stdout__\n{BEGIN}"
        "out.write('flushes\\n'); out.flush(); time.sleep(600)\n"
        "sys.stdout = S()"
    )
    msg_id = client.send(client.shell, "execute_request", code=code)
    while client.receive(client.iopub)["content"].get("text") != "flushes\n":
        pass
    client.request(client.control, "interrupt_request")
    assert client.reply(client.shell, msg_id)["content"]["status"] == "ok"
    msg_id = client.send(client.shell, "execute_request", code="sys.stdout = sys.__stdout__")
    assert client.reply(client.shell, msg_id)["content"]["status"] == "ok"
