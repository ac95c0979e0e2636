"""A cell replaces what others use too, as tests do: the kernel has its own of what it needs."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

FROZEN = """
import datetime, sys, time
real = datetime.datetime
kept = [real]  # __main__ is a module too
class Fake(real):
    @classmethod
    def now(cls, tz=None): return cls(2020, 1, 1, tzinfo=tz)
stopped = dict.fromkeys([time.time, time.monotonic, time.perf_counter], lambda: 0.0)
for module in list(sys.modules.values()):
    for name, value in list(vars(module).items()) if hasattr(module, '__dict__') else ():
        if value is kept[0]: setattr(module, name, Fake)
        elif type(value) is type(len) and value in stopped: setattr(module, name, stopped[value])
"""
PATCHES = {
    "a clock that stands": FROZEN,
    "time": "import time\ntime.time = time.monotonic = time.perf_counter = lambda: 0.0",
    "sleep": "import time\ndef sleep(s): raise RuntimeError\ntime.sleep = sleep",
    "os": "import os\nos.getppid = os.getpid = lambda: 4711\nos.write = os.read = os.pipe = None\n"
    "os.urandom = lambda n: b'x'\nos._exit = None",
    "json": "import json; json.dumps = json.loads = None",
    "open": "import builtins, io; builtins.open = io.open = None",
    "__import__": "import builtins\nusual = builtins.__import__\n"
    "def refuse(name, *a, **k):\n    if name == 'asyncio': raise ImportError(name)\n"
    "    return usual(name, *a, **k)\nbuiltins.__import__ = refuse",
    "len": "import builtins\nusual = len\nbuiltins.len = lambda x: usual(x)",
    "threading": "import threading\nthreading.Thread = threading.Event = None\n"
    "threading.get_ident = threading.enumerate = threading.main_thread = None",
    "signal": "import signal\nsignal.signal = signal.getsignal = signal.pthread_kill = None\n"
    "signal.pthread_sigmask = None",
    "random": "import random, uuid; random.seed(0); uuid.uuid4 = random.random = None",
    "decimal": "import decimal; decimal.getcontext().traps[decimal.Inexact] = True",
    "recursion": "import sys; sys.setrecursionlimit(60)",
    "warnings": "import warnings; warnings.simplefilter('error'); warnings.warn = None",
    "logging": "import logging; logging.disable(100); logging.shutdown()",
    "gc": "import gc; gc.disable(); gc.freeze(); gc.get_objects = gc.collect = None",
    "tracing": "import sys\ndef trace(*_): raise ValueError\nsys.settrace(trace)",
    "profiling": "import sys\ndef trace(*_): raise ValueError\nsys.setprofile(trace)",
    "hooks": "import sys, threading\n"
    "sys.excepthook = sys.unraisablehook = threading.excepthook = None",
    "linecache": "import linecache; linecache.cache = linecache.getlines = None",
    "atexit": "import atexit; atexit._run_exitfuncs = None; atexit.register(lambda: 1 / 0)",
    "modules": "import asyncio, linecache, sys, traceback\n"
    "for n in ('asyncio', 'linecache', 'traceback'): del sys.modules[n]",
    "the path": "import sys; sys.path.clear(); sys.path_hooks.clear()",
    "__main__": "import sys; sys.modules['__main__'] = None",
    "globals": "globals().clear()",
    "the directory": "import os, tempfile\nd = tempfile.mkdtemp(); os.chdir(d); os.rmdir(d)",
    "freezegun": "import freezegun; freezegun.freeze_time('2020-01-01').start()",
    "time_machine": "import time_machine; time_machine.travel('2020-01-01').start()",
}

QUICK = {"a clock that stands", "os", "__import__", "threading", "recursion", "modules", "__main__"}


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in PATCHES],
)
def test_the_kernel_answers_and_ends_well(start_kernel: Any, connect: Any, name: str) -> None:
    if name in {"freezegun", "time_machine"} and importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    kernel = start_kernel()
    client = connect(kernel)
    client.execute(f"keep = open('left', 'w'); keep.write('whole')\n{PATCHES[name]}")
    reply, outputs = client.execute("6 * 7")
    assert reply["status"] == "ok"
    assert outputs[-1]["content"]["data"] == {"text/plain": "42"}
    assert client.execute("1 / 0")[0]["ename"] == "ZeroDivisionError"
    if name != "globals":
        assert client.text("print('said')") == "said\n"
    client.request(client.control, "shutdown_request")
    assert kernel.process.wait(30) == 0
    assert (kernel.file.parent / "left").read_text() == "whole"
