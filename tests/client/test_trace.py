"""A trace is a sequence diagram."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from minikernel import Trace
from tests.events import DELIMITER, event

SVG = "{http://www.w3.org/2000/svg}"


def texts(shown: Trace) -> list[str]:
    return [element.text or "" for element in ET.fromstring(shown._repr_html_()).iter(f"{SVG}text")]


def test_a_trace() -> None:
    trace = Trace([event(), event(direction="received", msg_type="", verdict="bad signature")])
    said = texts(trace)
    assert said[:2] == ["client", "kernel"]
    assert said[2:] == ["shell: execute_request", "shell: unknown  refused, bad signature"]
    assert repr(trace) == "Trace(2 messages)"


def test_a_status_says_which() -> None:
    frames = [b"status", DELIMITER, b"0" * 64, b"{}", b"{}", b"{}", b'{"execution_state": "busy"}']
    trace = Trace([event(channel="iopub", msg_type="status", direction="received", frames=frames)])
    assert texts(trace)[2:] == ["iopub: status  busy"]


@pytest.mark.parametrize(
    "frames",
    [[], [b""], [b"\xff", b"x"], [b"x"] * 7, [DELIMITER], [DELIMITER, DELIMITER, b"x"], [b""] * 99],
)
def test_frames_that_are_no_message_are_shown_all_the_same(frames: list[bytes]) -> None:
    one = event(direction="received", msg_type="", verdict="framing", frames=frames)
    assert str(one._repr_html_()).startswith("<svg")
    assert texts(Trace([one]))[2:] == ["shell: unknown  refused, framing"]


def test_a_status_with_buffers_says_which() -> None:
    frames = [b"status", DELIMITER, b"0" * 64, b"{}", b"{}", b"{}", b'{"execution_state": "idle"}']
    one = event(channel="iopub", msg_type="status", direction="received", frames=[*frames, b"\xff"])
    assert texts(Trace([one]))[2:] == ["iopub: status  idle"]
