#!/usr/bin/env python3
"""All benchmarks, one after the other, into docs/benchmarks.md and docs/benchmarks/*.svg.

About seven minutes. Each one is a script of its own, which takes --quick and --help.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import targets
import zmq
from harness import HERE, PEERS, Report, configure_peers, load

SCRIPTS = (
    *("kernels", "start", "stages", "gains", "client", "schemes"),
    *("clients", "sizes", "buffers", "steady", "fire"),
)
WITH_PEERS = {"kernels", "buffers", "fire"}
PACKAGES = ("minikernel", "pyzmq", "msgspec", "jupyter-client")
INTRODUCTION = """\
# Benchmarks

What minikernel costs, beside other kernels, measured in one run by `make bench`, which also wrote
this page. Times are those of one machine on one day, and drift with what else it does; ratios come
from turns that alternate within a run and are worth more. The floor is a Python process that sends
ready-made bytes over the same sockets, without JSON, signatures or running anything
(`benchmarks/floor.py`). The raw client signs and does not verify. `--quick` only shows that a
script runs.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="see that all run")
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs", help="directory")
    parser.add_argument(
        "--only",
        nargs="*",
        choices=SCRIPTS,
        default=SCRIPTS,
        metavar="NAME",
        help="measure these, and take the others from the last run",
    )
    configure_peers(parser)
    options = parser.parse_args()
    began, reports, failed = time.monotonic(), {}, []
    kept = options.out / "reports" if options.quick else HERE.parent / "artifacts" / "benchmarks"
    for name in SCRIPTS:
        report = None
        if name in options.only:
            print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
            report = chapter(name, options)
            failed += [name] if report is None else []
            print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
        if name not in failed and (report := keep(name, report, kept)) is not None:
            reports[name] = report
    write(options.out, reports, machine(options.peers), failed)
    print(options.out / "benchmarks.md")
    sys.exit(bool(failed))


def chapter(name: str, options: argparse.Namespace) -> Report | None:
    """What a script reports, with its command and the load of the machine; None: it failed."""
    before = load()
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "report.json"
        command = [sys.executable, str(HERE / f"{name}.py"), "--json", str(file)]
        command += ["--peers", str(options.peers)] if name in WITH_PEERS else []
        command += ["--quick"] if options.quick else []
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            print(done.stdout, file=sys.stderr)
            return None
        report = Report(**json.loads(file.read_text()))
    minute = time.strftime("%H:%M UTC", time.gmtime())
    note = f"`python benchmarks/{name}.py`, {minute}; load average {before} before, {load()} after."
    report.text.insert(0, note)
    return report


def keep(name: str, report: Report | None, directory: Path) -> Report | None:
    """The report, or if there is none the one of an earlier run."""
    file = directory / f"{name}.json"
    if report is not None:
        directory.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(report)))
    elif file.exists():
        report = Report(**json.loads(file.read_text()))
    return report


def write(out: Path, reports: dict[str, Report], facts: dict[str, str], failed: list[str]) -> None:
    figures = out / "benchmarks"
    figures.mkdir(parents=True, exist_ok=True)
    for report in reports.values():
        for name, svg in report.figures.items():
            (figures / f"{name}.svg").write_text(svg)
    summary = Report("Targets")
    summary.say("Ratios: median (least-greatest) of the turns; it is the median that counts.")
    met = targets.judged({name: report.facts for name, report in reports.items()})
    summary.table(["target", "measured", "", "why"], met)
    parts = [INTRODUCTION, *(f"- {title}: {value}" for title, value in facts.items()), ""]
    for report in (summary, *reports.values()):
        parts += [f"## {report.title}\n", "\n\n".join(report.text), ""]
    if failed:
        parts += [f"Failed, and so missing: {', '.join(failed)}.", ""]
    (out / "benchmarks.md").write_text("\n".join(parts))


def machine(environment: Path) -> dict[str, str]:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": f"{os.cpu_count()} cores, {processor()}",
        "system": platform.platform(),
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "libzmq": zmq.zmq_version(),
        "packages": packages,
        "other kernels": versions(environment),
    }


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions(environment: Path) -> str:
    """Of the other kernels."""
    names = sorted({package for package, _ in PEERS.values()})
    code = (
        "from importlib.metadata import version, PackageNotFoundError as E\n"
        f"for n in {[*names, 'ipython']!r}:\n"
        "  try: print(n, version(n))\n"
        "  except E: pass"
    )
    python = environment / "bin" / "python"
    if not python.exists():
        return "none"
    said = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout
    return ", ".join(said.split("\n")[:-1])


if __name__ == "__main__":
    main()
