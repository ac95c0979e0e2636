"""Pictures are well-formed SVG without script, and say what they are given, escaped."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from minikernel import Trace
from minikernel.client import picture
from tests.events import DELIMITER, JSON, event

NASTY = "<script>alert(1)</script> & \"'\x00\x1b[31m\u202e"
SHOWN = "<script>alert(1)</script> & \"'\\x00\\x1b[31m\\u202e"
SVG = "{http://www.w3.org/2000/svg}"


def texts(shown: object) -> list[str]:
    return [element.text or "" for element in drawn(shown).iter(f"{SVG}text")]


def drawn(shown: object) -> ET.Element:
    """The picture's root, once it is known to be harmless."""
    source: str = shown._repr_html_()  # type: ignore[attr-defined]
    root = ET.fromstring(source)
    allowed = {f"{SVG}{name}" for name in ("svg", "text", "line", "polygon", "rect", "g", "title")}
    for element in root.iter():
        assert element.tag in allowed
        assert not [name for name in element.attrib if name.startswith("on") or "href" in name]
    assert root.tag == f"{SVG}svg"
    return root


PICTURES = {
    "sequence": picture.sequence([picture.Step(NASTY, "b", NASTY, note=NASTY)]),
    "frames": picture.frames([NASTY.encode(), DELIMITER, b"\xff\x00", *JSON, b"\x80buffer"]),
    "matrix": picture.matrix([NASTY], ["b"], {(NASTY, "b"): picture.Cell(NASTY, hint=NASTY)}),
    "timeline": picture.timeline([picture.Span(NASTY, 0, 1, NASTY)], NASTY),
    "trace": Trace([event(msg_type=NASTY, verdict=NASTY), event(direction="received")]),
    "event": event(frames=[DELIMITER, NASTY.encode()]),
    "nothing": Trace(),
    "no rows": picture.matrix([], [], {}),
    "no spans": picture.timeline([], "s"),
}


@pytest.mark.parametrize("shown", PICTURES.values(), ids=PICTURES)
def test_every_text_is_escaped(shown: object) -> None:
    drawn(shown)
    assert "<script" not in shown._repr_html_()  # type: ignore[attr-defined]


def test_what_is_shown_is_what_was_said() -> None:
    assert SHOWN in texts(PICTURES["matrix"])
    assert str(PICTURES["matrix"]) == PICTURES["matrix"]._repr_html_()  # type: ignore[attr-defined]


def test_the_page_gives_the_colour_of_texts() -> None:
    root = drawn(PICTURES["frames"])
    assert root.get("fill") == "currentColor"
    assert not [text for text in root.iter(f"{SVG}text") if text.get("fill")]


def covered(shown: object) -> int:
    boxes = [box.get("stroke") for box in drawn(shown).iter(f"{SVG}rect")]
    return boxes.count(picture.GOOD) - 1  # the legend's


@pytest.mark.parametrize(
    ("signature", "number"), [(b"0" * 64, 4), (b"", 0), (b"MKC1" + bytes(52), 6)]
)
def test_the_signed_range(signature: bytes, number: int) -> None:
    shown = picture.frames([b"route", DELIMITER, signature, *JSON, b"buffer", b"another"])
    assert covered(shown) == number


def test_the_signed_range_as_the_caller_knows_it() -> None:
    assert covered(picture.frames([DELIMITER, b"the key", *JSON], covers="none")) == 0


def test_a_signature_is_not_shown_whole() -> None:
    assert "0" * picture.SIGNATURE not in event()._repr_html_()


def test_a_timeline_is_to_scale() -> None:
    spans = [picture.Span("a", 0, 1, ""), picture.Span("b", 1, 4, "")]
    one, three = (float(box.get("width", "")) for box in drawn_boxes(spans))
    assert three == pytest.approx(3 * one)


def drawn_boxes(spans: list[picture.Span]) -> list[ET.Element]:
    return list(drawn(picture.timeline(spans, "s")).iter(f"{SVG}rect"))
