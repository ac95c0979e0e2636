from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client import BlockingKernelClient

import minikernel
from minikernel import TraceEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Rogue

    Abandon = Callable[..., None]
    Play = Callable[..., tuple[Rogue, minikernel.MiniKernelClient]]

FORGED = {"key": "another key"}


# What cells give, on a kernel of ours.


def test_a_value(client: minikernel.MiniKernelClient) -> None:
    result = client.run("6 * 7")
    assert (result.status, result.value, result.complete) == ("ok", "42", True)
    assert result.execution_count is not None


def test_streams(client: minikernel.MiniKernelClient) -> None:
    result = client.run("import sys; print('out'); print('err', file=sys.stderr)")
    assert (result.stdout, result.stderr, result.value) == ("out\n", "err\n", None)


def test_displays_and_their_updates(client: minikernel.MiniKernelClient) -> None:
    result = client.run(
        "display('a', display_id='x'); display(2); update_display('c', display_id='x')"
    )
    assert [d["data"]["text/plain"] for d in result.displays] == ["'c'", "2"]


def test_an_update_of_an_earlier_cells_display(client: minikernel.MiniKernelClient) -> None:
    client.run("display(1, display_id='earlier')")
    result = client.run("update_display(2, display_id='earlier')")
    assert result.outputs == []
    assert result.updates[0]["data"]["text/plain"] == "2"


def test_clear_output(client: minikernel.MiniKernelClient) -> None:
    assert client.run("print('old'); clear_output(wait=True); print('new')").stdout == "new\n"


def test_an_error(client: minikernel.MiniKernelClient) -> None:
    result = client.run("1 / 0")
    assert result.status == "error"
    assert result.error is not None
    assert (result.error.ename, result.error.evalue) == ("ZeroDivisionError", "division by zero")
    with pytest.raises(minikernel.CellError, match="1 / 0"):
        result.raise_for_error()


def test_user_expressions(client: minikernel.MiniKernelClient) -> None:
    result = client.run("x = 20", user_expressions={"double": "x * 2", "bad": "1/0"})
    assert result.user_expressions["double"]["data"]["text/plain"] == "40"
    assert result.user_expressions["bad"]["status"] == "error"


def test_payload(client: minikernel.MiniKernelClient) -> None:
    assert client.run("len?").payload[0]["source"] == "page"


def test_silent(client: minikernel.MiniKernelClient) -> None:
    before = client.run("1").execution_count
    result = client.run("2", silent=True)
    assert result.outputs == []
    assert client.run("3").execution_count == (before or 0) + 1


def test_output_comes_as_it_is_written(client: minikernel.MiniKernelClient) -> None:
    seen: list[str] = []
    client.run("print('x'); 1", on_output=lambda msg: seen.append(msg["msg_type"]))
    assert seen == ["status", "execute_input", "stream", "execute_result", "status"]


def test_what_a_callback_raises_comes_out(client: minikernel.MiniKernelClient) -> None:
    def fail(_msg: dict[str, Any]) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        client.run("1", on_output=fail)
    assert client.run("2").value == "2"


def test_input(client: minikernel.MiniKernelClient) -> None:
    asked: list[tuple[str, bool]] = []

    def answer(prompt: str, password: bool) -> str:
        asked.append((prompt, password))
        return f"answer {len(asked)}"

    code = "import getpass; [input('name? '), getpass.getpass('secret? ')]"
    result = client.run(code, on_input=answer)
    assert result.value == "['answer 1', 'answer 2']"
    assert asked == [("name? ", False), ("secret? ", True)]


def test_input_from_the_terminal(
    client: minikernel.MiniKernelClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda prompt: prompt + "typed")
    assert client.run("input('? ')").value == "'? typed'"


