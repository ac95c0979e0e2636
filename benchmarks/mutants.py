"""What `make mutants` found: killed and alive by module, and the names of those alive.

Usage: python benchmarks/mutants.py, after `mutmut run`, in the same directory.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

ROOT = Path("mutants")
ALIVE, UNSEEN, UNTRIED = 0, 33, None  # exit codes of pytest as mutmut notes them
KILLED = frozenset({1, 3})  # any other is a time limit or a crash


def main() -> None:
    total: Counter[str] = Counter()
    alive: list[str] = []
    print("| module | mutants | killed | time limit | alive | not run by a test | not tried |")
    print("|---|---|---|---|---|---|---|")
    for file in sorted(ROOT.rglob("*.py.meta")):
        codes = json.loads(file.read_text())["exit_code_by_key"]
        if not codes:
            continue
        counts = Counter(map(verdict, codes.values()))
        total += counts
        alive += [name for name, code in codes.items() if verdict(code) in {"alive", "unseen"}]
        print(row(str(file.relative_to(ROOT / "minikernel")).removesuffix(".py.meta"), counts))
    print(row("all", total))
    print("\nalive:", *alive, sep="\n  ")


def verdict(code: int | None) -> str:
    if code is UNTRIED:
        return "untried"
    if code in KILLED:
        return "killed"
    return {ALIVE: "alive", UNSEEN: "unseen"}.get(code, "limit")


def row(name: str, counts: Counter[str]) -> str:
    cells = [counts[kind] for kind in ("killed", "limit", "alive", "unseen", "untried")]
    return "| " + " | ".join([name, str(counts.total()), *map(str, cells)]) + " |"


if __name__ == "__main__":
    main()
