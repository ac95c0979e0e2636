"""Outputs as HTML: markup of the cell stays markup, all else is text."""

from __future__ import annotations

from typing import Any

import pytest

from minikernel.client.render import as_html

NASTY = "<script>alert(1)</script> & \x1b[31m"
SHOWN = "&lt;script&gt;alert(1)&lt;/script&gt; &amp; "


@pytest.mark.parametrize(
    "output",
    [
        {"output_type": "stream", "text": NASTY},
        {"output_type": "error", "ename": "E", "evalue": "", "traceback": [NASTY]},
        {"output_type": "display_data", "data": {"text/plain": NASTY}},
        {"output_type": "execute_result", "data": {"text/plain": NASTY, "text/html": 3}},
    ],
)
def test_texts_are_escaped(output: dict[str, Any]) -> None:
    assert as_html([output]) == f"<div><pre>{SHOWN}</pre></div>"


def test_an_error_without_a_traceback_has_a_name() -> None:
    error = {"output_type": "error", "ename": "OSError", "evalue": "<gone>", "traceback": []}
    assert as_html([error]) == "<div><pre>OSError: &lt;gone&gt;</pre></div>"


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml"])
def test_markup_is_shown_as_markup(kind: str) -> None:
    data = {kind: "<b>x</b>", "text/plain": "x", "image/png": "iVBO"}
    assert as_html([{"output_type": "display_data", "data": data}]) == (
        "<div><div><b>x</b></div></div>"
    )


def test_an_image_is_base64_whatever_was_sent() -> None:
    data = {"image/png": 'iVBO\n"onerror="alert(1)', "text/plain": "a picture"}
    assert as_html([{"output_type": "display_data", "data": data}]) == (
        '<div><img src="data:image/png;base64,iVBOonerror=alert1"></div>'
    )


def test_outputs_come_below_each_other() -> None:
    assert as_html([]) == "<div></div>"
    streams = [{"output_type": "stream", "text": text} for text in "ab"]
    assert as_html(streams) == "<div><pre>a</pre><pre>b</pre></div>"
