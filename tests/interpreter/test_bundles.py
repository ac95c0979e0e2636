"""Forms that a notebook can't hold are left out, with a word; nothing ugly gets through."""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import enum
import fractions
import json
import types
from typing import Any
from unittest.mock import MagicMock

import nbformat
import pytest

from minikernel.interpreter.bundles import as_json, mapping, sendable, sendable_metadata
from minikernel.interpreter.formatting import Formatter

TEXTS = ["text/plain", "text/html", "text/latex", "image/svg+xml", "application/javascript"]
IMAGES = ["image/png", "image/jpeg", "application/pdf"]
JSONS = ["application/json", "application/geo+json", "application/vnd.x.v1+json"]


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


class Colour(str, enum.Enum):
    RED = "red"


class Ugly:
    def __repr__(self) -> str:
        raise ValueError("no repr")

    def __iter__(self) -> Any:
        raise ValueError("no iteration")


class UglyDict(dict[Any, Any]):
    def items(self) -> Any:
        raise ValueError("no items")

    __iter__ = items


class UglyError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


def deep(levels: int = 100_000) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


def cycle() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["self"] = value
    return value


UGLY = [
    *(5, 1.5, True, float("nan"), 1j, object(), Ugly(), {1, 2}, b"\xff", bytearray(b"x")),
    *("", "\ud800", Text("t"), Colour.RED, [1, "a"], ["a", "b\n"], (), ("a",), ("a", None)),
    *({None: 1, True: 2, 1.5: 3}, {(1, 2): 3}, {"a": {b"b": 1}}, {"a": float("inf")}, cycle()),
    *(deep(), UglyDict(a=1), MagicMock(), (i for i in range(3)), range(3), 2**70, lambda: 1),
    *(dt.datetime.now(tz=dt.timezone.utc), decimal.Decimal("1.5"), b"" * 2),
    *(decimal.Decimal("sNaN"), fractions.Fraction(1, 3), collections.ChainMap({"a": 1}), Ugly),
    *({"\ud800": "\ud800"}, memoryview(b"x"), types.MappingProxyType({"a": 1}), NotImplemented),
]


def notebook(data: dict[str, Any], metadata: dict[str, Any]) -> Any:
    output = {"output_type": "display_data", "data": data, "metadata": metadata}
    cell = nbformat.v4.new_code_cell("x", outputs=[nbformat.from_dict(output)])
    return nbformat.v4.new_notebook(cells=[cell])


def check(data: dict[str, Any], metadata: dict[str, Any]) -> None:
    """That a notebook can hold these and can be read again."""
    text = nbformat.writes(notebook(data, metadata))
    text.encode()  # no lone surrogates
    json.loads(text, parse_constant=pytest.fail)
    nbformat.validate(json.loads(text))


@pytest.mark.parametrize("form", UGLY, ids=lambda form: type(form).__name__)
def test_whatever_an_object_returns_the_notebook_is_valid(form: Any) -> None:
    raw = dict.fromkeys((*TEXTS, *IMAGES, *JSONS), form)
    check(sendable(raw, "x"), sendable_metadata({"a": form, **dict.fromkeys(raw, form)}, "x"))
    check(sendable(form, "x"), sendable_metadata(form, "x"))

    class Thing:
        def _repr_mimebundle_(self, **_: Any) -> Any:
            return form

        def _form(self) -> Any:
            return form

        _repr_html_ = _repr_json_ = _repr_png_ = _repr_svg_ = _repr_pdf_ = _form

    check(*Formatter().format(Thing()))
    Thing._repr_mimebundle_ = lambda *_, **__: ({"text/html": form}, form)
    check(*Formatter().format(Thing()))


