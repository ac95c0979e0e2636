"""Two requests at once: each output belongs to the request whose thread or task made it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import RawClient

SAY = """
import asyncio, comm, logging, sys, threading, warnings
from concurrent.futures import ThreadPoolExecutor

warnings.simplefilter("always")
told = logging.getLogger("told")
told.handlers = [logging.StreamHandler()]
go, said, over = (threading.Event() for _ in range(3))

def say(name):
    print(name, "printed")
    print(name, "flushed", flush=True)
    sys.stderr.write(f"{name} wrote\\n")
    sys.stdout.buffer.write(f"{name} bytes\\n".encode())
    told.warning("%s logged", name)
    warnings.warn(f"{name} warned")
    display({"text/plain": f"{name} displayed"}, raw=True)
    comm.create_comm(target_name=f"{name} comm").send({"name": name})
    clear_output()

def late(name="A"):
    go.wait()
    say(name)
    said.set()
    over.wait()
    say(name)
"""
STARTS = {
    "thread": "threading.Thread(target=late).start()",
    "daemon": "threading.Thread(target=late, daemon=True).start()",
    "subclass": """
class Late(threading.Thread):
    def start(self):
        super().start()
    def run(self):
        late()
Late().start()
""",
    "timer": "threading.Timer(0, late).start()",
    "pool": "pool = ThreadPoolExecutor(1)\npool.submit(int).result()",
    "low level": "import _thread\n_thread.start_new_thread(late, ('A',))",
    "thread of a thread": """
def second():
    go.wait()
    threading.Thread(target=late).start()
threading.Thread(target=second).start()
""",
    "task": """
async def waiting():
    while not go.is_set():
        await asyncio.sleep(0)
    say("A")
    said.set()
    while not over.is_set():
        await asyncio.sleep(0)
    say("A")
task = asyncio.create_task(waiting())
""",
    "awaited thread": "task = asyncio.create_task(asyncio.to_thread(late))",
    "callback": """
def turn():
    if not go.is_set():
        return asyncio.get_running_loop().call_soon(turn)
    say("A")
    said.set()
    asyncio.get_running_loop().call_soon(last)
def last():
    if not over.is_set():
        return asyncio.get_running_loop().call_soon(last)
    say("A")
asyncio.get_running_loop().call_soon(turn)
""",
}
MEANWHILE = """
go.set()
pool and pool.submit(late)
say("B")
while not said.is_set():
    await asyncio.sleep(0)
