"""Whose an output is: what threads and contexts keep, in processes of their own."""

from __future__ import annotations

from tests.programs import said_by

BEFORE = """
import _thread, asyncio, contextvars, decimal, threading
from concurrent.futures import ThreadPoolExecutor
from minikernel.kernel.request import Requests
requests = Requests()
requests.keep_in_threads()
def mine():
    return requests.mine().parent.decode()
def in_thread(work):
    found = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]
"""


def run(code: str) -> str:
    """What the code says; `requests` are kept in threads there."""
    return said_by(BEFORE, code)


def test_before_any_request_nothing_is_kept() -> None:
    code = """
        thread = in_thread(lambda: len(contextvars.copy_context()))
        print(thread, requests.alone)
        """
    assert run(code) == "0 True\n"


def test_a_thread_keeps_the_request_and_nothing_else_of_the_context() -> None:
    code = """
        decimal.getcontext().prec = 5
        requests.begin(b"a")
        print(in_thread(mine), in_thread(lambda: decimal.getcontext().prec), requests.alone)
        """
    assert run(code) == "a 28 False\n"


def test_what_has_none_follows_the_running_request() -> None:
    code = """
        start = _thread.start_new_thread
        begun = threading.Event()
        follower = threading.Thread(target=lambda: (begun.wait(), print(mine())))
        follower.start()
        requests.begin(b"a")
        begun.set()
        follower.join()
        """
    assert run(code) == "a\n"


def test_a_pool_s_thread_is_of_who_started_it() -> None:
    code = """
        pool = ThreadPoolExecutor(1)
        requests.begin(b"a")
        first = pool.submit(mine).result()
        requests.begin(b"b")
        print(first, pool.submit(mine).result(), in_thread(mine))
        """
    assert run(code) == "a a b\n"


def test_the_end_leaves_nobody_to_ask_but_in_threads() -> None:
    code = """
        from minikernel.kernel.request import Asker
        requests.begin(b"a", Asker("s", None, b"a"))
        texts = requests.running.texts
        go = threading.Event()
        found = []
        def look():
            go.wait()
            found.append(requests.mine().asker.session)
        thread = threading.Thread(target=look)
        thread.start()
        requests.end()
        go.set()
        thread.join()
        print(found, requests.mine().asker, mine(), requests.mine().texts is texts)
        """
    assert run(code) == "['s'] None a True\n"


def test_a_start_that_is_wrong_fails_as_ever() -> None:
    code = """
        requests.begin(b"a")
        for arguments in ((1, ()), (), (print, 1)):
            try:
                _thread.start_new_thread(*arguments)
            except TypeError:
                print("refused")
        """
    assert run(code) == 3 * "refused\n"


def test_arguments_by_name_arrive() -> None:
    code = """
        requests.begin(b"a")
        done = threading.Event()
        _thread.start_new_thread(lambda *a, **k: (print(a, k), done.set()), (1,), {"two": 2})
        done.wait()
        """
    assert run(code) == "(1,) {'two': 2}\n"
