from __future__ import annotations

import base64
import builtins
from typing import Any

import pytest

from minikernel.interpreter.display import Displayer


@pytest.fixture
def displayer(frontend: Any) -> Any:
    return Displayer(frontend)


class Rich:
    def __repr__(self) -> Any:
        return "rich"

    def _repr_html_(self) -> Any:
        return "<b>rich</b>"


def test_display_shows_each_object_in_all_its_forms(displayer: Any, frontend: Any) -> None:
    assert displayer.display(Rich(), 3) is None
    assert [shown["data"] for shown in frontend.displays] == [
        {"text/plain": "rich", "text/html": "<b>rich</b>"},
        {"text/plain": "3"},
    ]


def test_a_display_id_gives_a_handle_that_updates(displayer: Any, frontend: Any) -> None:
    handle = displayer.display("a", display_id="here")
    handle.update("b")
    handle.display("c")
    seen = [(s["data"]["text/plain"], s["display_id"], s["update"]) for s in frontend.displays]
    assert seen == [("'a'", "here", False), ("'b'", "here", True), ("'c'", "here", False)]


def test_display_id_true_makes_a_new_id_each_time(displayer: Any) -> None:
    one, two = displayer.display(1, display_id=True), displayer.display(1, display_id=True)
    assert isinstance(one.display_id, str)
    assert one.display_id != two.display_id


def test_raw_shows_a_bundle_as_it_is(displayer: Any, frontend: Any) -> None:
    displayer.display({"text/x": "y"}, raw=True, metadata={"text/x": {"a": 1}})
    assert frontend.displays[0]["data"] == {"text/x": "y"}
    assert frontend.displays[0]["metadata"] == {"text/x": {"a": 1}}


def test_clear_clears_before_the_display(displayer: Any, frontend: Any) -> None:
    displayer.display(1, clear=True)
    assert frontend.cleared == [True]
    displayer.clear_output()
    displayer.clear_output(True)
    assert frontend.cleared == [True, False, True]


def test_include_and_exclude_choose_the_forms(displayer: Any, frontend: Any) -> None:
    displayer.display(Rich(), include=["text/html"])
    displayer.display(Rich(), exclude=["text/html"])
    assert [list(s["data"]) for s in frontend.displays] == [["text/html"], ["text/plain"]]


def test_an_object_that_shows_itself(displayer: Any, frontend: Any) -> None:
    class Own:
        def _ipython_display_(self) -> None:
            displayer.display("by itself")

    displayer.display(Own())
    displayer.display(Own)
    assert [s["data"]["text/plain"][:11] for s in frontend.displays] == [
        "'by itself'",
        "tests.inter",
    ]


def test_the_functions_are_builtins_while_the_engine_lives(cell: Any) -> None:
    cell.good("display(1)\nupdate_display(2, display_id='x')\nclear_output(wait=True)")
    assert [s["update"] for s in cell.frontend.displays] == [False, True]
    assert cell.frontend.cleared == [True]
    cell.engine.close()
    assert not hasattr(builtins, "display")


def test_a_last_expression_that_shows_itself_is_no_result(cell: Any) -> None:
    cell.good("class Own:\n    def _ipython_display_(self): display('x')\nOwn()")
    assert cell.frontend.results == []
    assert len(cell.frontend.displays) == 1
    assert cell.value("type(_) is Own")


def test_a_last_expression_that_fails_to_show_itself_is_reported(cell: Any, capsys: Any) -> None:
    cell.good("class Own:\n    def _ipython_display_(self): 1/0\nOwn()")
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_ipythons_display_functions_show_through_the_frontend(cell: Any) -> None:
    pytest.importorskip("IPython")
    cell.good("from IPython.display import HTML, Image, display, clear_output, update_display")
    cell.good("from IPython import get_ipython\nassert get_ipython() is None")
    cell.good("h = display(HTML('<i>1</i>'), display_id='a')\nh.update(HTML('<i>2</i>'))")
    cell.good("clear_output(wait=True)\nHTML('<i>3</i>')")
    seen = [(s["data"]["text/html"], s["display_id"], s["update"]) for s in cell.frontend.displays]
    assert seen == [("<i>1</i>", "a", False), ("<i>2</i>", "a", True)]
    assert cell.frontend.cleared == [True]
    assert cell.frontend.results[0][1]["text/html"] == "<i>3</i>"


