from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock

import pytest

from minikernel.interpreter.formatting import Formatter, shows_itself

formatter = Formatter()


def with_methods(**methods: Any) -> Any:
    return type("Thing", (), {"__repr__": lambda _: "thing", **methods})()


@pytest.mark.parametrize(
    ("method", "mimetype"),
    [
        ("_repr_html_", "text/html"),
        ("_repr_markdown_", "text/markdown"),
        ("_repr_svg_", "image/svg+xml"),
        ("_repr_latex_", "text/latex"),
        ("_repr_javascript_", "application/javascript"),
    ],
)
def test_a_method_for_each_text_form(method: Any, mimetype: Any) -> None:
    data, metadata = formatter.format(with_methods(**{method: lambda _: "form"}))
    assert data == {"text/plain": "thing", mimetype: "form"}
    assert metadata == {}


@pytest.mark.parametrize(
    ("method", "mimetype"),
    [("_repr_png_", "image/png"), ("_repr_jpeg_", "image/jpeg"), ("_repr_pdf_", "application/pdf")],
)
def test_bytes_become_base64_and_text_stays(method: Any, mimetype: Any) -> None:
    assert formatter.format(with_methods(**{method: lambda _: b"\0\1"}))[0][mimetype] == "AAE="
    assert formatter.format(with_methods(**{method: lambda _: "AAE="}))[0][mimetype] == "AAE="


def test_json_stays_as_it_is() -> None:
    data, _ = formatter.format(with_methods(_repr_json_=lambda _: {"a": [1]}))
    assert data["application/json"] == {"a": [1]}


def test_a_method_may_return_metadata() -> None:
    thing = with_methods(_repr_png_=lambda _: (b"", {"width": 3}))
    assert formatter.format(thing)[1] == {"image/png": {"width": 3}}


def test_none_and_notimplemented_mean_no_such_form(capsys: Any) -> None:
    def refuse(_: Any) -> None:
        raise NotImplementedError

    thing = with_methods(_repr_html_=lambda _: None, _repr_latex_=refuse)
    assert formatter.format(thing)[0] == {"text/plain": "thing"}
    assert capsys.readouterr().err == ""


def test_a_mimebundle_has_the_last_word() -> Any:
    def bundle(_: Any, include: Any = None, exclude: Any = None) -> Any:
        del include, exclude
        return {"text/plain": "bundle", "image/png": b"\0\1"}, {"image/png": {"width": 1}}

    thing = with_methods(_repr_mimebundle_=bundle, _repr_html_=lambda _: "html")
    data, metadata = formatter.format(thing)
    assert data == {"text/plain": "bundle", "text/html": "html", "image/png": "AAE="}
    assert metadata == {"image/png": {"width": 1}}


def test_a_mimebundle_may_be_none() -> None:
    assert formatter.format(with_methods(_repr_mimebundle_=lambda _, **__: None))[0] == {
        "text/plain": "thing"
    }


def test_a_broken_form_is_reported_and_costs_that_form_only(capsys: Any) -> Any:
    def broken(_: Any) -> Any:
        return 1 / 0

    thing = with_methods(_repr_html_=broken, _repr_latex_=lambda _: "latex")
    assert formatter.format(thing)[0] == {"text/plain": "thing", "text/latex": "latex"}
    err = capsys.readouterr().err
    assert "ZeroDivisionError" in err
    assert "interpreter/formatting.py" not in err


def test_a_broken_repr_is_reported_and_replaced(capsys: Any) -> None:
    class Broken:
        def __repr__(self) -> None:
            raise ValueError("no")

    assert formatter.format(Broken())[0]["text/plain"].startswith("<test")
    assert formatter.format([Broken()])[0]["text/plain"].startswith("<list")
    assert "ValueError: no" in capsys.readouterr().err


def test_a_repr_that_is_no_string_is_reported(capsys: Any) -> Any:
    class Broken:
        def __repr__(self) -> Any:
            return 3

    assert "Broken" in formatter.format(Broken())[0]["text/plain"]
    assert "TypeError" in capsys.readouterr().err


def test_methods_of_a_class_are_not_called_on_the_class() -> None:
    kind = type(with_methods(_repr_html_=lambda _: "html", _ipython_display_=lambda _: 1 / 0))
    assert list(formatter.format(kind)[0]) == ["text/plain"]
    assert not shows_itself(kind)


