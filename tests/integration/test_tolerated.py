"""What is odd but legal, or legal enough: the kernel answers it as any other message."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import KernelProcess, RawClient

    Change = Callable[[list[bytes]], list[bytes]]  # of header, parent, metadata, content, buffers


@pytest.fixture
def asker(kernel: KernelProcess, client: RawClient) -> Iterator[RawClient]:
    """A client; whatever it asked, the kernel then goes on on both of its connections."""
    yield client
    assert kernel.process.poll() is None, kernel.terminal
    assert client.text("print('alive')") == "alive\n"
    assert client.request(client.control, "kernel_info_request")["status"] == "ok"
    assert kernel.terminal == ""


def more_header(more: bytes) -> Change:
    return lambda f: [f[0][:-1] + b"," + more + b"}", *f[1:]]


def without(*names: str) -> Change:
    def change(frames: list[bytes]) -> list[bytes]:
        header = {k: v for k, v in json.loads(frames[0]).items() if k not in names}
        return [json.dumps(header).encode(), *frames[1:]]

    return change


CHANGES: dict[str, Change] = {
    "null parent": lambda f: [f[0], b"null", *f[2:]],
    "null metadata": lambda f: [*f[:2], b"null", *f[3:]],
    "spaces": lambda f: [b" " + f[0] + b"\n", b" {}", b"{ }", b"\t{}"],
    "a parent of nonsense": lambda f: [f[0], b'{"msg_id": [1], "x": null}', *f[2:]],
    "a parent with NaN": lambda f: [f[0], b'{"x": NaN, "y": -Infinity}', *f[2:]],
    "metadata with a lone surrogate": lambda f: [*f[:2], b'{"x": "\\ud800"}', *f[3:]],
    "metadata that is not UTF-8": lambda f: [*f[:2], b'{"x": "\xff"}', *f[3:]],
    "metadata of ours that is no object": lambda f: [*f[:2], b'{"minikernel": 5}', *f[3:]],
    "metadata of ours, empty": lambda f: [*f[:2], b'{"minikernel": {}}', *f[3:]],
    "unknown content": lambda f: [*f[:3], b'{"x": [1, {"y": 2}]}'],
    "a content of 900 kB": lambda f: [*f[:3], b'{"x": "%b"}' % (b"x" * 900_000)],
    "a number too big for a float": lambda f: [*f[:3], b'{"x": 1e999, "y": -1e999}'],
    "a number of 100 digits": lambda f: [*f[:3], b'{"x": %b}' % (b"7" * 100)],
    "a key twice": lambda f: [*f[:3], b'{"x": 1, "x": 2}'],
    "a key of nothing": lambda f: [*f[:3], b'{"": ""}'],
    "a buffer of 900 kB": lambda f: [*f, bytes(900_000)],
    "1,020 buffers": lambda f: f + [b""] * 1020,
    "header: unknown fields": more_header(b'"x": [], "subshell_id": null'),
    "header: an unknown field with NaN": more_header(b'"x": NaN'),
    "header: an unknown field that is not UTF-8": more_header(b'"x": "\xff", "\xfe": 1'),
    "header: a lone surrogate": more_header(b'"x": "\\udfff"'),
    "header: a number of 100 digits": more_header(b'"x": ' + b"7" * 100),
    "header: a number too big for a float": more_header(b'"x": 1e999'),
    "header: the session twice": more_header(b'"session": "second"'),
    "header: null username, date and version": more_header(
        b'"username": null, "date": null, "version": null'
    ),
    "header: a date of nonsense": more_header(b'"date": "the day after"'),
    "header: the year 1": more_header(b'"date": "0001-01-01T00:00:00"'),
    "header: a session that is not ASCII": more_header('"session": "größe\U0001f600"'.encode()),
    "header: a session of terminal escapes": more_header(b'"session": "\\u001b[31m\\r\\n"'),
    "header: a session of 100 kB": more_header(b'"session": "' + b"s" * 100_000 + b'"'),
    "header: an unknown field of 500 kB": more_header(b'"x": "' + b"x" * 500_000 + b'"'),
    "header: an unknown field of 1 MB": more_header(b'"x": "' + b"x" * 1_000_000 + b'"'),
    "header: an unknown protocol": more_header(b'"version": "99.9"'),
    "header: no date": without("date"),
    "header: no session, username, date, version": without(
        "session", "username", "date", "version"
    ),
}


def strict(frame: bytes) -> Any:
    """JSON that any client can read."""

    def refuse(name: str) -> None:
        raise AssertionError(name)

    return json.loads(frame.decode(), parse_constant=refuse)


@pytest.mark.parametrize("channel", ["shell", "control"])
@pytest.mark.parametrize("name", CHANGES)
def test_an_odd_message_is_answered(asker: RawClient, channel: str, name: str) -> None:
    socket = getattr(asker, channel)
    msg_id, frames = asker.message("kernel_info_request", {})
    socket.send_multipart(asker.sign(*CHANGES[name](frames[2:])))
    assert socket.poll(20_000)
    reply = socket.recv_multipart()
    header, parent, _, content = map(strict, reply[2:6])
    assert (header["msg_type"], content["status"]) == ("kernel_info_reply", "ok")
    assert parent["msg_id"] == msg_id
    asker.outputs(msg_id)


@pytest.mark.parametrize(
    "identities",
    [[b"more"], [b"", b""], [b"i"] * 63, [bytes(500_000)], [b"\xff\0<IDS|MSG"], [b"{}"] * 4],
    ids=["one", "empty", "63", "500 kB", "odd bytes", "JSON"],
)
def test_identities_are_given_back(asker: RawClient, identities: list[bytes]) -> None:
    msg_id, frames = asker.message("kernel_info_request", {})
    asker.shell.send_multipart(identities + frames)
    reply = asker.reply(asker.shell, msg_id)
    assert reply["topic"] == identities
    assert reply["content"]["status"] == "ok"


CODES = {
    "empty": "",
    "a zero byte": "1\0",
    "a lone surrogate": "'\ud800'",
    "a lone surrogate as a name": "\ud800",
    "300 brackets": "(" * 300,
    "300 nested lists": "[" * 300 + "]" * 300,
    "3,000 signs": "-" * 3000 + "1",
    "2,000 attributes": "a" + ".b" * 2000,
    "300 sums": "+".join(["1"] * 300),
    "an indent of 200 levels": "".join(" " * i + "if 1:\n" for i in range(200)) + " " * 200 + "1",
    "form feeds and carriage returns": "\f\r1\r\r\n\f",
    "terminal escapes": "\x1b[31m",
    "a byte order mark": "\ufeff1",
    "one string without its end": "'" + "x" * 100_000,
    "an unknown encoding": "# -*- coding: nonsense -*-\n1",
    "a number of 10,000 digits": "7" * 10_000,
    "a magic": "%%nonsense\n",
    "a shell escape": "!",
    "question marks": "?" * 1000,
    "astral": "'\U0001f600'",
    "bidirectional": "'\u202e'",
}


@pytest.mark.parametrize("name", CODES)
def test_odd_code(asker: RawClient, name: str) -> None:
    code = CODES[name]
    # In this order: what an inspection of half a cell does must not depend on having run it.
    requests: list[tuple[str, dict[str, Any]]] = [
        *(
            (f"{kind}_request", {"code": code, "cursor_pos": at})
            for kind in ("complete", "inspect")
            for at in (None, 0, 1, len(code) // 2, len(code), 10**40, -(10**40))
        ),
        ("inspect_request", {"code": code, "detail_level": 10**40}),
        ("is_complete_request", {"code": code}),
        ("execute_request", {"code": code, "silent": True}),
        ("execute_request", {"code": code}),
        ("execute_request", {"code": "1", "user_expressions": {code: code}}),
    ]
    for msg_type, content in requests:
        answer = asker.request(asker.shell, msg_type, **content)
        assert "status" in answer, msg_type


@pytest.mark.parametrize("msg_type", ["execute_request", "is_complete_request"])
@pytest.mark.parametrize(
    "code",
    [
        "(" * 100_000,
        "[" * 100_000 + "]" * 100_000,
        "-" * 100_000 + "1",
        "a" + ".b" * 100_000,
        "+".join(["1"] * 100_000),
    ],
    ids=["brackets", "nested lists", "signs", "attributes", "sums"],
)
def test_code_that_no_compiler_takes(asker: RawClient, msg_type: str, code: str) -> None:
    asker.request(asker.shell, msg_type, code=code)


@pytest.mark.parametrize(
    "content",
    [
        {"hist_access_type": "nonsense"},
        {"hist_access_type": "tail"},
        {"hist_access_type": "tail", "n": 0},
        {"hist_access_type": "tail", "n": -5},
        {"hist_access_type": "tail", "n": 10**40},
        {"hist_access_type": "range", "session": 10**40, "start": -(10**40), "stop": 10**40},
        {"hist_access_type": "range", "session": -3, "start": None, "stop": None},
        {"hist_access_type": "search", "n": -1, "pattern": "*" * 30},
        {"hist_access_type": "search", "n": 5, "pattern": "[" * 1000},
        {"hist_access_type": "search", "n": 5, "pattern": "\0"},
        {"hist_access_type": "search", "n": 5, "pattern": "\ud800"},
        {"hist_access_type": "search", "n": 5, "pattern": "x" * 500_000},
        {"hist_access_type": "search", "n": 10**40, "pattern": None, "unique": True},
    ],
    ids=str,
)
def test_odd_history(asker: RawClient, content: dict[str, Any]) -> None:
    assert asker.request(asker.shell, "history_request", **content)["status"] in {"ok", "error"}


@pytest.mark.parametrize("target", ["", "\ud800", "\0", "x" * 500_000])
def test_odd_comm_info(asker: RawClient, target: str) -> None:
    content = asker.request(asker.shell, "comm_info_request", target_name=target)
    assert content == {"status": "ok", "comms": {}}


@pytest.mark.parametrize("msg_type", ["comm_open", "comm_msg", "comm_close"])
@pytest.mark.parametrize(
    "content",
    [
        {},
        {"comm_id": None},
        {"comm_id": []},
        {"comm_id": {}, "target_name": "t"},
        {"comm_id": 5, "target_name": "t", "data": {}},
        {"comm_id": "1", "target_name": []},
        {"comm_id": "\ud800", "target_name": "\ud800", "data": {}},
        {"comm_id": "2", "target_name": "failing", "data": 5},
        {"comm_id": "3", "target_name": "leaving", "data": {}},
        {"comm_id": "4", "target_name": "cancelled", "data": {}},
        {"comm_id": "x" * 100_000, "target_name": "x" * 100_000, "data": None},
    ],
    ids=lambda content: str(content)[:40],
)
def test_odd_comms(asker: RawClient, msg_type: str, content: dict[str, Any]) -> None:
    asker.execute(
        "import comm\n"
        "def fail(opened, message): raise ValueError('of a target')\n"
        "comm.get_comm_manager().register_target('failing', fail)\n"
        "def leave(opened, message): raise KeyboardInterrupt\n"
        "comm.get_comm_manager().register_target('leaving', leave)\n"
        "import asyncio\n"
        "def cancel(opened, message): raise asyncio.CancelledError\n"
        "comm.get_comm_manager().register_target('cancelled', cancel)"
    )
    asker.outputs(asker.send(asker.shell, msg_type, **content))


def shown_by(kind: str) -> str:
    """A class whose objects have a form that raises when it is made JSON."""
    return (
        "class BadText(Exception):\n"
        "    def __str__(self): raise ValueError\n"
        "class Evil:\n"
        f"    def __iter__(self): raise {kind}\n"
        "class Shown:\n"
        "    def _repr_mimebundle_(self, **_): return {'application/json': Evil()}\n"
    )


@pytest.mark.parametrize("kind", ["KeyboardInterrupt", "SystemExit"])
def test_a_user_expression_that_fails_as_it_is_sent(asker: RawClient, kind: str) -> None:
    """Its error is its own, as any other error of an expression; the cell has gone well."""
    reply, _ = asker.execute(shown_by(kind), user_expressions={"x": "Shown()", "y": "1"})
    told = reply["user_expressions"]
    assert (told["x"]["status"], told["x"]["ename"]) == ("error", kind)
    assert (reply["status"], told["y"]["status"]) == ("ok", "ok")
    reply, _ = asker.execute("Shown()")
    assert (reply["status"], reply["ename"]) == ("error", kind)


@pytest.mark.parametrize("kind", ["ValueError", "BadText"])
def test_a_form_that_fails_as_it_is_sent_is_left_out(asker: RawClient, kind: str) -> None:
    reply, outputs = asker.execute(shown_by(kind), user_expressions={"x": "Shown()"})
    told = reply["user_expressions"]["x"]
    assert (told["status"], [*told["data"]]) == ("ok", ["text/plain"])
    said = {"name": "stderr", "text": f"Shown: application/json left out: {kind}\n"}
    assert said in [message["content"] for message in outputs]
    reply, outputs = asker.execute("Shown()")
    contents = [message["content"] for message in outputs]
    assert said in contents
    assert [[*content["data"]] for content in contents if "data" in content] == [["text/plain"]]
    assert reply["status"] == "ok"


@pytest.mark.parametrize(
    ("plain", "kept"),
    [("5", None), ("None", "<__main__.Odd object"), ("['a', 'b']", "ab"), ("{'a': 1}", None)],
)
def test_a_value_whose_plain_text_is_none(asker: RawClient, plain: str, kept: str | None) -> None:
    """None is "not this form", lines are one text; what is no text can't be kept, nor shown."""
    asker.execute(
        f"class Odd:\n    def _repr_mimebundle_(self, **_): return {{'text/plain': {plain}}}\nOdd()"
    )
    ask = {"output": True, "raw": True, "hist_access_type": "tail", "n": 1}
    [[_, _, [source, output]]] = asker.request(asker.shell, "history_request", **ask)["history"]
    assert source.endswith("Odd()")
    assert output is None if kept is None else output.startswith(kept)
