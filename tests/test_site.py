"""The site that `make docs` has built: it shows what the cells of the lessons show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SITE = ROOT / "artifacts" / "docs" / "notebooks"
LESSONS = sorted(ROOT.glob("notebooks/[0-9]*.ipynb"))
OUTPUT = re.compile(
    r'<div class="cell_output docutils container">(.*?)</div>\n</div>\n</div>', re.DOTALL
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SITE.exists(), reason="`make docs` comes first, as in `make check-all`"),
]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_each_lesson_shows_its_outputs(lesson: Path) -> None:
    outputs = OUTPUT.findall((SITE / f"{lesson.stem}.html").read_text())
    assert len(outputs) > 5
    assert not [output for output in outputs if "Traceback" in output]


@pytest.mark.parametrize("lesson", [path for path in LESSONS if path.stem != "00-start"])
def test_each_lesson_shows_its_pictures(lesson: Path) -> None:
    outputs = "".join(OUTPUT.findall((SITE / f"{lesson.stem}.html").read_text()))
    assert "<svg " in outputs or '<img alt="' in outputs