def test_an_object_that_has_every_attribute_is_plain(capsys: Any) -> None:
    mock = MagicMock()
    assert list(formatter.format(mock)[0]) == ["text/plain"]
    assert not shows_itself(mock)
    assert capsys.readouterr().err == ""


def test_an_object_whose_attributes_fail_is_plain() -> None:
    class Hostile:
        def __getattr__(self, name: Any) -> None:
            raise RuntimeError(name)

    assert list(formatter.format(Hostile())[0]) == ["text/plain"]


def test_a_registered_formatter_serves_subclasses_too() -> None:
    class Base:
        pass

    class Derived(Base):
        pass

    own = Formatter()
    own.register(Base, "image/png", lambda _: b"\0\1")
    assert own.format(Derived())[0]["image/png"] == "AAE="
    assert "image/png" not in own.format(3)[0]


def test_keyboard_interrupt_is_no_broken_repr() -> None:
    class Slow:
        def __repr__(self) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        formatter.format(Slow())


def test_a_mimebundle_spares_the_single_forms_that_it_has() -> None:
    def fail(_: Any) -> Any:
        pytest.fail("asked for nothing")

    thing = with_methods(
        _repr_mimebundle_=lambda _, **__: {"text/html": "bundle", "text/plain": "text"},
        _repr_html_=fail,
        __repr__=fail,
    )
    assert formatter.format(thing)[0] == {"text/html": "bundle", "text/plain": "text"}


def test_forms_that_are_not_wanted_are_not_made() -> None:
    def fail(_: Any) -> Any:
        pytest.fail("not wanted")

    asked = []
    thing = with_methods(
        _repr_mimebundle_=lambda _, **options: asked.append(options),
        _repr_html_=fail,
        _repr_latex_=lambda _: "latex",
        __repr__=fail,
    )
    assert formatter.format(thing, ["text/latex"], ["text/html"])[0] == {"text/latex": "latex"}
    assert asked == [{"include": ["text/latex"], "exclude": ["text/html"]}]


def test_a_class_has_its_own_methods_not_its_instances() -> None:
    class Meta(type):
        def _repr_html_(cls) -> str:
            return f"class {cls.__name__}"

    class Thing(metaclass=Meta):
        def _repr_latex_(self) -> str:
            return "instance"

        @classmethod
        def _repr_markdown_(cls) -> str:
            return "classmethod"

    data, _ = formatter.format(Thing)
    assert (data["text/html"], data["text/markdown"]) == ("class Thing", "classmethod")
    assert "text/latex" not in data


@pytest.mark.parametrize("answer", [lambda: "called", 5, "text", {}])
def test_who_answers_to_every_name_has_no_rich_forms(answer: Any, capsys: Any) -> None:
    class Proxy:
        def __getattr__(self, name: str) -> Any:
            return answer

    assert list(formatter.format(Proxy())[0]) == ["text/plain"]
    assert not shows_itself(Proxy())
    assert capsys.readouterr().err == ""


def test_a_remote_proxy_is_not_called() -> None:
    from xmlrpc.client import ServerProxy

    data, _ = formatter.format(ServerProxy("http://127.0.0.1:9"))
    assert data == {"text/plain": "<ServerProxy for 127.0.0.1:9/RPC2>"}


def test_json_in_a_text_is_taken_for_json(capsys: Any) -> None:
    thing = with_methods(_repr_json_=lambda _: ('{"a": 1}', {"expanded": True}))
    data, metadata = formatter.format(thing)
    assert (data["application/json"], metadata["application/json"]) == (
        {"a": 1},
        {"expanded": True},
    )
    assert list(formatter.format(with_methods(_repr_json_=lambda _: "{"))[0]) == ["text/plain"]
    assert "JSONDecodeError" in capsys.readouterr().err


def test_a_huge_text_and_one_with_a_lone_surrogate() -> None:
    class Thing:
        def __repr__(self) -> str:
            return "\ud800" + "x" * 5_000_000

    assert formatter.format(Thing())[0]["text/plain"] == "?" + "x" * 5_000_000


def test_formatters_can_be_forgotten() -> None:
    own = Formatter()
    own.register(complex, "image/png", lambda _: b"")
    own.register(complex, "image/svg+xml", lambda _: ("<svg>", {"m": 1}))
    assert list(own.format(type("C", (complex,), {})(1))[0]) == [
        "image/png",
        "image/svg+xml",
        "text/plain",
    ]
    own.forget(complex)
    assert list(own.format(type("C", (complex,), {})(1))[0]) == ["text/plain"]
