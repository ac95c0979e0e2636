"""What the project set out to reach, and whether it does."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, NamedTuple

from harness import ratios, spread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Facts = Mapping[str, Mapping[str, Any]]  # by script

RAW = "xeus-python raw"
US = "minikernel"


class Found(NamedTuple):
    """A figure, and how it is written."""

    value: float
    shown: str


class Target(NamedTuple):
    """What a figure should be."""

    name: str
    limit: float
    measured: Callable[[Facts], Found]
    most: bool = True  # the limit is the most that it may be; False: the least


def compared(script: str, fact: str, other: str) -> Callable[[Facts], Found]:
    """The ratio to another kernel, turn by turn."""

    def measured(facts: Facts) -> Found:
        found = facts[script][fact]
        return of_turns(ratios(found[US], found[other]))

    return measured


def turns(script: str, fact: str) -> Callable[[Facts], Found]:
    return lambda facts: of_turns(facts[script][fact])


def of_turns(values: list[float]) -> Found:
    return Found(statistics.median(values), spread(values))


def single(script: str, fact: str, unit: str) -> Callable[[Facts], Found]:
    return lambda facts: number(facts[script][fact], unit)


def number(value: float, unit: str) -> Found:
    return Found(value, f"{round(value, 3):,.4g} {unit}")


def rss(facts: Facts) -> Found:
    return number(facts["kernels"]["rss"][US], "MB")


def pipelined(facts: Facts) -> Found:
    rates = facts["kernels"]["pipelined"][US]
    return Found(statistics.median(rates), spread(rates, ",.0f"))


def printed(facts: Facts) -> Found:
    shown = next(v for k, v in facts["kernels"]["outputs"].items() if "lines" in k)[US]
    return Found(float("inf") if "late" in shown else float(shown.split()[0]), shown)


def under(flood: str, fact: str, unit: str) -> Callable[[Facts], Found]:
    def measured(facts: Facts) -> Found:
        value = facts["fire"][f"{flood}: {US}"][fact]
        return Found(float("inf"), "not seen") if value is None else number(value, unit)

    return measured


def floods() -> list[Target]:
    found = []
    for name, seconds in (
        ("bad signatures, 1 connection", 1),
        ("bad signatures, 20 connections", 3),
        ("two-frame messages", 3),
        ("100 kB signatures on control", 3),
        ("bad signatures on stdin", 3),
        ("heartbeats", 3),
        ("subscriptions on iopub", 3),
        ("topics of 20 MB on iopub", 3),
    ):
        found += [
            Target(f"{name}: p50, times that before", 2, under(name, "ratio", "times")),
            Target(f"{name}: p99, ms", 25, under(name, "p99", "ms")),
            Target(f"{name}: normal again, s", seconds, under(name, "normal", "s")),
            Target(f"{name}: growth, MB", 30, under(name, "rss", "MB")),
            Target(f"{name}: log, lines a second after the first", 1, under(name, "lines", "")),
        ]
    stuck = "a stuck subscriber"
    return [
        *found,
        Target(f"{stuck}: p50, times that before", 1.25, under(stuck, "ratio", "times")),
        Target(f"{stuck}: growth, MB", QUEUE + 30, under(stuck, "rss", "MB")),
    ]


QUEUE = 524  # MB: 4,000 messages of printed text
CURVE = "CURVE on top of {}: ratio of round trips"
TARGETS = (
    Target("round trip, ratio to the floor", 1.5, compared("kernels", "pass", "floor")),
    Target(f"round trip, ratio to {RAW}", 0.8, compared("kernels", "pass", RAW)),
    Target(f"start, ratio to {RAW}", 0.8, compared("kernels", "start", RAW)),
    Target("rss after start, MB", 30, rss),
    Target("pipelined, cells a second", 5000, pipelined, most=False),
    Target("print of 100,000 lines, complete before idle, s", 0.25, printed),
    Target(
        "channel-hmac instead of jupyter-hmac: ratio of round trips",
        1.15,
        turns("schemes", "tcp: channel-hmac"),
    ),
    Target(CURVE.format("jupyter-hmac"), 1.6, turns("schemes", "tcp: jupyter-hmac, CURVE")),
    Target(CURVE.format("channel-hmac"), 1.6, turns("schemes", "tcp: CURVE on channel-hmac")),
    Target("`client.run` against `execute_interactive`, ratio", 0.4, turns("client", "pass")),
    Target("growth over 100,000 cells, MB", 3, single("steady", "grown", "MB")),
    *floods(),
)
SHARED = "the flooder, the client and the kernel share the cores"
STAGES = (
    "no stage stands out (see the profile): besides sending, compiling, signing, encoding,"
    " looking for new subscribers and the replay memory's write take 15 to 30 us each"
)
WHY = {
    "round trip, ratio to the floor": STAGES,
    f"round trip, ratio to {RAW}": f"0.73 to 0.88 in five runs of two days; {STAGES}",
    f"start, ratio to {RAW}": "Python, zmq and msgspec alone take more than half, see the steps",
    "pipelined, cells a second": "reply and idle each wake libzmq's thread, see the profile",
    "channel-hmac instead of jupyter-hmac: ratio of round trips": (
        "a message on iopub is hashed, then tagged for each client; sessions have locks"
    ),
    "`client.run` against `execute_interactive`, ratio": (
        "the kernel's part, which no client can shorten, is most of `run`, see the profile"
    ),
    "100 kB signatures on control: p50, times that before": SHARED,
    "two-frame messages: p50, times that before": SHARED,
    "bad signatures, 20 connections: p50, times that before": SHARED,
    "subscriptions on iopub: p50, times that before": SHARED,
}


def judged(facts: Facts) -> list[list[str]]:
    """A row for each target: what, how much, whether it is met, and why not."""
    rows = []
    for target in TARGETS:
        sign = "at most" if target.most else "at least"
        title = f"{target.name}: {sign} {target.limit:,g}"
        try:
            found = target.measured(facts)
        except (KeyError, statistics.StatisticsError):
            rows.append([title, "", "not measured", ""])
            continue
        met = found.value <= target.limit if target.most else found.value >= target.limit
        why = "" if met else WHY.get(target.name, "")
        rows.append([title, found.shown, "met" if met else "**missed**", why])
    return rows