@pytest.mark.parametrize(
    ("mimetype", "form", "sent"),
    [
        ("text/html", Text("t"), "t"),
        ("text/plain", Colour.RED, "red"),
        ("text/html", ["a\n", "b"], "a\nb"),
        ("text/html", "\ud800", "?"),
        ("image/gif", b"\0\1", "AAE="),
        ("image/png", memoryview(b"\0\1"), "AAE="),
        ("image/png", "AAE=", "AAE="),
        ("application/x-parquet", b"\0\1", "AAE="),
        ("application/json", "text", "text"),
        ("application/json", {None: 1, True: 2, 1.5: 3}, {"null": 1, "true": 2, "1.5": 3}),
        ("application/geo+json", [float("nan"), float("inf")], [None, None]),
        ("application/vnd.x+json", {"a": {1}, "b": b"\0\1"}, {"a": [1], "b": "AAE="}),
        ("application/json", [decimal.Decimal("1.5"), 2**70], [1.5, 2**70]),
        ("application/json", {"d": dt.date(2026, 1, 2)}, {"d": "2026-01-02"}),
        ("application/json", collections.ChainMap({"a": 1}), {"a": 1}),
    ],
)
def test_what_is_sent(mimetype: Any, form: Any, sent: Any, capsys: Any) -> None:
    assert sendable({mimetype: form}, "x") == {mimetype: sent}
    assert type(sendable({mimetype: form}, "x")[mimetype]) is type(sent)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("mimetype", "form", "word"),
    [
        ("text/html", 5, "int instead of str"),
        ("text/html", b"<b>", "bytes instead of str"),
        ("image/svg+xml", b"<svg>", "bytes instead of str"),
        ("image/png", 1.5, "float instead of str"),
        ("application/json", {(1, 2): 3}, "tuple"),
        ("application/json", object(), "JSON has no form for object"),
        ("application/json", cycle(), "Circular"),
        ("application/json", 1j, "complex"),
    ],
)
def test_what_is_left_out_is_said(mimetype: Any, form: Any, word: Any, capsys: Any) -> None:
    assert sendable({mimetype: form, "text/plain": "t"}, []) == {"text/plain": "t"}
    said = capsys.readouterr().err
    assert said.startswith(f"list: {mimetype} left out: ")
    assert word in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("form", [(i for i in "ab"), map(str, "ab"), iter("ab")])
def test_what_is_iterated_is_an_array(form: Any, capsys: Any) -> None:
    assert sendable({"application/json": {"all": form}}, "x") == {
        "application/json": {"all": ["a", "b"]}
    }
    assert capsys.readouterr().err == ""


def test_none_is_not_this_form_and_needs_no_word(capsys: Any) -> None:
    assert sendable({"text/html": None}, "x") == sendable(None, "x") == {}
    assert capsys.readouterr().err == ""


def test_keys_that_are_no_texts_are_left_out(capsys: Any) -> None:
    assert mapping({None: 1, ("a",): 2, "b": 3}, "data", "x") == {"b": 3}
    assert capsys.readouterr().err.count("left out") == 2


def test_an_error_without_a_text_is_said_by_its_name(capsys: Any) -> None:
    class Thing:
        def tolist(self) -> None:
            raise UglyError

    assert sendable({"application/json": Thing()}, "x") == {}
    assert "UglyError" in capsys.readouterr().err


def test_values_of_numpy_and_pandas() -> None:
    numpy = pytest.importorskip("numpy")
    value = {
        "i": numpy.int8(1),
        "f": numpy.float32(0.5),
        "b": numpy.bool_(1),
        "a": numpy.array([[1, 2]]),
        "n": numpy.float64("nan"),
        "s": numpy.str_("s"),
        "t": numpy.datetime64("2026-01-02"),
    }
    sent = {"i": 1, "f": 0.5, "b": True, "a": [[1, 2]], "n": None, "s": "s", "t": "2026-01-02"}
    assert as_json(value) == sent
    pandas = pytest.importorskip("pandas")
    assert as_json([pandas.Series([1, 2]), pandas.Timestamp("2026-01-02")]) == [
        [1, 2],
        "2026-01-02T00:00:00",
    ]
