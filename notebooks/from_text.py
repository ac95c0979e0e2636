"""Writes the notebooks from their text: `NAME.md`, in MyST, becomes `NAME.ipynb`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jupytext
import nbformat

HERE = Path(__file__).parent
SOURCES = sorted(HERE.glob("[0-9][0-9]-*.md"))
METADATA = {
    "kernelspec": {
        "display_name": "Python (minikernel)",
        "language": "python",
        "name": "minikernel",
    },
    "language_info": {
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "pygments_lexer": "python3",
    },
}


def notebook(source: Path) -> str:
    """The notebook of this text, without outputs, the same bytes each time.

    The option `name` of a code cell becomes the cell's id.
    """
    read: Any = jupytext.reads(source.read_text(), fmt="md:myst")
    book = nbformat.v4.new_notebook(metadata=METADATA)
    for number, cell in enumerate(read.cells):
        if cell.cell_type == "code":
            made = nbformat.v4.new_code_cell(cell.source, id=cell.metadata["name"])
        else:
            made = nbformat.v4.new_markdown_cell(cell.source, id=f"text-{number}")
        book.cells.append(made)
    nbformat.validate(book)
    return str(nbformat.writes(book)) + "\n"


if __name__ == "__main__":
    for path in SOURCES:
        path.with_suffix(".ipynb").write_text(notebook(path))
