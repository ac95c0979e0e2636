from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from minikernel.cli.document import read, written
from minikernel.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

CELL: dict[str, Any] = {
    "cell_type": "code",
    "execution_count": None,
    "id": "a",
    "metadata": {},
    "outputs": [],
    "source": "print('ran')",
}
BOOK: dict[str, Any] = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [CELL]}


def book(*cells: Any, minor: int = 5, **metadata: Any) -> dict[str, Any]:
    return {**BOOK, "nbformat_minor": minor, "metadata": metadata, "cells": list(cells) or [CELL]}


def but(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in {**CELL, **fields}.items() if value is not ...}


def v3(**cell: Any) -> dict[str, Any]:
    code = {"cell_type": "code", "language": "python", "input": "print('ran')", "outputs": []}
    heading = {"cell_type": "heading", "level": 2, "source": "Title", "metadata": {}}
    sheets = [{"cells": [heading, {**code, "collapsed": False, **cell}]}]
    return {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": sheets}


ODD: dict[str, Any] = {
    "no execution_count": book(but(execution_count=...)),
    "no outputs": book(but(outputs=...)),
    "neither": book(but(outputs=..., execution_count=..., id=...)),
    "an id in 4.4": book(CELL, minor=4),
    "no id in 4.5": book(but(id=...)),
    "an id twice": book(CELL, CELL),
    "an id that is none": book(but(id="a b/ü")),
    "an empty id": book(but(id="")),
    "a number as id": book(but(id=7)),
    "no metadata in the cell": book(but(metadata=...)),
    "null as metadata": book(but(metadata=None)),
    "no metadata": {**BOOK, "metadata": None},
    "no metadata at all": {name: value for name, value in BOOK.items() if name != "metadata"},
    "a heading": book({"cell_type": "heading", "level": 1, "source": "x", "metadata": {}}, CELL),
    "a cell of no type": book({"source": "x", "metadata": {}}, CELL),
    "a raw cell": book({"cell_type": "raw", "source": "x", "metadata": {}}, CELL),
    "a markdown cell with outputs": book({**CELL, "cell_type": "markdown", "id": "b"}, CELL),
    "tags twice": book(but(metadata={"tags": ["a", "a"]})),
    "a text as tags": book(but(metadata={"tags": "a"})),
    "null as tags": book(but(metadata={"tags": None})),
    "lines": book(but(source=["print(", "'ran')"])),
    "no lines": book(but(source=[]), CELL),
    "no source": book(but(source=..., id="b"), CELL),
    "null as source": book(but(source=None, id="b"), CELL),
    "an output of no type": book(but(outputs=[{}])),
    "an output of another type": book(but(outputs=[{"output_type": "pyout", "text": "x"}])),
    "null as kernelspec": book(kernelspec=None),
    "a kernelspec without names": book(kernelspec={}),
    "no display_name": book(kernelspec={"name": "python3"}),
    "python3": book(kernelspec={"name": "python3", "language": "python3"}),
    "Python 3": book(kernelspec={"name": "x", "display_name": "x", "language": "Python 3"}),
    "ipython3": book(language_info={"name": "ipython3"}),
    "a number as language": book(kernelspec={"language": 3}),
    "null as language_info": book(language_info=None),
    "a text as kernelspec": book(kernelspec="python3"),
    "collapsed, scrolled": book(but(metadata={"collapsed": "yes", "scrolled": 3})),
    "fields of others": {**book(but(attachments={}, vscode={"x": 1})), "own": [1]},
    "a later version": {**BOOK, "nbformat_minor": 9},
    "an early version": {**BOOK, "nbformat_minor": 0},
    "no minor version": {name: value for name, value in BOOK.items() if name != "nbformat_minor"},
    "version 3": v3(),
    "version 3, a number": v3(prompt_number=None),
    "no cells": book() | {"cells": []},
}


@pytest.mark.parametrize("content", ODD.values(), ids=ODD)
def test_odd_notebooks_are_read_and_written(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "x.ipynb"
    path.write_text(json.dumps(content))
    document = read(path)
    code = [cell for cell in document.cells if cell.get("cell_type") == "code"]
    assert "".join(cell.source for cell in code).endswith("print('ran')" if code else "")
    assert all("outputs" in cell and "execution_count" in cell for cell in code)
    path.write_bytes(written(document))
    again = read(path)
    assert written(again) == path.read_bytes()
    assert len(again.cells) == len(document.cells)


def test_fields_of_others_survive(tmp_path: Path) -> None:
    (tmp_path / "x.ipynb").write_text(json.dumps(ODD["fields of others"]))
    kept = json.loads(written(read(tmp_path / "x.ipynb")))
    assert kept["own"] == [1]
    assert kept["cells"][0]["vscode"] == {"x": 1}


@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf", b"\r\n \t"])
def test_marks_and_line_ends_of_other_systems(tmp_path: Path, prefix: bytes) -> None:
    text = json.dumps(book(but(source="'ü'\r\n1\n")), indent=2, ensure_ascii=False)
    (tmp_path / "x.ipynb").write_bytes(prefix + text.replace("\n", "\r\n").encode())
    document = read(tmp_path / "x.ipynb")
    assert document.cells[0].source == "'ü'\r\n1\n"
    assert "ü".encode() in written(document)


def test_it_is_written_as_nbformat_writes(tmp_path: Path) -> None:
    nbformat.write(nbformat.from_dict(book(but(source="'é'\n'b'"))), tmp_path / "x.ipynb")
    assert written(read(tmp_path / "x.ipynb")) == (tmp_path / "x.ipynb").read_bytes()


def test_half_a_surrogate_pair_is_kept(tmp_path: Path) -> None:
    (tmp_path / "x.ipynb").write_text(json.dumps(book(but(source="'\ud800'"))))
    assert b"\\ud800" in written(read(tmp_path / "x.ipynb"))


@pytest.mark.parametrize(
    ("said", "shown"), [("R", "R"), ("julia\x1b[2J", "julia\\x1b[2J"), ("x" * 99, "xxx…")]
)
def test_another_language_is_refused_and_escaped(tmp_path: Path, said: str, shown: str) -> None:
    for metadata in ({"kernelspec": {"language": said}}, {"language_info": {"name": said}}):
        (tmp_path / "x.ipynb").write_text(json.dumps(book(**metadata)))
        with pytest.raises(ConfigError) as refused:
            read(tmp_path / "x.ipynb")
        assert shown in str(refused.value)
        assert "\x1b" not in str(refused.value)
