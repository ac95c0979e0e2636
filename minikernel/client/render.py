"""Outputs of a cell as HTML, for notebooks that hold a `Result`."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

from minikernel.client.escape import ANSI

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

IMAGES = ("image/png", "image/jpeg", "image/gif")
MARKUP = ("text/html", "image/svg+xml")
NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/=]")


def as_html(outputs: Sequence[Mapping[str, Any]]) -> str:
    """The outputs below each other.

    Markup that the cell displayed is shown as markup, as any front end shows it; texts are escaped.
    """
    return f"<div>{''.join(_output(output) for output in outputs)}</div>"


def _output(output: Mapping[str, Any]) -> str:
    if output["output_type"] == "stream":
        return _text(output["text"])
    if output["output_type"] == "error":
        trace = "\n".join(output["traceback"])
        return _text(trace or f"{output['ename']}: {output['evalue']}")
    return _data(output["data"])


def _data(data: Mapping[str, Any]) -> str:
    for kind in MARKUP:
        if isinstance(data.get(kind), str):
            return f"<div>{data[kind]}</div>"
    for kind in IMAGES:
        if isinstance(data.get(kind), str):
            return f'<img src="data:{kind};base64,{NOT_BASE64.sub("", data[kind])}">'
    return _text(data.get("text/plain", ""))


def _text(text: object) -> str:
    return f"<pre>{html.escape(ANSI.sub('', str(text)))}</pre>"
