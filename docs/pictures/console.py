"""Writes console.svg: what a terminal shows of `minikernel console`, captured from a real one."""

from __future__ import annotations

import os
import sys
import tempfile
from html import escape
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import pexpect
import pyte

if TYPE_CHECKING:
    from pyte.screens import Char

FILE = Path(__file__).with_name("console.svg")
WIDE, HIGH = 96, 16  # characters
WIDTH, LINE, EDGE = 8.4, 19, 14  # pixels
FONT = "ui-monospace, 'DejaVu Sans Mono', Menlo, monospace"
TIMEOUT = 60  # seconds for any one answer
TYPED = ["6 * 7", "print('hello, ' + input('Who are you? '))", "1 / 0"]
ANSWERS = {1: "Ada"}
COLOURS = {  # of a terminal with a dark background, which stays dark on a light page
    "default": "#d8d8d8",
    "red": "#ff7b72",
    "green": "#7ee787",
    "brown": "#e3b341",
    "blue": "#79b8ff",
    "magenta": "#d2a8ff",
    "cyan": "#76e3ea",
}


def captured() -> pyte.Screen:
    """Use a console, and return its screen."""
    screen = pyte.Screen(WIDE, HIGH)
    stream = pyte.Stream(screen)
    with tempfile.TemporaryDirectory() as directory:
        child = pexpect.spawn(
            sys.executable,
            ["-m", "minikernel", "console"],
            env={**os.environ, "TERM": "xterm", "JUPYTER_DATA_DIR": directory},
            dimensions=(HIGH, WIDE),
            encoding="utf-8",
            timeout=TIMEOUT,
        )
        screen.write_process_input = child.send  # where the cursor is, which the prompt asks
        try:
            for number, code in enumerate(TYPED):
                _feed(child, stream, f"In [{number + 1}]: ")
                child.send(f"{code}\r")
                if number in ANSWERS:
                    _feed(child, stream, "Who are you? ")
                    child.send(f"{ANSWERS[number]}\r")
            _feed(child, stream, f"In [{len(TYPED) + 1}]: ")
            _feed(child, stream, "rejected")  # in the bottom line
            _feed(child, stream, pexpect.TIMEOUT, timeout=1)
        finally:
            child.close(force=True)
    return screen


def _feed(child: pexpect.spawn, stream: pyte.Stream, until: object, timeout: int = TIMEOUT) -> None:
    """Let the screen have what comes, up to some text."""
    (child.expect_exact if isinstance(until, str) else child.expect)([until], timeout=timeout)
    stream.feed(child.before + (until if isinstance(until, str) else ""))


def picture(screen: pyte.Screen) -> str:
    """The SVG of a screen; runs of one colour are one element."""
    width, height = round(WIDE * WIDTH + 2 * EDGE), HIGH * LINE + 2 * EDGE
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        "<title>minikernel console</title>",
        f"<style>text {{ font: 14px {FONT}; white-space: pre }}</style>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#1b1f24" stroke="#555"/>',
    ]
    for row in range(HIGH):
        lines += _row([screen.buffer[row][column] for column in range(WIDE)], row)
    return "\n".join([*lines, "</svg>\n"])


def _row(cells: list[Char], row: int) -> list[str]:
    lines, column = [], 0
    for (colour, bold, reverse), run in groupby(cells, lambda c: (c.fg, c.bold, c.reverse)):
        text = "".join(cell.data for cell in run)
        left, length = EDGE + column * WIDTH, len(text) * WIDTH
        column += len(text)
        if reverse:
            lines.append(
                f'<rect x="{left:g}" y="{EDGE + row * LINE}" width="{length:g}"'
                f' height="{LINE}" fill="#3a4048"/>'
            )
        if text.strip():
            fill = COLOURS.get(colour, COLOURS["default"])
            weight = ' font-weight="bold"' if bold else ""
            lines.append(
                f'<text x="{left:g}" y="{EDGE + row * LINE + 14}" fill="{fill}"{weight}'
                f' textLength="{length:g}">{escape(text)}</text>'
            )
    return lines


if __name__ == "__main__":
    FILE.write_text(picture(captured()))
