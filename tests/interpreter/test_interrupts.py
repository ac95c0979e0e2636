from __future__ import annotations

import signal
from typing import Any

import pytest


def test_an_interrupt_raises_in_the_running_cell(cell: Any, plain: Any) -> None:
    failure = cell.bad("import signal\nx = 1\nsignal.raise_signal(signal.SIGINT)\nx = 2")
    assert failure.ename == "KeyboardInterrupt"
    assert cell.value("x") == 1
    assert "line 3" in plain(failure)
    assert "minikernel" not in plain(failure)


def test_an_interrupt_between_cells_does_nothing(cell: Any) -> None:
    cell.good("1")
    signal.raise_signal(signal.SIGINT)
    cell.good("2")


def test_an_interrupt_while_the_frontend_shows_the_result_raises_nothing(cell: Any) -> None:
    def result(*_: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        shown.append(1)

    shown = []
    cell.frontend.result = result
    cell.good("1")
    assert shown == [1]
    cell.good("x = 3")


def test_an_interrupt_before_the_loop_runs_is_not_lost(cell: Any) -> None:
    waiting = cell.engine.execute(
        "import asyncio\nran = True", silent=False, store_history=True, user_expressions={}
    )
    waiting.send(None)
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(StopIteration) as end:
        waiting.send(None)
    assert end.value.value.failure.ename == "KeyboardInterrupt"
    assert cell.value("'ran' in globals()") is False


def test_an_interrupt_reaches_a_repr(cell: Any) -> None:
    cell.good(
        "import signal\nclass Slow:\n    def __repr__(self):\n"
        "        signal.raise_signal(signal.SIGINT)\n        return 'went on'"
    )
    assert cell.bad("Slow()").ename == "KeyboardInterrupt"


def test_an_interrupt_cancels_a_cell_that_awaits(cell: Any, plain: Any) -> None:
    cell.good("import asyncio, signal\nloop = asyncio.get_running_loop()")
    failure = cell.bad(
        "loop.call_soon(signal.raise_signal, signal.SIGINT)\nawait asyncio.Event().wait()"
    )
    assert failure.ename == "KeyboardInterrupt"
    assert 'File "<cell 2>", line 2' in plain(failure)


def test_an_interrupt_in_a_step_of_an_awaiting_cell(cell: Any) -> None:
    failure = cell.bad(
        "import asyncio, signal\nawait asyncio.sleep(0)\nsignal.raise_signal(signal.SIGINT)"
    )
    assert failure.ename == "KeyboardInterrupt"


def test_an_interrupt_reaches_a_task_that_keeps_the_loop_busy(cell: Any) -> None:
    cell.good(
        "import asyncio, signal\nasync def spin():\n    signal.raise_signal(signal.SIGINT)\n"
        "    while True: pass"
    )
    assert cell.bad("await asyncio.gather(spin())").ename == "KeyboardInterrupt"
    cell.good("'alive'")


def test_an_interrupt_reaches_a_callback_that_keeps_the_loop_busy(cell: Any) -> None:
    cell.good(
        "import asyncio, signal\ndef spin():\n    signal.raise_signal(signal.SIGINT)\n"
        "    while True: pass"
    )
    code = "asyncio.get_running_loop().call_soon(spin)\nawait asyncio.Event().wait()"
    assert cell.bad(code).ename == "KeyboardInterrupt"


def test_a_cell_may_catch_its_interrupt(cell: Any) -> None:
    cell.good(
        "import signal\ntry:\n    signal.raise_signal(signal.SIGINT)\n"
        "except KeyboardInterrupt:\n    caught = True"
    )
    assert cell.value("caught")


def test_an_interrupt_reaches_code_run_outside_of_cells(cell: Any, capsys: Any) -> None:
    after = []
    with cell.engine.running():
        signal.raise_signal(signal.SIGINT)
        after.append(1)
    assert after == []
    assert "KeyboardInterrupt" in capsys.readouterr().err
    signal.raise_signal(signal.SIGINT)


def test_an_exception_outside_of_cells_is_printed(cell: Any, capsys: Any) -> None:
    with cell.engine.running():
        cell.value("1/0")
    err = capsys.readouterr().err
    assert "ZeroDivisionError" in err
    assert "interpreter/interrupts.py" not in err


def test_many_interrupts_at_any_moment_never_escape(in_child: Any) -> None:
    out = in_child(
        """
        import signal, threading
        signal.signal(signal.SIGINT, lambda *_: engine.interrupted())
        stop = threading.Event()
        main = threading.main_thread().ident

        def shoot():
            while not stop.wait(0.0003):
                signal.pthread_kill(main, signal.SIGINT)

        shooter = threading.Thread(target=shoot)
        sys.setswitchinterval(1e-5)
        shooter.start()
        outcomes = [send("x = 0\\nfor i in range(2000):\\n    x += i") for _ in range(1500)]
        stop.set()
        shooter.join()
        print({outcome.failure and outcome.failure.ename for outcome in outcomes})
        send("'alive'")
        """,
        may_print=True,  # Python reports an interrupt that falls into a destructor
    )
    names, alive = out.splitlines()
    assert "KeyboardInterrupt" in names
    assert names.count(",") <= 1
    assert alive == "result 'alive'"
