from __future__ import annotations

from typing import Any

import pytest

from minikernel.client.result import Collector, Result
from minikernel.errors import CellError

REPLY = {"content": {"status": "ok", "execution_count": 3}}
FAILED = {
    "content": {
        "status": "error",
        "ename": "Oops",
        "evalue": "\x1b[2Jbad",
        "traceback": ["\x1b[31mline 1\x1b[0m", "line 2"],
    }
}


def collect(*messages: tuple[str, dict[str, Any]], reply: dict[str, Any] = REPLY) -> Result:
    collector = Collector(lambda: 0)
    for msg_type, content in messages:
        collector.add({"msg_type": msg_type, "content": content})
    return collector.result(reply, complete=True)


def stream(text: str, name: str = "stdout") -> tuple[str, dict[str, Any]]:
    return "stream", {"name": name, "text": text}


def display(text: str, display_id: str | None = None) -> tuple[str, dict[str, Any]]:
    transient = {} if display_id is None else {"display_id": display_id}
    return "display_data", {"data": {"text/plain": text}, "metadata": {}, "transient": transient}


def update(text: str, display_id: str) -> tuple[str, dict[str, Any]]:
    return "update_display_data", display(text, display_id)[1]


def value(text: str, **data: Any) -> tuple[str, dict[str, Any]]:
    return "execute_result", {"data": {"text/plain": text, **data}, "execution_count": 3}


def shown(result: Result) -> list[str]:
    return [out["text"] if "text" in out else out["data"]["text/plain"] for out in result.outputs]


def test_streams_are_joined_in_order() -> None:
    result = collect(stream("a"), stream("b"), stream("!", "stderr"), stream("c"))
    assert shown(result) == ["ab", "!", "c"]
    assert (result.stdout, result.stderr) == ("abc", "!")


def test_the_value_is_the_execute_result() -> None:
    result = collect(display("d"), value("42", **{"text/html": "<b>42</b>"}))
    assert result.value == "42"
    assert result.data["text/html"] == "<b>42</b>"
    assert [out["data"]["text/plain"] for out in result.displays] == ["d"]
    assert result.execution_count == 3


def test_an_update_reaches_every_display_with_its_id() -> None:
    result = collect(display("1", "a"), display("2", "b"), display("3", "a"), update("new", "a"))
    assert shown(result) == ["new", "2", "new"]
    assert result.displayed["a"] == [result.outputs[0], result.outputs[2]]


def test_an_update_for_an_earlier_cell_is_kept() -> None:
    result = collect(update("new", "elsewhere"))
    assert result.outputs == []
    assert result.updates[0]["transient"] == {"display_id": "elsewhere"}


def test_clear_output_drops_what_was_shown() -> None:
    result = collect(stream("old"), display("old", "a"), ("clear_output", {}), update("x", "a"))
    assert result.outputs == []


def test_clear_output_may_wait_for_the_next_output() -> None:
    wait = ("clear_output", {"wait": True})
    assert shown(collect(stream("old"), wait)) == ["old"]
    assert shown(collect(stream("old"), wait, stream("new"), stream("er"))) == ["newer"]


def test_an_error_has_its_name_text_and_traceback() -> None:
    result = collect(("error", FAILED["content"]), reply=FAILED)
    assert result.status == "error"
    assert result.error is not None
    assert result.error.ename == "Oops"
    assert result.outputs[0]["traceback"][1] == "line 2"
    with pytest.raises(CellError) as caught:
        result.raise_for_error()
    assert str(caught.value) == "Oops: bad\nline 1\nline 2"
    assert caught.value.evalue == "\x1b[2Jbad"


def test_a_good_result_raises_nothing() -> None:
    result = collect(value("1"))
    assert result.raise_for_error() is result


def test_an_aborted_cell_raises() -> None:
    with pytest.raises(CellError, match="aborted"):
        collect(reply={"content": {"status": "aborted"}}).raise_for_error()


def test_the_repr_is_short_and_safe() -> None:
    result = collect(stream("\x1b[2J"), value("\x1b]0;x\x07" * 1000), reply=FAILED)
    assert "\x1b" not in repr(result)
    assert "\x07" not in repr(result)
    assert len(repr(result)) < 250


def test_a_notebook_shows_the_only_output_as_it_is() -> None:
    bundle = collect(value("42", **{"text/latex": "$42$"}))._repr_mimebundle_()
    assert bundle["text/latex"] == "$42$"
    assert bundle["text/plain"] == "42"


def test_a_notebook_shows_several_outputs_as_html() -> None:
    png = {"image/png": 'aGk="><script>'}
    result = collect(
        stream("<script>\x1b[31m"),
        ("display_data", {"data": png}),
        value("x", **{"text/html": "<b>x</b>"}),
        ("error", FAILED["content"]),
    )
    html = result._repr_mimebundle_()["text/html"]
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "<b>x</b>" in html
    assert "\x1b[31m" not in html
    assert "data:image/png;base64,aGk=" in html


@pytest.mark.parametrize(
    "message",
    [
        ("stream", {}),
        ("display_data", {"data": 5, "metadata": None, "transient": "x"}),
        ("update_display_data", {"transient": {"display_id": []}}),
        ("execute_result", {"data": {"text/plain": 5, "text/html": 1, "image/png": []}}),
        ("error", {"traceback": "no list", "ename": 5}),
        ("clear_output", {"wait": "perhaps"}),
        ("comm_open", {}),
    ],
)
def test_malformed_contents_do_no_harm(message: tuple[str, dict[str, Any]]) -> None:
    reply = {
        "content": {"status": 5, "payload": [1], "user_expressions": 3, "execution_count": "x"}
    }
    result = collect(message, message, reply=reply)
    assert repr(result)
    assert result._repr_html_()
    assert result.payload == []
    assert result.user_expressions == {}


def test_what_was_missed_before_the_cell_began_is_not_its_own() -> None:
    missed = 2
    collector = Collector(lambda: missed)
    missed = 5  # its own busy shows what went before
    collector.add({"msg_type": "status", "content": {"execution_state": "busy"}})
    missed = 9
    result = collector.result(REPLY, complete=True)
    assert (result.missed, repr(result)) == (4, "Result(ok, [3], missed=4)")


def test_without_a_busy_all_that_was_missed_since_the_start_counts() -> None:
    missed = 2
    collector = Collector(lambda: missed)
    missed = 5
    collector.add({"msg_type": "stream", "content": {"name": "stdout", "text": "x"}})
    assert collector.result(REPLY, complete=True).missed == 3
