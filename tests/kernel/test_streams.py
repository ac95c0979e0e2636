"""The redirection of a process's streams is tried in processes of its own."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from textwrap import dedent
from typing import Any

import pytest

BEFORE = """
import json, os, sys, threading, time
from minikernel.kernel.streams import Streams

got = []
result = None
streams = Streams(lambda name, text, _parent: got.append((name, text)))

def until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)

def text(name="stdout"):
    return "".join(text for label, text in list(got) if label == name)

streams.start()
os.register_at_fork(before=streams.flush_before_fork, after_in_child=streams.forget)
"""
AFTER = """
streams.stop()
print(json.dumps([result, got]))
"""


@dataclass(frozen=True, kw_only=True)
class Report:
    result: Any
    messages: list[tuple[str, str]]

    def text(self, name: str = "stdout") -> str:
        return "".join(text for label, text in self.messages if label == name)


def run(code: str) -> Report:
    """Run `code` with redirected streams; `result` is what it leaves under that name."""
    program = BEFORE + dedent(code) + AFTER
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, timeout=100
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")
    result, messages = json.loads(done.stdout)
    return Report(result=result, messages=[(name, text) for name, text in messages])


# Python's streams


def test_prints_become_one_message() -> None:
    assert run("for i in range(3): print(i)\nstreams.flush()").messages == [("stdout", "0\n1\n2\n")]


def test_the_order_from_stdout_to_stderr_is_kept() -> None:
    report = run("""
        for i in range(3):
            print("out", i)
            print("err", i, file=sys.stderr)
        streams.flush()
        """)
    assert report.messages == [
        (f"std{name}", f"{name} {i}\n") for i in range(3) for name in ("out", "err")
    ]


def test_nothing_written_nothing_published() -> None:
    report = run("print(end=''); sys.stderr.flush(); streams.flush(); os.write(1, b'')")
    assert report.messages == []


def test_200_000_writes_become_few_messages() -> None:
    report = run("for i in range(100_000): print(i)\nstreams.flush()\nresult = len(got)")
    assert report.text() == "".join(f"{i}\n" for i in range(100_000))
    assert report.result < 40  # the thread may look in between, on a slow machine often


def test_what_is_flushed_after_a_while_of_quiet_is_published_at_once() -> None:
    report = run("""
        result = []
        for i in range(20):
            streams._flushed = 0.0  # long ago
            print(i, flush=True)
            result.append(text())
        """)
    assert report.result == ["".join(f"{i}\n" for i in range(n)) for n in range(1, 21)]


FLOODS = {
    "print": "for i in range(20_000): print(i, flush=True)",
    "stderr": "for i in range(20_000): print(i, file=sys.stderr, flush=True)",
    "flush": "for i in range(20_000): sys.stdout.write(f'{i}\\n'); sys.stdout.flush()",
    "bytes": "for i in range(20_000):\n"
    "    sys.stdout.buffer.write(b'%d\\n' % i)\n    sys.stdout.buffer.flush()",
    "wrapper": "import io\nwrapped = io.TextIOWrapper(sys.stdout.buffer, write_through=True)\n"
    "for i in range(20_000): wrapped.write(f'{i}\\n'); wrapped.flush()",
    "logging": "import logging\nlogging.basicConfig(format='%(message)s')\n"
    "for i in range(20_000): logging.warning(i)",
    "thread": "def work():\n    for i in range(20_000): print(i, flush=True)\n"
    "thread = threading.Thread(target=work)\nthread.start()\nthread.join()",
}


@pytest.mark.parametrize("code", FLOODS.values(), ids=FLOODS)
def test_20_000_flushes_become_few_messages_and_lose_nothing(code: str) -> None:
    report = run(f"{code}\nstreams.flush()\nresult = len(got)")
    text = report.text() + report.text("stderr")
    assert text == "".join(f"{i}\n" for i in range(20_000))
    assert report.result < 2_000  # nothing that a subscriber could not take


def test_what_was_flushed_is_published_while_the_cell_computes_on() -> None:
    run("""
        streams._now = lambda: 0.0  # a clock that somebody stopped: there is no quiet
        streams._keep_ticking = lambda: None  # what is not flushed may wait longer
        for i in range(100): print(i, flush=True)
        until(lambda: text().endswith("99\\n"))
        until(lambda: not streams._hurrying)
        """)


def test_what_was_flushed_goes_before_what_then_arrives_at_a_descriptor() -> None:
    report = run("""
        for i in range(3_000):
            print("text", i, flush=True)
            os.write(1, f"descriptor {i}\\n".encode())
        """)
    expected = (f"{name} {i}\n" for i in range(3_000) for name in ("text", "descriptor"))
    assert report.text() == "".join(expected)


def test_text_that_is_new_is_later_than_what_stands_in_a_pipe() -> None:
    report = run("""
        with streams._lock:  # the thread comes too late
            os.write(1, b"descriptor\\n")
            writer = threading.Thread(target=print, args=("text",))
            writer.start()
            until(lambda: streams._waiting)
            streams.flush()
        writer.join()
        """)
    assert report.text() == "descriptor\ntext\n"


def test_what_comes_after_the_look_at_the_pipes_is_not_yet_published() -> None:
    report = run("""
        def look():
            found = looked()
            os.write(1, b"descriptor\\n")
            writer.start()
            until(lambda: "text" in streams.stdout.pending.parts)
            return found

        writer = threading.Thread(target=print, args=("text",))
        with streams._lock:
            print("first")
            streams._can_read, looked = look, streams._can_read
            streams.flush()
            streams._can_read = looked
        writer.join()
        """)
    assert report.text() == "first\ndescriptor\ntext\n"


def test_whose_a_text_is() -> None:
    report = run("""
        from minikernel.interpreter.base import REQUEST
        streams._publish = lambda name, text, parent: got.append((parent.decode(), text))
        requests = streams._requests
        requests.begin(b"first")
        print("one")
        first = REQUEST.get()
        requests.begin(b"running")
        requests.share()
        with streams._lock:  # the thread comes too late
            print("two")
            os.write(1, b"descriptor\\n")
            REQUEST.set(first)
            print("three", end="")
            streams.flush()
        """)
    assert [*map(tuple, report.messages)] == [
        ("first", "one\nthree"),
        ("running", "two\n"),
        ("running", "descriptor\n"),
    ]


def test_the_order_from_stdout_to_stderr_is_kept_by_flushed_lines() -> None:
    report = run("""
        for i in range(300):
            print("out", i, flush=True)
            print("err", i, file=sys.stderr, flush=True)
            print("err", i, file=sys.stderr, flush=True)
        """)
    pieces = [
        (label, "".join(text for _, text in group))
        for label, group in itertools.groupby(report.messages, lambda message: message[0])
    ]
    assert pieces == [
        pair
        for i in range(300)
        for pair in (("stdout", f"out {i}\n"), ("stderr", 2 * f"err {i}\n"))
    ]


def test_a_finaliser_that_flushes_while_its_thread_sends_waits_for_nobody() -> None:
    report = run("""
        held = threading.Lock()
        held.acquire()
        sending, streams._publish = True, lambda *said: (held.acquire(), held.release())
        streams._sending = lambda: sending and threading.current_thread() is threading.main_thread()
        other = threading.Thread(target=lambda: (print("other"), streams.flush()))
        other.start()
        until(lambda: streams._publisher)  # it has the lock of the streams, and waits for ours
        print("mine", flush=True)
        streams.flush()
        sending = False
        held.release()
        other.join()
        """)
    assert report.messages == []


def test_a_huge_text_comes_in_pieces() -> None:
    report = run("""
        sys.stdout.write("x" * 50_000_000)
        streams.flush()
        result = [max(len(text) for _, text in got), sum(len(text) for _, text in got)]
        got.clear()
        """)
    assert report.result == [1 << 17, 50_000_000]


def test_text_is_published_while_the_cell_runs() -> None:
    run("print('early')\nuntil(lambda: text() == 'early\\n')")


def test_the_thread_sleeps_without_a_timer_when_nothing_is_pending() -> None:
    run("""
        for _ in range(3):
            got.clear()
            print("x")
            until(lambda: got and not streams._ticking)
        """)


def test_threads_lose_and_tear_nothing() -> None:
    report = run("""
        def work(name):
            for i in range(5_000):
                sys.stdout.write(f"{name} {i} {'.' * 50}\\n")

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads: thread.start()
        while any(thread.is_alive() for thread in threads): streams.flush()
        streams.flush()
        """)
    lines = report.text().splitlines()
    assert sorted(lines) == sorted(f"{n} {i} {'.' * 50}" for n in range(8) for i in range(5_000))
    for n in range(8):
        own = [int(line.split()[1]) for line in lines if line.startswith(f"{n} ")]
        assert own == sorted(own)


def test_bytes_take_their_place_among_the_text() -> None:
    report = run("""
        raw = sys.stdout.buffer
        print("a")
        raw.write("bä\\n".encode())
        print("c")
        raw.write(b"\\xc3"); raw.write(b"\\xbc"); raw.write(b"\\xff")
        raw.writelines([bytearray(b"d"), memoryview(b"e")])
        raw.flush()
        result = [raw.fileno(), raw.writable(), raw.write(b"12"), raw.closed]
        """)
    assert report.text() == "a\nbä\nc\nü\N{REPLACEMENT CHARACTER}de12"
    assert report.result == [1, True, 2, False]


def test_only_strings_can_be_written() -> None:
    report = run("""
        result = []
        for data, stream in ((b"x", sys.stdout), (1, sys.stderr), ("x", sys.stdout.buffer)):
            try: stream.write(data)
            except TypeError as error: result.append(str(error))
        """)
    assert report.result[:2] == [
        "write() argument must be str, not bytes",
        "write() argument must be str, not int",
    ]
    assert "str" in report.result[2]


def test_it_is_a_text_stream() -> None:
    report = run("""
        import io
        out, err = sys.stdout, sys.stderr
        out.writelines(["a", "b"])
        out.reconfigure(line_buffering=True, encoding="utf-8")
        result = [
            isinstance(out, io.TextIOBase), out.writable(), out.readable(), out.seekable(),
            out.isatty(), out.encoding, out.errors, out.name, err.name, out.fileno(),
            err.fileno(), out.write("äö"), sys.__stdout__ is out, sys.__stderr__ is err,
        ]
        """)
    assert report.result == [
        *(True, True, False, False, False, "utf-8", "replace"),
        *("<stdout>", "<stderr>", 1, 2, 2, True, True),
    ]
    assert report.messages == [("stdout", "ab"), ("stdout", "äö")]


@pytest.mark.parametrize(
    "code",
    [
        "sys.stdout.close()",
        "with sys.stdout: pass",
        "sys.stdout.buffer.close()",
        "sys.stdout.detach().close()",
        "import io; io.TextIOWrapper(sys.stdout.buffer).close()",
        "import io; io.TextIOWrapper(sys.stdout.detach())",
        "import os; os.fdopen(1, 'w', closefd=False).close()",
    ],
)
def test_closing_does_not_break_it(code: str) -> None:
    report = run(f"print('a')\n{code}\nprint('b')\nresult = sys.stdout.closed")
    assert (report.text(), report.result) == ("a\nb\n", False)


# Descriptors


def test_what_reaches_the_descriptors_is_published() -> None:
    report = run("""
        import subprocess
        os.write(1, b"write\\n")
        os.system("echo system; echo failed >&2")
        subprocess.run(["echo", "child"], check=True)
        subprocess.run(["echo", "given"], check=True, stdout=sys.stdout)
        streams.flush()
        result = list(got)
        """)
    assert report.text() == "write\nsystem\nchild\ngiven\n"
    assert report.text("stderr") == "failed\n"
    assert [tuple(pair) for pair in report.result] == report.messages


def test_pending_text_goes_before_what_arrives_at_a_descriptor() -> None:
    report = run("print('print'); os.system('echo system'); streams.flush()")
    assert report.text() == "print\nsystem\n"


def test_what_stands_in_a_pipe_goes_before_text_that_follows() -> None:
    assert run("os.write(1, b'descriptor\\n'); print('print')").text() == "descriptor\nprint\n"


def test_a_background_process_is_heard_after_the_flush() -> None:
    report = run("""
        import subprocess
        child = subprocess.Popen(["sh", "-c", "read x; echo late"], stdin=subprocess.PIPE)
        streams.flush()
        result = list(got)
        child.communicate(b"go\\n")
        until(lambda: text() == "late\\n")
        """)
    assert report.result == []


def test_a_character_may_come_in_parts() -> None:
    report = run("""
        for byte in "aä€😀".encode():
            os.write(1, bytes([byte]))
            streams.flush()
        os.write(1, b"\\xff.\\xe2\\x82")
        streams.flush()
        result = text()
        """)
    assert report.result == "aä€😀\N{REPLACEMENT CHARACTER}."
    assert report.text() == report.result + "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    "write",
    [
        "data = memoryview(b'x' * 10_000_000)\nwhile data: data = data[os.write(1, data):]",
        "os.system('head -c 10000000 /dev/zero')",
    ],
)
def test_more_than_a_pipe_holds(write: str) -> None:
    report = run(f"""
{write}
streams.flush()
result = [len(text()), max(len(text) for _, text in got) <= 1 << 17]
got.clear()
""")
    assert report.result == [10_000_000, True]


def test_a_flush_ends_though_a_process_writes_for_ever() -> None:
    run("""
        import subprocess
        streams._publish = lambda name, text, _parent: got.append(len(text))
        child = subprocess.Popen(["yes"])
        until(lambda: len(got) > 3)
        for _ in range(20): streams.flush()
        child.kill()
        child.wait()
        streams.flush()
        got.clear()
        """)


def test_redirecting_descriptor_1_for_a_while() -> None:
    report = run("""
        kept = os.dup(1)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.system("echo lost")
        os.dup2(kept, 1)
        os.close(kept)
        os.system("echo kept")
        """)
    assert report.text() == "kept\n"


def test_descriptor_0_is_the_null_device() -> None:
    report = run("""
        result = [os.read(0, 9) == b"", os.system("read x") != 0, sys.stdin.read()]
        """)
    assert report.result == [True, True, ""]


def test_children_inherit_the_three_standard_descriptors_only() -> None:
    report = run("""
        import subprocess
        look = '''if 1:
            import os
            for number in range(64):
                try: os.fstat(number)
                except OSError: continue
                print(number)
            '''
        subprocess.run([sys.executable, "-c", look], close_fds=False, check=True)
        """)
    assert report.text() == "0\n1\n2\n"


def test_it_starts_where_a_launcher_closed_the_descriptors(tmp_path: Any) -> None:
    report = tmp_path / "report"
    code = f"""
