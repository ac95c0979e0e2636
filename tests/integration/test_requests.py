"""Each request that a kernel answers, over real sockets."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import KernelProcess, RawClient


def kinds(outputs: list[dict[str, Any]]) -> list[str]:
    return [m["header"]["msg_type"] for m in outputs]


def test_execute(client: RawClient) -> None:
    reply, outputs = client.execute("print('out')\n6 * 7")
    assert reply["status"] == "ok"
    assert kinds(outputs) == ["status", "execute_input", "stream", "execute_result"]
    count = reply["execution_count"]
    assert outputs[1]["content"] == {"code": "print('out')\n6 * 7", "execution_count": count}
    assert outputs[2]["content"] == {"name": "stdout", "text": "out\n"}
    assert outputs[3]["content"]["data"] == {"text/plain": "42"}
    assert all(m["topic"] == [m["header"]["msg_type"].encode()] for m in outputs)


def test_execute_silent_and_uncounted(client: RawClient) -> None:
    count = client.execute("1")[0]["execution_count"]
    reply, outputs = client.execute("2", silent=True)
    assert kinds(outputs) == ["status"]
    assert client.execute("3", store_history=False)[0]["execution_count"] == count
    assert reply["execution_count"] == count


def test_user_expressions(client: RawClient) -> None:
    reply, _ = client.execute("x = 2", user_expressions={"good": "x + 1", "bad": "nothing"})
    assert reply["user_expressions"]["good"]["data"] == {"text/plain": "3"}
    assert reply["user_expressions"]["bad"]["ename"] == "NameError"


def test_an_error(client: RawClient) -> None:
    reply, outputs = client.execute("def f():\n    1 / 0\nf()")
    assert kinds(outputs) == ["status", "execute_input", "error"]
    assert (reply["status"], reply["ename"]) == ("error", "ZeroDivisionError")
    assert "1 / 0" in "\n".join(reply["traceback"])
    assert set(outputs[2]["content"]) == {"ename", "evalue", "traceback"}


# Fails soon after `go` is there: then all that follows has been sent, and arrives meanwhile.
FAILING = (
    "import os, time\nwhile not os.path.exists('go'): time.sleep(0.01)\n"
    "os.unlink('go'); time.sleep(0.3); 1/0"
)


def test_stop_on_error_aborts_what_is_queued(client: RawClient, kernel: KernelProcess) -> None:
    ids = [
        client.send(client.shell, "execute_request", code=FAILING),
        client.send(client.shell, "execute_request", code="ran = True"),
        client.send(client.shell, "kernel_info_request"),
    ]
    kernel.file.with_name("go").touch()
    replies = [client.reply(client.shell, i) for i in ids]
    assert [r["content"]["status"] for r in replies] == ["error", "aborted", "ok"]
    assert client.execute("ran")[0]["ename"] == "NameError"
    first = client.send(client.shell, "execute_request", code="1/0", stop_on_error=False)
    second = client.send(client.shell, "execute_request", code="1")
    assert client.reply(client.shell, first)["content"]["status"] == "error"
    assert client.reply(client.shell, second)["content"]["status"] == "ok"


def test_complete_inspect_is_complete(client: RawClient) -> None:
    client.execute("a_long_name = {}")
    content = client.request(client.shell, "complete_request", code="a_long_n", cursor_pos=8)
    assert content["matches"] == ["a_long_name"]
    assert (content["cursor_start"], content["cursor_end"]) == (0, 8)
    content = client.request(client.shell, "inspect_request", code="len", cursor_pos=3)
    assert content["found"]
    assert "number of items" in content["data"]["text/plain"]
    content = client.request(client.shell, "inspect_request", code="no_such", cursor_pos=2)
    assert (content["status"], content["found"]) == ("ok", False)
    content = client.request(client.shell, "is_complete_request", code="if x:")
    assert content == {"status": "incomplete", "indent": "    "}


def test_history(client: RawClient) -> None:
    for code in ("'h one'", "'h two'"):
        client.execute(code)
    content = client.request(client.shell, "history_request", hist_access_type="tail", n=2)
    assert [entry[2] for entry in content["history"]] == ["'h one'", "'h two'"]
    content = client.request(
        client.shell, "history_request", hist_access_type="search", pattern="*h t*", output=True
    )
    assert content["history"][-1][2] == ["'h two'", "'h two'"]


def test_kernel_info_on_shell_and_control(client: RawClient) -> None:
    content = client.request(client.shell, "kernel_info_request")
    assert content == client.request(client.control, "kernel_info_request")
    assert content["protocol_version"] == "5.5"
    assert content["language_info"]["name"] == "python"
    assert content["implementation"] == "minikernel"


def test_connect(client: RawClient, kernel: KernelProcess) -> None:
    content = client.request(client.shell, "connect_request")
    assert content["shell_port"] == kernel.info["shell_port"]


def test_input(client: RawClient) -> None:
    msg_id = client.send(client.shell, "execute_request", code="print(input('name? ')[::-1])")
    request = client.receive(client.stdin)
    assert request["content"] == {"prompt": "name? ", "password": False}
    assert request["parent_header"]["msg_id"] == msg_id
    client.send(client.stdin, "input_reply", value="abc")
    streams = [m for m in client.outputs(msg_id) if m["header"]["msg_type"] == "stream"]
    assert streams[0]["content"]["text"] == "cba\n"


def test_the_end_of_the_users_input(client: RawClient) -> None:
    msg_id = client.send(client.shell, "execute_request", code="input()")
    client.receive(client.stdin)
    client.send(client.stdin, "input_reply", value="\x04")  # Ctrl-D, in jupyter_client's words
    assert client.reply(client.shell, msg_id)["content"]["ename"] == "EOFError"


def test_input_that_the_request_does_not_allow(client: RawClient) -> None:
    reply, _ = client.execute("input()", allow_stdin=False)
    assert reply["status"] == "error"


def test_input_to_a_client_that_has_no_stdin_raises(client: RawClient) -> None:
    import zmq

    shell = client.connect(zmq.DEALER, "shell", identity=b"somebody without stdin")
    msg_id = client.send(shell, "execute_request", code="input()")
    assert client.reply(shell, msg_id)["content"]["ename"] == "EOFError"
    shell.close(0)


def test_answers_to_no_question_or_another_are_refused(client: RawClient) -> None:
    """The guard "outstanding input only" (channel-hmac, section 8)."""
    before = client.rejected("stdin").get("not asked", 0)
    client.send(client.stdin, "input_reply", value="withheld")
    while client.rejected("stdin").get("not asked", 0) == before:
        pass
    msg_id = client.send(client.shell, "execute_request", code="print(input())")
    question = client.receive(client.stdin)["header"]
    other = client.message("input_reply", {"value": "1"}, {"msg_id": "an earlier question"})[1]
    client.stdin.send_multipart(other)
    client.stdin.send_multipart(
        client.message("input_reply", {"value": "2"}, session="another session")[1]
    )
    client.stdin.send_multipart(client.message("input_reply", {"value": "3"}, question)[1])
    text = [m["content"].get("text") for m in client.outputs(msg_id)]
    assert text[-1] == "3\n"
    assert client.rejected("stdin")["not asked"] == before + 3


def test_control_answers_while_a_cell_runs(client: RawClient) -> None:
    msg_id = client.send(client.shell, "execute_request", code="import time; time.sleep(60)")
    while client.receive(client.iopub)["header"]["msg_type"] != "execute_input":
        pass
    assert client.request(client.control, "kernel_info_request")["status"] == "ok"
    assert client.request(client.control, "interrupt_request") == {"status": "ok"}
    assert client.reply(client.shell, msg_id)["content"]["ename"] == "KeyboardInterrupt"


def test_an_unknown_request_gets_an_error_reply(client: RawClient) -> None:
    content = client.request(client.shell, "do_wonders_request")
    assert (content["status"], content["ename"]) == ("error", "UnknownRequest")


def test_a_malformed_request_gets_an_error_reply_with_a_reason(client: RawClient) -> None:
    msg_id = client.send(client.shell, "execute_request", code=5)
    content = client.reply(client.shell, msg_id)["content"]
    assert content["ename"] == "ContentError"
    assert "code" in content["evalue"]
    assert kinds(client.outputs(msg_id)) == ["status"]


def test_a_shell_request_on_control_is_refused(client: RawClient) -> None:
    msg_id = client.send(client.control, "execute_request", code="crossed = 1")
    assert client.reply(client.control, msg_id)["content"]["status"] == "error"
    assert client.execute("crossed")[0]["ename"] == "NameError"


def test_heartbeat_while_a_cell_holds_the_gil(client: RawClient) -> None:
    import zmq

    heart = client.connect(zmq.REQ, "hb")
    code = "sum(range(60_000_000))"  # one bytecode: nobody else gets the GIL
    msg_id = client.send(client.shell, "execute_request", code=code)
    while client.receive(client.iopub)["header"]["msg_type"] != "execute_input":
        pass
    heart.send(b"ping")
    assert heart.poll(20_000)
    assert heart.recv() == b"ping"
    heart.close(0)
    assert client.reply(client.shell, msg_id)["content"]["status"] == "ok"


@pytest.mark.parametrize("topic", [b"", b"stream", b"status"])
def test_iopub_welcome_comes_to_each_subscriber(client: RawClient, topic: bytes) -> None:
    import zmq

    client.execute("")  # nothing of before is still to be published
    for _ in range(2):  # a second one too
        late = client.connect(zmq.SUB, "iopub", subscribe=topic)
        message = client.receive(late)
        assert message["header"]["msg_type"] == "iopub_welcome"
        assert message["topic"] == [topic]
        assert message["content"] == {"subscription": topic.decode()}
        assert message["parent_header"] == {}
        late.close(0)


def test_iopub_welcome_while_a_cell_prints(client: RawClient) -> None:
    import zmq

    code = "while True: print('.', flush=True)"
    msg_id = client.send(client.shell, "execute_request", code=code)
    client.receive(client.iopub)
    for _ in range(5):
        late = client.connect(zmq.SUB, "iopub", subscribe=b"nothing else")
        assert client.receive(late)["header"]["msg_type"] == "iopub_welcome"
        late.close(0)
    client.request(client.control, "interrupt_request")
    assert client.reply(client.shell, msg_id)["content"]["ename"] == "KeyboardInterrupt"


def test_comms(client: RawClient) -> None:
    reply, _ = client.execute(
        "import comm\n"
        "got = []\n"
        "def opened(channel, message):\n"
        "    channel.on_msg(lambda m: (got.append((m['content']['data'], m['buffers'])),"
        " channel.send({'echo': 1}, buffers=[b'back'])))\n"
        "comm.get_comm_manager().register_target('here', opened)"
    )
    assert reply["status"] == "ok"
    opened = client.send(client.shell, "comm_open", comm_id="c1", target_name="here", data={"a": 1})
    client.outputs(opened)
    info = client.request(client.shell, "comm_info_request", target_name="here")
    assert info["comms"] == {"c1": {"target_name": "here"}}
    told = client.send(client.shell, "comm_msg", comm_id="c1", data={"b": 2})
    echo = client.outputs(told)[-1]
    assert echo["header"]["msg_type"] == "comm_msg"
    assert echo["content"] == {"comm_id": "c1", "data": {"echo": 1}}
    assert echo["buffers"] == [b"back"]
    assert client.text("print(got)") == "[({'b': 2}, [])]\n"
    client.outputs(client.send(client.shell, "comm_close", comm_id="c1", data={}))
    assert client.request(client.shell, "comm_info_request")["comms"] == {}


def test_a_comm_for_nobody_is_closed(client: RawClient) -> None:
    msg_id = client.send(client.shell, "comm_open", comm_id="c2", target_name="none", data={})
    assert "comm_close" in kinds(client.outputs(msg_id))


def test_what_a_background_thread_writes_goes_to_the_cell_that_started_it(
    client: RawClient,
) -> None:
    code = (
        "import threading\ngo = threading.Event()\n"
        "threading.Thread(target=lambda: (go.wait(), print('late'))).start()"
    )
    msg_id = client.send(client.shell, "execute_request", code=code)
    client.execute("go.set()")
    with contextlib.suppress(TimeoutError):
        while True:
            message = client.receive(client.iopub)
            if message["header"]["msg_type"] == "stream":
                break
    assert message["content"]["text"] == "late\n"
    assert message["parent_header"]["msg_id"] == msg_id


def test_an_error_aborts_also_what_does_not_fit_into_the_queue(
    client: RawClient, kernel: KernelProcess
) -> None:
    first = client.send(client.shell, "execute_request", code=FAILING)
    rest = [client.send(client.shell, "execute_request", code="ran = 1") for _ in range(400)]
    kernel.file.with_name("go").touch()
    assert client.reply(client.shell, first)["content"]["status"] == "error"
    replies = [client.reply(client.shell, msg_id)["content"]["status"] for msg_id in rest]
    assert replies == ["aborted"] * 400
