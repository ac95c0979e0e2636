"""Frames that are no message, or nobody's, are counted, and nothing else happens."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import RawClient, Seen

    Shape = Callable[[list[bytes]], list[bytes]]

DELIMITER = b"<IDS|MSG>"
pytestmark = pytest.mark.usefixtures("quiet")

# What is wrong with the frames as a whole: a good message's, changed. [delimiter, signature, four
# JSON frames]; the ROUTER has put an identity before them by the time the kernel sees them.
SHAPES: dict[str, tuple[str, Shape]] = {
    "one empty frame": ("framing", lambda _: [b""]),
    "one frame": ("framing", lambda _: [b"x"]),
    "two frames": ("framing", lambda _: [b"x", b"y"]),
    "two empty frames": ("framing", lambda _: [b"", b""]),
    "a hundred empty frames": ("framing", lambda _: [b""] * 100),
    "two thousand empty frames": ("framing", lambda _: [b""] * 2000),
    "a delimiter alone": ("framing", lambda _: [DELIMITER]),
    "two delimiters alone": ("framing", lambda _: [DELIMITER] * 2),
    "five delimiters": ("framing", lambda _: [DELIMITER] * 5),
    "seven delimiters": ("bad signature", lambda _: [DELIMITER] * 7),
    "a thousand delimiters": ("bad signature", lambda _: [DELIMITER] * 1000),
    "two thousand delimiters": ("framing", lambda _: [DELIMITER] * 2000),
    "no delimiter": ("framing", lambda good: good[1:]),
    "neither delimiter nor signature": ("framing", lambda good: good[2:]),
    "the delimiter last": ("framing", lambda good: [*good[1:], DELIMITER]),
    "the delimiter twice": ("bad signature", lambda good: [DELIMITER, *good]),
    "the delimiter without its end": ("framing", lambda good: [b"<IDS|MSG", *good[1:]]),
    "the delimiter with more": ("framing", lambda good: [b"<IDS|MSG>\0", *good[1:]]),
    "the delimiter in lower case": ("framing", lambda good: [b"<ids|msg>", *good[1:]]),
    "the delimiter in one frame with the signature": (
        "framing",
        lambda good: [good[0] + good[1], *good[2:]],
    ),
    "one JSON frame": ("framing", lambda good: good[:3]),
    "two JSON frames": ("framing", lambda good: good[:4]),
    "three JSON frames": ("framing", lambda good: good[:5]),
    "the header missing": ("framing", lambda good: [*good[:2], *good[3:]]),
    "the signature missing": ("framing", lambda good: [good[0], *good[2:]]),
    "all JSON in one frame": ("framing", lambda good: [*good[:2], b"".join(good[2:])]),
    "64 more identities": ("framing", lambda good: [b"i"] * 64 + good),
    "1,000 more identities": ("framing", lambda good: [b"i"] * 1000 + good),
    "1,021 buffers": ("framing", lambda good: good + [b""] * 1021),
    "3,000 buffers": ("framing", lambda good: good + [b"b"] * 3000),
    "no signature": ("bad signature", lambda good: [good[0], b"", *good[2:]]),
    "frames swapped": ("bad signature", lambda good: [*good[:2], *reversed(good[2:])]),
    "header and parent swapped": (
        "bad signature",
        lambda good: [*good[:2], good[3], good[2], *good[4:]],
    ),
    "a byte in the header changed": (
        "bad signature",
        lambda good: [*good[:2], good[2].replace(b"test", b"tesT"), *good[3:]],
    ),
    "a byte in the code changed": (
        "bad signature",
        lambda good: [*good[:5], good[5].replace(b"executed", b"Executed")],
    ),
    "a space after the header": (
        "bad signature",
        lambda good: [*good[:2], good[2] + b" ", *good[3:]],
    ),
    "an empty header": ("bad signature", lambda good: [*good[:2], b"", *good[3:]]),
    "all JSON frames empty": ("bad signature", lambda good: [*good[:2], b"", b"", b"", b""]),
}
SIGNATURES: dict[str, Callable[[bytes], bytes]] = {
    "one digit": lambda s: s[:1],
    "half": lambda s: s[:32],
    "63 digits": lambda s: s[:63],
    "65 digits": lambda s: s + b"0",
    "doubled": lambda s: s * 2,
    "100 kB": lambda _: b"f" * 100_000,
    "900 kB of zero bytes": lambda _: bytes(900_000),
    "upper case": lambda s: s.upper(),
    "title case": lambda s: s.title(),
    "raw bytes": lambda s: bytes.fromhex(s.decode()),
    "all zeros": lambda _: b"0" * 64,
    "64 zero bytes": lambda _: bytes(64),
    "last digit changed": lambda s: s[:-1] + (b"1" if s[-1:] == b"0" else b"0"),
    "first digit changed": lambda s: (b"1" if s[:1] == b"0" else b"0") + s[1:],
    "backwards": lambda s: s[::-1],
    "a space before": lambda s: b" " + s,
    "a newline after": lambda s: s + b"\n",
    "0x before": lambda s: b"0x" + s,
    "quoted": lambda s: b'"' + s + b'"',
    "not ASCII": lambda _: "ä".encode() * 32,
    "not UTF-8": lambda _: b"\xff" * 64,
    "full-width digits": lambda _: "\uff10".encode() * 64,
    "the delimiter": lambda _: DELIMITER,
    "JSON": lambda _: b"{}",
    "terminal escapes": lambda _: b"\x1b[31mred\x1b[0m\r\n",
    "a format string": lambda _: b"%s%n{0}{key}",
}
SHAPES |= {
    f"signature: {name}": (
        "bad signature",
        lambda good, change=change: [good[0], change(good[1]), *good[2:]],
    )
    for name, change in SIGNATURES.items()
}


def good(client: RawClient) -> list[bytes]:
    """A cell that would leave a trace."""
    content = {"code": f"open('executed', 'a').write('{uuid.uuid4().hex}')"}
    return client.message("execute_request", content)[1]


@pytest.mark.parametrize("name", SHAPES)
def test_a_wrong_shape_is_only_counted(seen: Seen, name: str) -> None:
    reason, change = SHAPES[name]
    seen.send(change(good(seen.sender)))
    assert (seen.replies, seen.outputs) == ([], [])
    assert seen.counted() == {reason: 1}
