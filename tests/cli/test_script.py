"""What a script does under `minikernel exec` is what it does under `python`: both are run."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pexpect
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Compare = Callable[..., tuple[bytes, bytes, int]]
    Start = Callable[[str], subprocess.Popen[str]]
    Terminal = Callable[[str], pexpect.spawn[str]]

TIMEOUT = 60  # seconds for any one process
ADDRESS = re.compile(rb"0x[0-9a-f]+|\b\d{9,}\b")  # of objects, numbers of threads
EXEC = ("-m", "minikernel", "exec")
ENDS = [
    "sys.exit()",
    "sys.exit(None)",
    "sys.exit(0)",
    "sys.exit(3)",
    "sys.exit(-1)",
    "sys.exit(256)",
    "sys.exit(1 << 40)",
    "sys.exit(False)",
    "sys.exit(True)",
    "sys.exit(2.5)",
    "sys.exit('a text \\N{SNOWMAN}')",
    "sys.exit((1, 2))",
    "sys.exit([])",
    "class Mine(SystemExit): pass\nraise Mine(4)",
    "e = SystemExit()\ne.code = 5\nraise e",
    "exit(6)",
    "quit('bye')",
    "raise SystemExit from ValueError(1)",
    "try:\n    sys.exit(7)\nfinally:\n    print('finally')",
    "import threading\nt = threading.Thread(target=sys.exit, args=(8,))\nt.start()\nt.join()",
    "import os\nprint('flushed', flush=True)\nprint('lost')\nos._exit(9)",
    "import os\nprint('flushed', flush=True)\nos.abort()",
    "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
    "import os, signal\nsignal.raise_signal(signal.SIGTERM)",
    "import os\nos.execv(sys.executable, [sys.executable, '-c', 'print(10); exit(11)'])",
    "import os\nif os.fork() == 0:\n    sys.exit(12)\nprint(os.wait()[1])",
]
FAILURES = {
    "an exception": "def f():\n    1 / 0\nprint('before')\nf()",
    "a chain": "try:\n    1 / 0\nexcept Exception as e:\n    raise KeyError('x') from e",
    "a group": "import asyncio\nasync def f():\n    raise OSError('g')\nasyncio.run(f())",
    "an interrupt": "raise KeyboardInterrupt",
    "a bare BaseException": "raise BaseException('bare')",
    "an assertion": "assert sys.argv == [], 'reason'",
    "a syntax error": "x = = 1",
    "an indent": "  x = 1",
    "an unfinished bracket": "print(1\n",
    "top-level await": "await f()",
    "a magic": "%matplotlib inline",
    "a syntax error in an import": "open('other.py', 'w').write('1 +')\nimport other",
    "a missing module": "import no_such_module",
    "a recursion": "def f(): f()\ntry:\n    f()\nexcept RecursionError as e:\n    print(e)",
    "a thread": "import threading\ndef f(): 1 / 0\nthreading.Thread(target=f).start()",
    "threading.excepthook": "import threading\nthreading.excepthook = lambda a: print(a.exc_type)\n"
    "threading.Thread(target=lambda: 1 / 0).start()",
    "sys.excepthook": "sys.excepthook = lambda k, e, t: print(k, e, t.tb_frame.f_code.co_name,"
    " t.tb_next, e.__traceback__ is t)\n1 / 0",
    "sys.excepthook, as it was": "sys.excepthook = sys.__excepthook__\n1 / 0",
    "unraisable": "class A:\n    def __del__(self): 1 / 0\na = A()\ndel a",
    "sys.unraisablehook": "sys.unraisablehook = lambda u: print(u.exc_type)\nclass A:\n"
    "    def __del__(self): 1 / 0\na = A()\ndel a",
    "at exit": "import atexit\natexit.register(lambda: 1 / 0)",
    "a str that fails": "class E(Exception):\n    def __str__(self): 1 / 0\nraise E",
    "a note": "e = ValueError('v')\nif hasattr(e, 'add_note'): e.add_note('noted')\nraise e",
    "an exec": "exec(compile('1 / 0', 'made.py', 'exec'))",
}
LOOPS = {
    "run": "asyncio.run(main())",
    "run, debug": "asyncio.run(main(), debug=True)",
    "new_event_loop": "asyncio.new_event_loop().run_until_complete(main())",
    "set_event_loop": "loop = asyncio.new_event_loop()\nasyncio.set_event_loop(loop)\n"
    "asyncio.get_event_loop().run_until_complete(main())",
    "forever": "loop = asyncio.new_event_loop()\nloop.call_soon(loop.stop)\nloop.run_forever()",
    "Runner": "if hasattr(asyncio, 'Runner'):\n    with asyncio.Runner() as r: r.run(main())",
    "in a thread": "import threading\nthreading.Thread(target=lambda: asyncio.run(main())).start()",
    "a signal handler": "import os, signal\nasync def stop():\n"
    "    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, print, 'heard')\n"
    "    os.kill(os.getpid(), signal.SIGINT)\n    await asyncio.sleep(0.01)\nasyncio.run(stop())",
    "no loop": "try:\n    asyncio.get_running_loop()\nexcept RuntimeError as e:\n    print(e)",
    "anyio": "import anyio\nanyio.run(main)",
    "a task left": "async def f():\n    asyncio.ensure_future(main())\nasyncio.run(f())",
}
SURROUNDINGS = {
    "names": "print(sys.argv, __name__, __file__, __package__, __spec__, sorted(globals()))",
    "main": "import __main__\nprint(__main__.__dict__ is globals(),"
    " __loader__.get_source('__main__'))",
    "path": "print(sys.path, len(sys.modules), sys.flags, sys.displayhook, sys.excepthook)",
    "threads": "import threading\nprint(threading.enumerate(), threading.current_thread())",
    "signals": "import signal\nprint([signal.getsignal(n) for n in signal.valid_signals()])",
    "frames": "print(sys.getrecursionlimit(), sys.gettrace(), sys.getprofile())",
    "an annotation": "x: int = 1\nprint(__annotations__)",
    "a module beside": "print(neighbour.ANSWER)"
    if False
    else "import neighbour\nprint(neighbour.X)",
    "a pickle": "import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))))",
    "inspect": "import inspect\ndef f(): pass\nprint(inspect.getsource(f), inspect.getfile(f))",
    "doctest": "'''\n>>> 1 + 1\n3\n'''\nimport doctest\nprint(doctest.testmod())",
    "unittest": "import unittest\nclass T(unittest.TestCase):\n    def test(self): pass\n"
    "import time\ntime.perf_counter = lambda: 0.0\n"  # it says how long it took
    "if __name__ == '__main__':\n    unittest.main(argv=['x', 'T.none'])",
    "argparse": "import argparse\nargparse.ArgumentParser(description='d').parse_args(['--help'])",
    "argparse refuses": "import argparse\nargparse.ArgumentParser().parse_args(['--nothing'])",
    "warnings": "import warnings\nwarnings.warn('w')\nwarnings.warn('d', DeprecationWarning)",
    "a dataclass": "import dataclasses\n@dataclasses.dataclass\nclass A:\n    x: int\nprint(A(1))",
    "help": "help(len)",
    "last expressions": "1 + 1\n'text'",
    "a future": "from __future__ import annotations\nprint(f.__annotations__ if 0 else 1)",
    "the terminal's size": "import shutil\nprint(shutil.get_terminal_size())",
}
STREAMS = {
    "stdin.buffer": "print(sys.stdin.buffer.read())",
    "stdin.read": "print(sys.stdin.read(3), sys.stdin.readline(), sys.stdin.read())",
    "lines": "for line in sys.stdin: print(repr(line))",
    "input": "print(input('? '), input())\ninput()",
    "input at the end": "sys.stdin.read()\ninput('? ')",
    "fileinput": "import fileinput\nfor line in fileinput.input(): print(line)",
    "descriptor 0": "import os\nprint(os.read(0, 4), sys.stdin.fileno(), sys.stdin.isatty())",
    "a child's stdin": "import subprocess\nprint(subprocess.run(['cat'], stdout=-1).stdout)",
    "select": "import select\nprint(len(select.select([sys.stdin], [], [], 60)[0]))",
    "what they are": "print(sys.stdout, sys.stderr, sys.stdout.isatty(), sys.stdout.fileno(),"
    " sys.stdout.encoding, sys.stdout.line_buffering, sys.__stdout__ is sys.stdout)",
    "bytes": "sys.stdout.buffer.write(bytes(range(256)))",
    "wrapped": "import io\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer, 'utf-16')\nprint('é')",
    "detached": "import io\n"
    "sys.stdout = io.TextIOWrapper(sys.stdout.detach(), 'latin-1')\nprint('é')",
    "codecs": "import codecs\n"
    "sys.stdout = codecs.getwriter('utf-8')(sys.stdout.buffer)\nprint('é')",
    "reconfigured": "sys.stdout.reconfigure(encoding='latin-1', newline='\\r\\n')\nprint('é')",
    "a tee": "class Tee:\n    def __init__(self, s): self.s = s\n"
    "    def write(self, t): return self.s.write(t.upper())\n    def flush(self): self.s.flush()\n"
    "sys.stdout = Tee(sys.stdout)\nprint('tee')",
    "surrogates": "print('before')\nprint('\\udcff')",
    "order": "import os, subprocess\nprint(1, flush=True)\nsubprocess.run(['echo', '2'])\nprint(3,"
    " flush=True)\nos.write(1, b'4\\n')\nos.system('echo 5')",
    "redirected": "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()) as s:\n"
    "    print(1)\nprint(repr(s.getvalue()))",
    "closed": "sys.stdout.close()",
    "fd 1": "import os\nwith os.fdopen(os.dup(1), 'w') as f: f.write('fd')",
    "much": "for i in range(200_000): print(i, flush=i % 7 == 0)",
}
QUICK = {"an exception", "a syntax error", "top-level await", "a thread", "sys.excepthook"}
QUICK |= {"an interrupt", "names", "path", "a module beside", "last expressions", "stdin.buffer"}
QUICK |= {"bytes", "order", "a thread goes on", "exit handlers", "a csv", "__del__", "run", "fork"}
ENDINGS = {
    "a thread goes on": "import threading, time\ndef f():\n    time.sleep(0.3)\n    print('done')\n"
    "threading.Thread(target=f).start()",
    "a daemon does not": "import threading, time\ndef f():\n    time.sleep(60)\n    print('done')\n"
    "threading.Thread(target=f, daemon=True).start()",
    "an executor": "import time\nfrom concurrent.futures import ThreadPoolExecutor\n"
    "ThreadPoolExecutor().submit(lambda: (time.sleep(0.3), print('done')))",
    "processes": "from concurrent.futures import ProcessPoolExecutor\nif __name__ == '__main__':\n"
    "    print(list(ProcessPoolExecutor(1).map(abs, [-1, -2])))",
    "exit handlers": "import atexit\natexit.register(print, 'last')\nprint('first', end=' ')",
    "an open file": "f = open('left.txt', 'w')\nf.write('text')\n"
    "import atexit\natexit.register(lambda: print(open('left.txt').read()))",
    "a csv": "import csv\ncsv.writer(open('rows.csv', 'w')).writerow([1, 2])\n"
    "import atexit, os\natexit.register(lambda: print(os.path.getsize('rows.csv')))",
    "__del__": "class A:\n    def __del__(self): print('gone')\na = A()",
    "logging": "import logging\nlogging.basicConfig()\nlogging.warning('w')\n"
    "import atexit\natexit.register(logging.error, 'e')",
    "a generator": "def g():\n    try: yield\n    finally: print('closed')\nx = g()\nnext(x)",
    "a weakref": "import weakref\nclass A: pass\na = A()\nweakref.finalize(a, print, 'finalized')",
    "a temporary directory": "import tempfile\nd = tempfile.TemporaryDirectory()\nprint('made')",
    "multiprocessing": "import multiprocessing\ndef f(n): return n * n\n"
    "if __name__ == '__main__':\n    for m in ('spawn', 'fork'):\n"
    "        with multiprocessing.get_context(m).Pool(1) as p: print(p.map(f, [2, 3]))",
    "a process": "import multiprocessing\ndef f(): print('child')\nif __name__ == '__main__':\n"
    "    multiprocessing.get_context('spawn').Process(target=f).start()",
    "fork": "import os\nprint('buffered', end=' ')\nif os.fork() == 0:\n    print('child')\n"
    "else:\n    os.wait()\n    print('parent')",
}


def beside(directory: Path, source: str | bytes) -> Path:
    (directory / "neighbour.py").write_text("X = __name__\n")
    path = directory / "x.py"
    path.write_bytes(source if isinstance(source, bytes) else source.encode())
    return path


@pytest.fixture
def compare(environment: dict[str, str]) -> Callable[..., tuple[bytes, bytes, int]]:
    """Run a script under both; what `exec` made of it, which is what python made of it."""

    def run(
        path: Path | str, *arguments: str, cwd: Path, typed: bytes = b"one\ntwo\n\nlast"
    ) -> tuple[bytes, bytes, int]:
        said = []
        for kind in ((), EXEC):
            done = subprocess.run(
                [sys.executable, *kind, str(path), *arguments],
                cwd=cwd,
                env={k: v for k, v in environment.items() if k != "PYTHONWARNINGS"},
                input=typed,
                capture_output=True,
                timeout=TIMEOUT,
                check=False,
            )
            code = done.returncode
            out, err = (ADDRESS.sub(b"N", text) for text in (done.stdout, done.stderr))
            said.append((out, err, code if code >= 0 else 128 - code))
        assert said[1] == said[0]
        return said[1]

    return run


def each(*tables: dict[str, str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "source",
        [
            pytest.param(source, id=name, marks=[] if name in QUICK else [pytest.mark.slow])
            for table in tables
            for name, source in table.items()
        ],
    )


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(end, marks=[] if number % 4 == 2 else [pytest.mark.slow])
        for number, end in enumerate(ENDS)
    ],
)
def test_how_it_ends(compare: Compare, tmp_path: Path, end: str) -> None:
    compare(beside(tmp_path, f"import sys\nprint('begun')\n{end}\n"), cwd=tmp_path)


@each(FAILURES, SURROUNDINGS, STREAMS, ENDINGS)
def test_it_is_as_with_python(compare: Compare, tmp_path: Path, source: str) -> None:
    compare(beside(tmp_path, f"import sys\n{source}\n"), "-a", "b", cwd=tmp_path)


@each(LOOPS)
def test_loops_of_its_own(compare: Compare, tmp_path: Path, source: str) -> None:
    path = tmp_path / "x.py"
    path.write_text(f"import asyncio\nasync def main(): print('ran')\n{source}\n")
    _, err, code = compare(path, cwd=tmp_path)
    assert code == 0, err


@pytest.mark.parametrize(("name", "main"), [("uvloop", "main()"), ("trio", "main")])
def test_loops_of_others(compare: Compare, tmp_path: Path, name: str, main: str) -> None:
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    path = tmp_path / "x.py"
    path.write_text(f"import {name}\nasync def main(): print('ran')\n{name}.run({main})\n")
    assert compare(path, cwd=tmp_path)[2] == 0


@pytest.mark.parametrize(
    "content",
    [
        b"# coding: latin-1\nprint(ascii('\xe9'))\n",
        b"\xef\xbb\xbfprint('a BOM')\n",
        b"#!/usr/bin/env python\r\nprint('''CR\r\nLF''')\r\n",
        *(
            pytest.param(content, marks=pytest.mark.slow)
            for content in (b"print('old Mac')\rprint(2)\r", b"\x0cprint('form feed')", b"")
        ),
    ],
)
def test_any_text_that_python_takes(compare: Compare, tmp_path: Path, content: bytes) -> None:
    assert compare(beside(tmp_path, content), cwd=tmp_path)[2] == 0


def test_a_link_to_a_script_and_a_path_from_elsewhere(compare: Compare, tmp_path: Path) -> None:
    for name in ("real", "links", "else where"):
        (tmp_path / name).mkdir()
    beside(tmp_path / "real", "import sys, neighbour\nprint(sys.argv, __file__, sys.path)\n1 / 0\n")
    (tmp_path / "links" / "x.py").symlink_to("../real/x.py")
    compare("links/x.py", cwd=tmp_path)
    compare("./../real/x.py", "ünï", cwd=tmp_path / "else where")
    compare(tmp_path / "real" / "x.py", cwd=tmp_path)


def test_files_beside_it_are_its_own_also_where_they_are_called_like_others(
    compare: Compare, tmp_path: Path
) -> None:
    (tmp_path / "sub").mkdir()
    source = "import sys\n"
    for name in ("typing", "contextlib", "warnings", "re", "minikernel", "importlib", "ctypes"):
        (tmp_path / "sub" / f"{name}.py").write_text("print(__name__)\n")
        source += f"import {name}\n"
    beside(tmp_path / "sub", source)
    assert compare("sub/x.py", cwd=tmp_path)[0].split()[0] == b"typing"


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["PYTHONSAFEPATH", "PYTHONUNBUFFERED", "PYTHONOPTIMIZE"])
def test_variables_that_python_heeds(
    compare: Compare, tmp_path: Path, environment: dict[str, str], variable: str
) -> None:
    environment[variable] = "1"
    compare(beside(tmp_path, "import sys\nprint(sys.path, sys.flags)\nassert 0\n"), cwd=tmp_path)


LOOP = "print(os.getpid(), flush=True)\nwhile True: time.sleep(0.01)\n"


@pytest.fixture
def started(tmp_path: Path, environment: dict[str, str]) -> Start:
    def start(source: str) -> subprocess.Popen[str]:
        (tmp_path / "x.py").write_text(f"import os, signal, sys, threading, time\n{source}{LOOP}")
        command = [sys.executable, *EXEC, "x.py"]
        return subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    return start


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGUSR1, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, marks=pytest.mark.slow),
        signal.SIGTERM,
        signal.SIGINT,
    ],
)
def test_its_own_signal_handlers_are_called(started: Start, number: signal.Signals) -> None:
    with started(f"signal.signal({int(number)}, lambda n, f: sys.exit(n))\n") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(number)
        assert process.wait(TIMEOUT) == number


def test_ctrl_c_ends_the_wait_for_threads(started: Start) -> None:
    source = (
        "def watch():\n    threading.main_thread().join()\n    print('waits', flush=True)\n"
        "    time.sleep(600)\nthreading.Thread(target=watch).start()\nsys.exit(3)\n"
    )
    with started(source) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(TIMEOUT) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
def test_it_does_not_outlive_us(started: Start) -> None:
    with started("") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        assert process.stdout.read() == ""  # its end of the pipe is closed, too


@pytest.fixture
def terminal(tmp_path: Path, environment: dict[str, str]) -> Iterator[Terminal]:
    children = []

    def spawn(source: str) -> pexpect.spawn[str]:
        (tmp_path / "x.py").write_text(f"import os, signal, sys, time\n{source}\n")
        child = pexpect.spawn(
            sys.executable,
            [*EXEC, "x.py"],
            cwd=tmp_path,
            env={**environment, "TERM": "xterm"},
            timeout=TIMEOUT,
            encoding="utf-8",
        )
        children.append(child)
        return child

    yield spawn
    for child in children:
        child.close(force=True)


def test_on_a_terminal_pieces_of_a_sequence_or_character_are_one(terminal: Terminal) -> None:
    write = "sys.stdout.buffer.write(bytes([b])); sys.stdout.buffer.flush()"
    child = terminal(f"for b in '\\x1b[31mé\\x1b]0;t\\x07\\x1b[0m!\\n'.encode(): {write}")
    child.expect_exact("\x1b[31mé\\x1b]0;t\\x07\x1b[0m!\r\n")
    child.expect(pexpect.EOF)


def test_on_a_terminal_colours_end_with_the_script(terminal: Terminal) -> None:
    child = terminal("print('\\x1b[31mred')\nprint('red still')")
    child.expect_exact("\x1b[31mred\r\nred still\r\n\x1b[0m")
    child.expect(pexpect.EOF)


def test_on_a_terminal_order_is_kept_and_the_last_words_are_seen(terminal: Terminal) -> None:
    child = terminal("print(1)\nprint(2, file=sys.stderr)\nprint(3)\nprint(4, end='')\nos._exit(5)")
    child.expect_exact("1\r\n2\r\n3\r\n")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 5


def test_on_a_terminal_it_reads_what_is_typed(terminal: Terminal) -> None:
    child = terminal("print(input('Name? '), sys.stdin.isatty())\ninput('More? ')")
    child.expect_exact("Name? ")
    child.sendline("Ada")
    child.expect_exact("Ada True")
    child.expect_exact("More? ")
    child.sendeof()
    child.expect_exact("EOFError: EOF when reading a line")


def test_on_a_terminal_ctrl_c_comes_once(terminal: Terminal) -> None:
    child = terminal(
        "def count(n, f): print('heard', flush=True)\nsignal.signal(2, count)\nprint('ready')\n"
        "sys.stdin.readline()"
    )
    child.expect_exact("ready")
    child.sendintr()
    child.expect_exact("heard")
    child.sendline()
    child.expect(pexpect.EOF)
    assert "heard" not in child.before


def test_on_a_terminal_a_child_that_goes_on_is_not_waited_for(terminal: Terminal) -> None:
    child = terminal("if os.fork() == 0:\n    time.sleep(600)\nprint(os.getpgid(0))")
    child.expect(r"(\d+)\r\n")
    assert child.match is not None
    assert child.wait() == 0
    os.killpg(int(child.match.group(1)), signal.SIGKILL)
