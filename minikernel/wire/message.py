"""Messages and the JSON of their four dicts (messaging spec, "General Message Format").

msgspec does the JSON. What it refuses, though the signature has verified, goes through the
standard library's decoder: other implementations put NaN, lone surrogates and bytes that are not
UTF-8 on the wire.
"""

from __future__ import annotations

import itertools
import json
import numbers
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from minikernel.errors import ContentError
from minikernel.wire.frames import JSON_FRAMES
from minikernel.wire.peer import Peer

Json: TypeAlias = Any  # what a JSON decoder gives

PROTOCOL_VERSION = "5.5"
EMPTY = b"{}"
DEPTH = 1000  # Python's own limit of recursion, unless somebody sets another
LONGEST_NUMBER = 4300  # digits that Python's own decoder takes; with more, no stock client's does
HEADER_DEPTH = 100  # it is echoed to everybody, and others' decoders are less patient
_TEXT = rb'(?s)"[^"\\]*(?:\\.[^"\\]*)*"'  # compiled when it is first used
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_ANYTHING: msgspec.json.Decoder[Json] = msgspec.json.Decoder()


class Header(msgspec.Struct, frozen=True):
    """The header of a message. Unknown fields are tolerated, as the spec asks."""

    msg_id: str
    msg_type: str
    session: str = ""
    username: str | None = ""
    date: str | None = ""
    version: str | None = ""


class Message(msgspec.Struct):
    """A message whose signature has verified; made by `ChannelEnd.receive` only."""

    peer: Peer  # who sent it
    header: Header
    header_frame: bytes  # strict JSON: becomes the parent_header of what answers the message
    parent_header: dict[str, Any]
    metadata: dict[str, Any]
    content: Any  # a struct of wire.content for the requests that a kernel knows, else a dict
    frames: list[bytes]  # as they came, header first

    @property
    def buffers(self) -> list[bytes]:
        """The frames after the content; large ones are read-only memoryviews."""
        return self.frames[JSON_FRAMES:]


def loads(frame: bytes, decoder: msgspec.json.Decoder[Json] = _ANYTHING) -> Json:
    """Decode a JSON frame.

    Raises:
        ContentError: it is not JSON for the standard library either, or not of the decoder's type.
    """
    if sys.getrecursionlimit() > DEPTH:
        # Before Python 3.12 the decoders in C rely on the limit, and would end the process.
        check_depth(frame, DEPTH)
    try:
        return decoder.decode(frame)
    except (msgspec.DecodeError, ValueError, RecursionError):
        value = _tolerant(frame)
    try:
        return msgspec.convert(value, decoder.type)
    except UnicodeEncodeError:  # msgspec finds no field by a name that is not UTF-8
        raise ContentError("a lone surrogate in a name") from None
    except (msgspec.ValidationError, RecursionError) as error:
        raise ContentError(str(error)) from None


def check_depth(frame: bytes, most: int) -> None:
    """Check that a frame nests no deeper than that. Raises ContentError."""
    if frame.count(b"[") + frame.count(b"{") <= most:
        return
    brackets = re.sub(_TEXT, b"", frame).translate(None, _NO_BRACKETS)
    steps = (1 if bracket in b"[{" else -1 for bracket in brackets)
    if any(depth > most for depth in itertools.accumulate(steps)):
        raise ContentError("nested too deeply")


def _tolerant(frame: bytes) -> Json:
    try:
        return json.loads(frame.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise ContentError("not JSON") from None


_DICT: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])
_OPTIONAL_DICT: msgspec.json.Decoder[dict[str, Any] | None] = msgspec.json.Decoder(
    dict[str, Any] | None
)
_HEADER = msgspec.json.Decoder(Header)


def loads_dict(frame: bytes) -> dict[str, Any]:
    """Decode a frame that must be a JSON object. Raises ContentError."""
    value: dict[str, Any] = loads(frame, _DICT)
    return value


def loads_optional(frame: bytes) -> dict[str, Any]:
    """Decode a parent_header or metadata frame: null is legal there. Raises ContentError."""
    return {} if frame == EMPTY else loads(frame, _OPTIONAL_DICT) or {}


def loads_header(frame: bytes) -> tuple[Header, bytes]:
    """Decode a header; also the frame as strict JSON, fit to be echoed as a parent_header.

    Raises:
        ContentError: with its `header` if it is at least a JSON object.
    """
    check_depth(frame, HEADER_DEPTH)
    try:
        header = _HEADER.decode(frame)
        if not frame.isascii():
            frame.decode()  # msgspec does not look into the fields that it skips
    except (msgspec.DecodeError, ValueError, RecursionError):
        raw = loads_dict(frame)
    else:
        if len(frame) <= LONGEST_NUMBER:
            return header, frame
        raw = loads_dict(frame)
    try:
        echo = dumps(raw)
    except TypeError as error:
        raise ContentError(f"header: {error}") from None
    try:
        return msgspec.convert(raw, Header), echo
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        named = isinstance(error, msgspec.ValidationError)
        text = f"header: {error if named else 'a lone surrogate in a name'}"
        raise ContentError(text, msg_type=raw.get("msg_type"), header=echo) from None


def dumps(value: object) -> bytes:
    """Encode a value as a JSON frame; NaN and infinities become null, lone surrogates "?".

    Raises:
        TypeError: a value that JSON has no form for, or nested too deeply.
    """
    try:
        try:
            return _ENCODER.encode(value)
        except UnicodeEncodeError:
            return _ENCODER.encode(_without_surrogates(value))
    except RecursionError:
        raise TypeError("nested too deeply for JSON") from None


def _without_surrogates(value: object) -> Json:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_without_surrogates(k): _without_surrogates(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_without_surrogates(v) for v in value]
    return value


def _as_json(value: object) -> object:
    """Convert numbers and containers of others (numpy's, say) that a message may contain."""
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable):
        return list(value)
    raise TypeError(f"no JSON for an object of type {type(value).__name__}")


_ENCODER = msgspec.json.Encoder(enc_hook=_as_json)


class HeaderFactory:
    """Makes the headers of one end's messages, as JSON.

    Args:
        session: the session id of this end, ASCII without quotes.
        run: what tells this run from others with the same session; also ASCII.
        username: any text.
        date: the time as a JSON string, quotes included (ISO 8601).
    """

    def __init__(self, session: str, run: str, username: str, date: Callable[[], bytes]) -> None:
        self._start = f'{{"msg_id":"{session}_{run}_'.encode()
        self._end = b',"session":"%b","username":%b,"version":"%b"}' % (
            session.encode(),
            dumps(username),
            PROTOCOL_VERSION.encode(),
        )
        self._date = date
        self._numbers = itertools.count(1)

    def __call__(self, msg_type: bytes) -> bytes:
        """The next header."""
        return b'%b%d","msg_type":"%b","date":%b%b' % (
            self._start,
            next(self._numbers),
            msg_type,
            self._date(),
            self._end,
        )