def test_the_end_of_the_terminals_input(
    client: minikernel.MiniKernelClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at_end(_prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", at_end)
    error = client.run("input('? ')").error
    assert error is not None
    assert error.ename == "EOFError"


def test_input_may_be_forbidden(client: minikernel.MiniKernelClient) -> None:
    result = client.run("input('? ')", allow_stdin=False)
    assert result.error is not None
    assert "Stdin" in result.error.ename or "NotImplemented" in result.error.ename


def test_a_timeout(client: minikernel.MiniKernelClient, abandon: Abandon) -> None:
    abandon(client)
    with pytest.raises(TimeoutError):
        client.run("1", timeout=0.1)
    client.interrupt()
    assert client.run("1", timeout=20).status in {"ok", "aborted"}
    assert client.run("'still there'").value == "'still there'"


def test_a_cell_that_never_pauses_meets_its_timeout(client: minikernel.MiniKernelClient) -> None:
    seen: list[object] = []
    with pytest.raises(TimeoutError):
        client.run("while True: print('x', flush=True)", timeout=1, on_output=seen.append)
    client.interrupt()
    assert client.run("1", timeout=60, stop_on_error=False).status in {"ok", "aborted"}
    assert client.run("1", timeout=20).value == "1"
    assert len(seen) > 10


def test_large_outputs_are_whole(client: minikernel.MiniKernelClient) -> None:
    result = client.run("for i in range(100_000): print(i)", timeout=60)
    assert result.stdout.splitlines() == [str(i) for i in range(100_000)]


def test_ctrl_c_interrupts_the_kernel_and_the_wait_goes_on(
    client: minikernel.MiniKernelClient,
) -> None:
    def press(msg: dict[str, Any]) -> None:
        if msg["msg_type"] == "stream":
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()

    code = "import time\nprint('started', flush=True)\ntime.sleep(60)"
    result = client.run(code, timeout=30, on_output=press)
    assert result.error is not None
    assert result.error.ename == "KeyboardInterrupt"
    assert client.run("'alive'").value == "'alive'"


def test_ctrl_c_at_a_prompt_interrupts_the_kernel(client: minikernel.MiniKernelClient) -> None:
    def press(_prompt: str, _password: bool) -> str:
        signal.raise_signal(signal.SIGINT)
        return "not sent"

    result = client.run("input('? ')", timeout=30, on_input=press)
    assert result.error is not None
    assert result.error.ename == "KeyboardInterrupt"


def test_requests_with_reply(client: minikernel.MiniKernelClient) -> None:
    assert client.complete("pri", reply=True, timeout=20)["content"]["matches"]
    assert client.is_complete("if 1:", reply=True, timeout=20)["content"]["status"] == "incomplete"
    assert client.inspect("len", reply=True, timeout=20)["content"]["found"]
    assert client.kernel_info(reply=True, timeout=20)["content"]["status"] == "ok"


def test_the_ledger_adds_up_on_both_sides(client: minikernel.MiniKernelClient) -> None:
    here, there = client.ledger, client.auth_status()
    client.run("1")
    ours, theirs = client.ledger, client.auth_status()
    assert ours["shell"].sent - here["shell"].sent == 1
    assert ours["shell"].verified - here["shell"].verified == 1
    assert ours["iopub"].verified - here["iopub"].verified >= 4
    assert theirs["shell"].verified - there["shell"].verified == 1
    assert theirs.rejected == there.rejected


def test_the_trace_of_a_cell(client: minikernel.MiniKernelClient) -> None:
    events: list[TraceEvent] = []
    client.trace = events.append
    client.run("1")
    assert {e.verdict for e in events} == {"ok"}
    assert [e.msg_type for e in events if e.channel == "shell"] == [
        "execute_request",
        "execute_reply",
    ]
    assert all(e.size > 100 for e in events)


# execute_interactive does what jupyter_client's does.


@pytest.fixture
def stock(client: minikernel.MiniKernelClient) -> Iterator[BlockingKernelClient]:
    stock = BlockingKernelClient()
    stock.load_connection_file(client.connection_file)
    stock.start_channels(hb=False)
    stock.wait_for_ready(20)
    yield stock
    stock.stop_channels()


CELLS = (
    "print('out'); import sys; print('err', file=sys.stderr); 42",
    "display('shown')",
    "1 / 0",
)


@pytest.mark.parametrize("code", CELLS)
def test_it_shows_and_returns_the_same(
    client: minikernel.MiniKernelClient,
    stock: BlockingKernelClient,
    code: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = []
    for side in (stock, client):
        reply = side.execute_interactive(code, store_history=False, timeout=20)
        text = "".join([json.dumps(reply["content"]), *capsys.readouterr()])
        shown.append(re.sub(r"\d+", "N", text))  # the cell's number
        assert reply["parent_header"]["msg_type"] == "execute_request"
    assert shown[0] == shown[1]


def test_it_asks_the_terminal(
    client: minikernel.MiniKernelClient,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("builtins.input", lambda prompt: f"{prompt}typed")
    client.execute_interactive("print(input('? '))", timeout=20)
    assert capsys.readouterr().out == "? typed\n"


def test_hooks_get_the_same_messages(
    client: minikernel.MiniKernelClient, stock: BlockingKernelClient
) -> None:
    seen: list[list[str]] = []
    for side in (stock, client):
        seen.append([])

        def on_input(msg: dict[str, Any], side: Any = side) -> None:
            seen[-1].append(msg["msg_type"])
            side.input("answer")

        side.execute_interactive(
            "input('? ')",
            timeout=20,
            output_hook=lambda msg: seen[-1].append(msg["msg_type"]),
            stdin_hook=on_input,
        )
    assert sorted(seen[0]) == sorted(seen[1]), "the order between channels is chance"


def test_a_stdin_hook_may_be_a_coroutine(client: minikernel.MiniKernelClient) -> None:
    async def on_input(_msg: dict[str, Any]) -> None:
        client.input("answer")

    seen: list[str] = []
    client.execute_interactive(
        "print(input('? '))",
        timeout=20,
        output_hook=lambda msg: seen.append(msg["content"].get("text", "")),
        stdin_hook=on_input,
    )
    assert "answer\n" in seen


def test_it_times_out_like_the_stock_one(
    client: minikernel.MiniKernelClient, abandon: Abandon
) -> None:
    abandon(client)
    with pytest.raises(TimeoutError, match="Timeout waiting for output"):
        client.execute_interactive("1", timeout=0.1)
    client.interrupt()
    client.run("1", timeout=20)


def test_channels_must_run(play: Play) -> None:
    _, client = play()
    client.stdin_channel.stop()
    with pytest.raises(RuntimeError, match="stdin"):
        client.run("1")
    client.iopub_channel.stop()
    with pytest.raises(RuntimeError, match="IOPub"):
        client.execute_interactive("1")


# What a rogue tries.


def test_a_forged_idle_and_reply_do_not_end_a_run(play: Play) -> None:
    def script(rogue: Rogue, request: dict[str, Any]) -> None:
        rogue.publish("status", {"execution_state": "busy"}, request)
        rogue.idle(request, **FORGED)
        rogue.reply(request, content={"status": "forged"}, **FORGED)
        rogue.print("forged", request, **FORGED)
        rogue.print("genuine", request)
        rogue.reply(request)
        rogue.idle(request)

    _, client = play(script)
    seen: list[dict[str, Any]] = []
    result = client.run("1", timeout=20, on_output=seen.append)
    assert (result.status, result.stdout, result.complete) == ("ok", "genuine", True)
    assert [msg["msg_type"] for msg in seen] == ["status", "stream", "status"]
    assert client.ledger.rejected == 3


def test_forged_output_does_not_put_off_a_timeout(play: Play) -> None:
    ended = threading.Event()

    def script(rogue: Rogue, request: dict[str, Any]) -> None:
        while not ended.is_set():
            rogue.print("forged", request, **FORGED)

    _, client = play(script)
    with pytest.raises(TimeoutError):
        client.run("1", timeout=0.3)
    ended.set()


def test_replayed_output_is_shown_once(play: Play) -> None:
    def script(rogue: Rogue, request: dict[str, Any]) -> None:
        frames = rogue.print("once ", request)
        for _ in range(3):
            rogue.iopub.send_multipart([b"another topic", *frames])
        rogue.reply(request)
        rogue.idle(request)

    _, client = play(script)
    assert client.run("1", timeout=20).stdout == "once "
    assert client.ledger["iopub"].rejected == {"replayed": 3}


def test_output_of_another_request_is_not_ours(play: Play) -> None:
    def script(rogue: Rogue, request: dict[str, Any]) -> None:
        other = {**request, "header": {**request["header"], "msg_id": "other"}}
        rogue.print("other", other)
        rogue.idle(other)
        rogue.print("ours", request)
        rogue.reply(request)
        rogue.idle(request)

    _, client = play(script)
    assert client.run("1", timeout=20).stdout == "ours"
    assert client.ledger.rejected == 0


def test_a_question_that_was_not_asked_for_is_not_put(play: Play) -> None:
    def script(rogue: Rogue, request: dict[str, Any]) -> None:
        other = {**request, "header": {**request["header"], "msg_id": "other"}}
        rogue.ask("your password? ", request, **FORGED)
        rogue.ask("your password? ", other)
        rogue.ask("name? ", request)
        answer = rogue.receive(rogue.stdin)
        assert answer["parent_header"]["msg_type"] == "input_request"
        rogue.print(answer["content"]["value"], request)
        rogue.reply(request)
        rogue.idle(request)

    _, client = play(script)
    result = client.run("1", timeout=20, on_input=lambda prompt, _: f"answer to {prompt}")
    assert result.stdout == "answer to name? "
    assert client.ledger["stdin"].rejected == {"bad signature": 1, "not asked": 1}


def test_an_answer_that_comes_too_late_is_not_sent(play: Play) -> None:
    def script(rogue: Rogue, request: dict[str, Any]) -> None:
        rogue.ask("name? ", request)
        rogue.reply(request)
        rogue.idle(request)

    _, client = play(script)

    def answer(_prompt: str, _password: bool) -> str:
        assert client.shell_channel.socket.poll(20_000), "the cell has ended meanwhile"
        return "too late"

    assert client.run("1", timeout=20, on_input=answer).status == "ok"
    assert client.ledger["stdin"].sent == 0


def test_a_lost_idle_ends_the_run_by_the_reply(play: Play) -> None:
    def script(rogue: Rogue, request: dict[str, Any]) -> None:
        rogue.print("some", request)
        rogue.reply(request)
        rogue.idle(request, **FORGED)

    _, client = play(script)
    result = client.run("1", timeout=20)
    assert (result.status, result.stdout, result.complete) == ("ok", "some", False)
    assert "incomplete" in repr(result)


def test_replies_to_earlier_requests_are_passed_over(play: Play) -> None:
    held: list[dict[str, Any]] = []

    def script(rogue: Rogue, request: dict[str, Any]) -> None:
        held.append(request)
        if len(held) == 2:
            for one in held:
                rogue.reply(one, content={"status": "ok", "execution_count": held.index(one)})
                rogue.idle(one)

    _, client = play(script)
    client.execute("earlier")
    assert client.run("1", timeout=20).execution_count == 1
    assert client.ledger.rejected == 0


def test_ctrl_c_on_a_kernel_that_is_not_ours_ends_the_wait(play: Play) -> None:
    def script(_rogue: Rogue, _request: dict[str, Any]) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    _, client = play(script)
    with pytest.raises(KeyboardInterrupt):
        client.run("1", timeout=20)


def test_interrupt_by_message(play: Play) -> None:
    _, client = play()
    client.interrupt()
    with pytest.raises(RuntimeError, match="launched here"):
        client.restart()


def test_a_kernel_that_can_not_tell_its_ledger(play: Play) -> None:
    rogue, client = play()
    rogue.key = "another key"
    with pytest.raises(TimeoutError):
        client.auth_status(timeout=0.2)


def test_inside_an_ipython_kernel_outputs_become_the_cells(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Publisher:
        session, pub_socket, parent_header = None, None, None

    class Shell:
        kernel = object()
        display_pub = Publisher()

    class FakeIPython:
        get_ipython = staticmethod(Shell)

    _, client = play()
    monkeypatch.setitem(sys.modules, "IPython", FakeIPython)  # type: ignore[arg-type]
    hook = client._redisplay()
    assert hook.func == client._output_hook_kernel  # type: ignore[attr-defined]