say("B")
"""
KINDS = {"stream", "display_data", "comm_open", "comm_msg", "clear_output"}


def until_idle(client: RawClient, msg_id: str) -> list[dict[str, Any]]:
    found = []
    while True:
        message = client.receive(client.iopub)
        found.append(message)
        parent = message["parent_header"].get("msg_id")
        if parent == msg_id and message["content"].get("execution_state") == "idle":
            return found


def of(messages: list[dict[str, Any]], msg_id: str) -> list[dict[str, Any]]:
    return [
        m
        for m in messages
        if m["parent_header"].get("msg_id") == msg_id and m["header"]["msg_type"] in KINDS
    ]


def text(messages: list[dict[str, Any]], name: str) -> str:
    return "".join(m["content"]["text"] for m in messages if m["content"].get("name") == name)


def check(messages: list[dict[str, Any]], name: str, times: int) -> None:
    """All that `name` has said so often, and nothing of anybody else."""
    other = "B" if name == "A" else "A"
    assert not [m for m in messages if f"{other} " in str(m["content"])]
    lines = "".join(f"{name} {what}\n" for what in ("printed", "flushed", "bytes"))
    assert text(messages, "stdout") == times * lines
    errors = text(messages, "stderr")
    for what in (f"{name} wrote", f"{name} logged", f"UserWarning: {name} warned"):
        assert errors.count(what) == times
    for kind in ("display_data", "comm_open", "comm_msg", "clear_output"):
        assert sum(m["header"]["msg_type"] == kind for m in messages) == times


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_what_is_said_beside_a_running_cell(client: RawClient, start: str) -> None:
    client.execute(f"pool = None\n{SAY}")
    first = client.send(client.shell, "execute_request", code=start)
    seen = until_idle(client, first)
    second = client.send(client.shell, "execute_request", code=MEANWHILE)
    seen += until_idle(client, second)
    client.request(client.shell, "complete_request", code="sa", cursor_pos=2)
    third = client.send(client.shell, "execute_request", code="over.set(); 1")
    while sum(m["header"]["msg_type"] == "clear_output" for m in of(seen, first)) < 2:
        seen.append(client.receive(client.iopub))
    assert not of(seen, third)
    check(of(seen, first), "A", 2)
    check(of(seen, second), "B", 2)


def test_lines_of_two_threads_are_not_mixed(client: RawClient) -> None:
    """Each writes as fast as it can, so a switch may come anywhere in `write`."""
    client.execute(
        "import threading, sys\nsys.setswitchinterval(1e-6)\nbegin = threading.Event()\n"
        "def lines(name):\n    begin.wait()\n"
        "    for i in range(20_000): print(name, i, flush=not i % 100)\n"
    )
    cell = "t{0} = threading.Thread(target=lines, args=('{0}',)); t{0}.start()"
    ids = [client.send(client.shell, "execute_request", code=cell.format(n)) for n in "AB"]
    last = client.send(
        client.shell, "execute_request", code="begin.set(); lines('C'); tA.join(); tB.join()"
    )
    seen = until_idle(client, last)
    client.execute("sys.setswitchinterval(0.005)")
    for name, msg_id in zip("ABC", [*ids, last], strict=True):
        expected = "".join(f"{name} {i}\n" for i in range(20_000))
        assert text(of(seen, msg_id), "stdout") == expected


def test_a_thread_asks_beside_a_cell_that_asks(client: RawClient) -> None:
    """Each gets its own answer, whichever comes first."""
    code = (
        "import threading\ngo = threading.Event()\n"
        "def ask():\n    go.wait()\n    answers.append(input('A? '))\n"
        "answers = []\nthread = threading.Thread(target=ask)\nthread.start()"
    )
    first = client.send(client.shell, "execute_request", code=code)
    until_idle(client, first)
    cell = "go.set()\nanswers.append(input('B? '))\nthread.join()\nprint(sorted(answers))"
    second = client.send(client.shell, "execute_request", code=cell)
    questions: dict[str, dict[str, Any]] = {}
    while len(questions) < 2:
        question = client.receive(client.stdin)
        questions[question["content"]["prompt"]] = question
    parents = {p: q["parent_header"]["msg_id"] for p, q in questions.items()}
    assert parents == {"A? ": first, "B? ": second}
    for prompt in ("A? ", "B? "):
        content = {"value": f"to {prompt}"}
        _, frames = client.message("input_reply", content, questions[prompt]["header"])
        client.stdin.send_multipart(frames)
    seen = until_idle(client, second)
    assert text(of(seen, second), "stdout") == "['to A? ', 'to B? ']\n"


def test_a_thread_asks_when_its_cell_is_over(client: RawClient) -> None:
    code = "import threading\nthreading.Thread(target=lambda: print(input('late? '))).start()"
    msg_id = client.send(client.shell, "execute_request", code=code)
    seen = until_idle(client, msg_id)
    question = client.receive(client.stdin)
    assert question["parent_header"]["msg_id"] == msg_id
    client.send(client.stdin, "input_reply", value="answer")
    while "answer" not in text(of(seen, msg_id), "stdout"):
        seen.append(client.receive(client.iopub))


def test_between_cells_the_main_thread_asks_nobody(client: RawClient) -> None:
    """What a completion runs, say: it belongs to no cell that allows it."""
    client.execute(
        "class Asks:\n    @property\n    def asked(self): return input()\n"
        "    def __dir__(self): return [input()]\nasks = Asks()"
    )
    reply = client.request(client.shell, "complete_request", code="asks.", cursor_pos=5)
    assert reply["status"] == "ok"
    assert not client.stdin.poll(0)


def test_what_a_subprocess_writes_is_the_running_cell_s(client: RawClient) -> None:
    code = (
        "import subprocess, sys\nprogram = 'input(); print(\"from a child\")'\n"
        "child = subprocess.Popen([sys.executable, '-c', program], stdin=subprocess.PIPE)"
    )
    client.execute(code)
    assert client.text("child.communicate(b'x')") == "from a child\n"


def test_a_display_of_a_thread_leaves_the_text_of_a_child_to_the_running_cell(
    client: RawClient,
) -> None:
    code = (
        "import os, threading\ngo, done = threading.Event(), threading.Event()\n"
        "threading.Thread(target=lambda: (go.wait(), display(1), done.set())).start()"
    )
    first = client.send(client.shell, "execute_request", code=code)
    seen = until_idle(client, first)
    cell = "os.write(1, b'of a descriptor\\n'); go.set(); done.wait(); print()"
    second = client.send(client.shell, "execute_request", code=cell)
    seen += until_idle(client, second)
    assert text(of(seen, first), "stdout") == ""
    assert text(of(seen, second), "stdout") == "of a descriptor\n\n"
