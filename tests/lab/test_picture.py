"""The matrix as a picture."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from minikernel.lab.attacks import ATTACKS
from minikernel.lab.columns import COLUMNS, GUARDED, NULL
from minikernel.lab.evidence import Outcome
from minikernel.lab.matrix import Finding, as_expected
from minikernel.lab.picture import drawn

ALL = list(as_expected(COLUMNS, ATTACKS))
SURPRISE = Finding(GUARDED.name, "forge-blind", Outcome.THROUGH, "ran <once>", 0.5)
BROKEN = Finding(NULL.name, "forge-blind", None, "broke down: OSError", 0.5)


@pytest.mark.parametrize("findings", [ALL, [BROKEN, SURPRISE]])
def test_the_svg_is_xml_without_scripts_or_links(findings: list[Finding]) -> None:
    text = drawn(findings).standalone()
    root = ET.fromstring(text)
    assert sum(element.tag.endswith("rect") for element in root.iter()) == len(findings)
    assert "prefers-color-scheme: dark" in text
    assert "<script" not in text
    assert "href" not in text