print("a")
os.system("echo b; echo c >&2")
streams.stop()
open({str(report)!r}, "w").write(json.dumps([text(), text("stderr")]))
"""
    command = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", BEFORE + code]
    subprocess.run(command, check=True, timeout=100)
    assert json.loads(report.read_text()) == ["a\nb\n", "c\n"]


# C code


def test_what_c_code_printed_is_there_after_the_flush() -> None:
    report = run("""
        import ctypes
        ctypes.CDLL(None).printf(b"no newline")
        ctypes.PyDLL(None).printf(b", %s", b"with the interpreter's lock")
        streams.flush()
        result = text()
        """)
    assert report.result == "no newline, with the interpreter's lock"


def test_ctypes_is_imported_only_when_c_code_can_have_printed() -> None:
    report = run("""
        result = [[name in sys.modules for name in
            ("asyncio", "ctypes", "logging", "tempfile")]]
        import zmq, msgspec, decimal
        streams.flush()
        result.append("ctypes" in sys.modules)
        import orjson
        streams.flush()
        result.append("ctypes" in sys.modules)
        """)
    assert report.result == [[False] * 4, False, True]


def test_a_module_that_loads_lazily_is_left_alone() -> None:
    report = run("""
        import importlib.util
        spec = importlib.util.find_spec("antigravity")
        spec.loader = importlib.util.LazyLoader(spec.loader)
        module = importlib.util.module_from_spec(spec)
        sys.modules["antigravity"] = module
        spec.loader.exec_module(module)
        sys.modules["odd"] = object()
        streams.flush()
        result = type(module).__name__
        """)
    assert report.result == "_LazyModule"


# Fork


def test_a_forked_child_prints_through_its_parent() -> None:
    report = run("""
        import warnings
        warnings.simplefilter("ignore")  # threads and fork
        print("parent")
        print("half", end="")
        if os.fork() == 0:
            print("child")
            print("child's error", file=sys.stderr)
            sys.stdout.buffer.write("bytes ä \\ud800".encode("utf-8", "replace"))
            print("\\ud800")
            print("end", end="")
            streams.flush()
            streams.stop()
            os._exit(got.count("child"))
        result = os.wait()[1]
        """)
    assert report.text() == "parent\nhalfchild\nbytes ä ??\nend"
    assert report.text("stderr") == "child's error\n"
    assert report.result == 0


def test_fork_while_threads_print() -> None:
    report = run("""
        import warnings
        warnings.simplefilter("ignore")
        going = True
        def work():
            while going: print("thread", flush=True)
        thread = threading.Thread(target=work)
        thread.start()
        result = []
        for i in range(20):
            if os.fork() == 0:
                print("child", i)
                os._exit(0)
            result.append(os.wait()[1])
        going = False
        thread.join()
        """)
    assert report.result == [0] * 20
    assert report.text().count("child") == 20


def test_multiprocessing_by_fork() -> None:
    report = run("""
        import multiprocessing, warnings
        warnings.simplefilter("ignore")
        print("before", end="|")
        context = multiprocessing.get_context("fork")
        for i in range(3):
            child = context.Process(target=print, args=("child", i), kwargs={"end": "|"})
            child.start()
            child.join()
        print("after", end="|")
        """)
    assert report.text() == "before|child 0|child 1|child 2|after|"


# Faults


def test_an_error_in_publish_stops_no_thread() -> None:
    report = run("""
        failing = True
        def publish(name, text, _parent):
            got.append((name, text))
            if failing: raise OSError("closed")
        streams._publish = publish
        for i in range(3):
            os.write(1, b"descriptor\\n")
            until(lambda: text().count("descriptor") == i + 1)
            print("python")
            until(lambda: text().count("python") == i + 1)
        failing = False
        print("still here")
        until(lambda: "still here" in text())
        """)
    assert report.text().count("python") == 3


def test_printing_while_publishing() -> None:
    report = run("""
        def publish(name, text, _parent):
            got.append((name, text))
            if len(got) == 1: print("nested", flush=True)
        streams._publish = publish
        print("outer", flush=True)
        until(lambda: text() == "outer\\nnested\\n")
        """)
    assert report.text() == "outer\nnested\n"


def test_printing_while_the_same_thread_sends_waits_for_nobody() -> None:
    report = run("""
        socket = threading.Lock()
        sender = None
        waiting = threading.Event()
        def publish(*message):
            waiting.set()
            with socket: got.append(message[:2])
        streams._publish = publish
        streams._sending = lambda: sender == threading.get_ident()
        with socket:
            sender = threading.get_ident()
            os.write(1, b"descriptor\\n")
            waiting.wait(30)  # the thread has our lock and waits for the socket
            print("one", flush=True)
            print("two")
            sender = None
        until(lambda: "two" in text())
        """)
    assert report.text() == "descriptor\none\ntwo\n"


def test_an_interrupt_in_publish_leaves_the_streams_usable() -> None:
    report = run("""
        def publish(name, text, _parent):
            got.append((name, text))
            if text == "interrupt\\n": raise KeyboardInterrupt
        streams._publish = publish
        try: print("interrupt", flush=True)
        except KeyboardInterrupt: result = "interrupted"
        print("next")
        until(lambda: "next" in text())
        """)
    assert report.result == "interrupted"


def test_signals_go_to_the_main_thread() -> None:
    report = run("""
        import signal
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        masks = []
        streams._publish = lambda *_: masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, []))
        print("x")
        until(lambda: masks)
        result = [list(before), signal.SIGINT in masks[0], signal.SIGTERM in masks[0]]
        """)
    assert report.result == [[], True, True]


# The end


def test_stop_undoes_everything() -> None:
    program = """
import os, sys
from minikernel.kernel.streams import Streams

def state():
    files = [os.fstat(number) for number in range(3)]
    count = len(os.listdir("/dev/fd"))
    streams = (sys.stdin, sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    return [(f.st_dev, f.st_ino) for f in files], count, list(map(id, streams))

before = state()
print("first")
streams = Streams(lambda name, text, _parent: print("published", text, file=terminal, end=""))
streams.stop()
terminal = open(os.dup(streams.start()), "w")
kept = sys.stdout
print("captured")
os.write(2, b"descriptor\\n")
streams.stop()
streams.stop()
terminal.close()
assert state() == before
print("last", flush=True)
print("kept", file=kept)
kept.close()
streams.flush()
os.system("echo shell")
os.fork() or os._exit(0)
os.wait()
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        check=True,
        timeout=100,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
    )
    assert done.stdout.decode() == "first\nlast\nkept\nshell\n"
    assert done.stderr.decode() == "published captured\npublished descriptor\n"
