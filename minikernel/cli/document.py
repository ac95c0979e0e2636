"""A notebook as a document: read as leniently as nbclient does, written as nbformat writes."""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING, Any

import nbformat
import nbformat.reader

from minikernel.cli.arguments import contents
from minikernel.client.escape import shortened
from minikernel.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from nbformat import NotebookNode

VERSION = 4  # of the notebook format
SHOWN = 40  # characters of a language's name


def read(path: Path) -> NotebookNode:
    """A notebook, in version 4 of the format; what is missing is added, what is odd is kept.

    Raises:
        ConfigError: the file can't be read, or is not a notebook, or not of Python.
    """
    content = contents(path)
    try:
        book = _parsed(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, nbformat.reader.NotJSONError):
        raise ConfigError(f"{str(path)!r} is not a notebook: not JSON in UTF-8") from None
    except Exception:  # noqa: BLE001 - nbformat trips over other JSON in many ways
        raise ConfigError(f"{str(path)!r} is not a notebook, but other JSON") from None
    if language := _other_language(book.metadata):
        named = shortened(language, SHOWN)
        raise ConfigError(f"{str(path)!r} is written in {named}, this kernel runs Python")
    return book


def _parsed(text: str) -> NotebookNode:
    raw = nbformat.reader.parse_json(text)
    version, minor = nbformat.reader.get_version(raw)
    if version == VERSION:
        _complete(raw)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        old = nbformat.versions[version].to_notebook_json(raw, minor=minor)
        book: NotebookNode = nbformat.convert(old, VERSION)
        with contextlib.suppress(nbformat.ValidationError):  # nbclient, too, runs what it can
            nbformat.validate(book)  # it adds ids that are missing, or there twice
    return book


def _complete(book: dict[str, Any]) -> None:
    """Add what is missing. Raises TypeError, KeyError or AttributeError if there are no cells."""
    _ensure(book, "metadata")
    cells = book["cells"]
    if not isinstance(cells, list):
        raise TypeError("cells is not a list")
    for cell in cells:
        _ensure(cell, "metadata")
        cell["source"] = cell.get("source") or ""
        if cell.get("cell_type") == "code":
            cell.setdefault("outputs", [])
            cell.setdefault("execution_count", None)


def _ensure(node: dict[str, Any], name: str) -> None:
    if not isinstance(node.get(name), dict):
        node[name] = {}


def _other_language(metadata: NotebookNode) -> str | None:
    """What the notebook says of its language, if that is not some name of Python."""
    places = (("kernelspec", "language"), ("language_info", "name"))
    nodes = [(metadata.get(place), name) for place, name in places]
    names = [node.get(name) for node, name in nodes if isinstance(node, dict)]
    language = next((name for name in names if isinstance(name, str) and name), "python")
    return None if "python" in language.lower() else language


def written(book: NotebookNode) -> bytes:
    """The notebook as JSON in UTF-8."""
    try:
        return _encoded(book)
    except AttributeError:  # outputs of no type, say, that nbformat can't split into lines
        return _encoded(book, split_lines=False)


def _encoded(book: NotebookNode, **options: bool) -> bytes:
    text = nbformat.v4.writes(book, **options) + "\n"
    try:
        return bytes(text, "utf-8")
    except UnicodeEncodeError:  # half a surrogate pair: only an escape can say that
        return bytes(nbformat.v4.writes(book, ensure_ascii=True, **options) + "\n", "ascii")