def test_ipythons_images_json_and_publisher(cell: Any) -> None:
    pytest.importorskip("IPython")
    png = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()
    cell.good(
        "from IPython.display import *\nimport base64\n"
        f"display(Image(base64.b64decode({png!r}), width=7))\ndisplay(JSON({{'a': 1}}))\n"
        "publish_display_data({'text/plain': 'p'}, transient={'display_id': 'q'})"
    )
    image, json, published = cell.frontend.displays
    assert image["data"]["image/png"].strip() == png
    assert image["metadata"]["image/png"]["width"] == 7
    assert json["data"]["application/json"] == {"a": 1}
    assert (published["data"], published["display_id"]) == ({"text/plain": "p"}, "q")


def test_an_empty_handle_shows_a_place_that_is_filled_later(displayer: Any, frontend: Any) -> None:
    handle = displayer.display(display_id=True)
    handle.update("world")
    other = displayer.display(transient={"display_id": "there"})
    assert other.display_id == "there"
    assert displayer.display() is None
    empty, filled, there = frontend.displays
    assert (empty["data"], empty["update"]) == ({}, False)
    assert (filled["data"]["text/plain"], filled["update"]) == ("'world'", True)
    assert empty["display_id"] == filled["display_id"] == handle.display_id
    assert (there["data"], there["display_id"]) == ({}, "there")


def test_ids_may_be_numbers(displayer: Any, frontend: Any) -> None:
    displayer.display(1, display_id=7).update(2)
    assert [s["display_id"] for s in frontend.displays] == ["7", "7"]


def test_update_replaces_and_needs_an_id(displayer: Any, frontend: Any) -> None:
    displayer.display("b", display_id="a", update=True)
    displayer.display("c", transient={"display_id": "a"}, update=True)
    displayer.update_display("d", display_id="unknown", metadata={"m": 1}, raw=False)
    seen = [(s["update"], s["display_id"]) for s in frontend.displays]
    assert seen == [(True, "a"), (True, "a"), (True, "unknown")]
    assert frontend.displays[2]["metadata"] == {"m": 1}
    with pytest.raises(TypeError, match="display_id required"):
        displayer.display("x", update=True)


def test_transient_data_goes_to_clients(displayer: Any, frontend: Any) -> None:
    given = {"display_id": "a", "more": {1: {2}}}
    displayer.display(1, transient=given)
    displayer.publish_display_data({"text/plain": "x"}, transient=given, update=True)
    assert given == {"display_id": "a", "more": {1: {2}}}
    for shown in frontend.displays:
        assert (shown["display_id"], shown["transient"]) == ("a", {"more": {"1": [2]}})
    assert frontend.displays[1]["update"]


def test_metadata_is_merged_form_by_form(displayer: Any, frontend: Any) -> None:
    class Picture:
        def _repr_png_(self) -> Any:
            return b"", {"width": 1, "height": 2}

    displayer.display(Picture(), metadata={"image/png": {"width": 3}, "all": True})
    assert frontend.displays[0]["metadata"] == {
        "image/png": {"width": 3, "height": 2},
        "all": True,
    }


def test_raw_takes_only_bundles_and_checks_them(displayer: Any, frontend: Any, capsys: Any) -> None:
    for wrong in (5, "text", None, ["text/plain"]):
        with pytest.raises(TypeError, match="data must be a dict"):
            displayer.display(wrong, raw=True)
    displayer.display({"text/html": 5, "text/plain": "t", None: "n"}, raw=True)
    displayer.publish_display_data({"image/png": b"\0\1"}, {"a": {(1, 2): 3}, "b": {1}})
    checked, published = frontend.displays
    assert checked["data"] == {"text/plain": "t"}
    assert (published["data"], published["metadata"]) == ({"image/png": "AAE="}, {"b": [1]})
    assert capsys.readouterr().err.count("left out") == 3


@pytest.mark.parametrize("error", ["NotImplementedError", "ZeroDivisionError"])
def test_an_object_that_fails_to_show_itself_is_shown_in_its_other_forms(
    cell: Any, error: Any, capsys: Any
) -> None:
    cell.good(
        f"class A:\n    def _ipython_display_(self): raise {error}('no')\n"
        "    def _repr_html_(self): return 'fallback'\nA()"
    )
    assert cell.frontend.results[0][1]["text/html"] == "fallback"
    cell.good("display(A())")
    assert cell.frontend.displays[0]["data"]["text/html"] == "fallback"
    assert (error in capsys.readouterr().err) is (error != "NotImplementedError")


def test_ipythons_own_handle(cell: Any) -> None:
    pytest.importorskip("IPython")
    cell.good("from IPython.display import DisplayHandle, display\nh = DisplayHandle('x')")
    cell.good("h.display(1)\nh.update(2)\ndisplay(display_id='y')")
    seen = [(s["display_id"], s["update"]) for s in cell.frontend.displays]
    assert seen == [("x", False), ("x", True), ("y", False)]
