from __future__ import annotations

import json
from typing import Any

import pytest

from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import create
from minikernel.protocol.end import ChannelEnd, Guards
from minikernel.protocol.marks import Missed, asked_by, asker_in, mark, numbered_template
from minikernel.wire.channels import Channel, Role
from minikernel.wire.frames import split
from minikernel.wire.message import HeaderFactory


def numbered(number: Any, run: Any = "run") -> dict[str, Any]:
    return {"minikernel": {"run": run, "sequence": number}}


def missed(*messages: dict[str, Any]) -> int:
    counter = Missed()
    for metadata in messages:
        counter.note(metadata)
    return counter.count


def test_what_was_skipped_is_missed() -> None:
    assert missed(numbered(1), numbered(2), numbered(5), numbered(6), numbered(8)) == 3


def test_a_late_joiner_misses_nothing() -> None:
    assert missed(numbered(1000), numbered(1001)) == 0


def test_another_run_begins_anew_and_what_was_missed_stays() -> None:
    assert missed(numbered(1), numbered(3), numbered(1, "next"), numbered(4, "next")) == 3


def test_what_comes_late_changes_nothing() -> None:
    assert missed(numbered(1), numbered(4), numbered(2), numbered(4), numbered(5)) == 2


@pytest.mark.parametrize(
    "junk",
    [
        {},
        {"minikernel": None},
        {"minikernel": [5]},
        {"minikernel": {"sequence": 9}},
        {"minikernel": {"run": "run"}},
        *(numbered(n) for n in (None, "9", 9.0, True, 0, -9, 2**53, 10**40, [9])),
        *(numbered(9, run) for run in (None, 1, ["run"])),
    ],
)
def test_junk_is_passed_over(junk: dict[str, Any]) -> None:
    assert missed(junk, numbered(1), junk, numbered(2), junk, numbered(4)) == 1


def test_the_template_is_the_long_way_s_json() -> None:
    assert json.loads(numbered_template("ab12") % 7) == mark((), ("ab12", 7))


def end(channel: Channel, guards: Guards) -> ChannelEnd:
    scheme = create("hmac-sha256", SecretKey(b"k" * 32))
    headers = HeaderFactory("kernel", "run", "user", lambda: b'"2026-09-21T13:33:20Z"')
    return ChannelEnd(channel, Role.KERNEL, scheme, headers, guards=guards)


def marked(end: ChannelEnd, **options: Any) -> dict[str, Any]:
    frames = end.publish(b"comm_msg", b"{}", topic=b"comm_msg", **options)
    assert frames is not None
    metadata: dict[str, Any] = json.loads(split(frames).frames[2])
    return metadata


def test_what_is_published_has_its_number() -> None:
    iopub = end(Channel.IOPUB, Guards(run="r"))
    first, second = marked(iopub), marked(iopub, metadata={"version": "2.1.0"}, buffers=[b"x"])
    third = marked(iopub)
    assert [m["minikernel"]["sequence"] for m in (first, second, third)] == [1, 2, 3]
    assert {m["minikernel"]["run"] for m in (first, second, third)} == {"r"}
    assert second["version"] == "2.1.0"
    assert (
        set(second["minikernel"])
        == set(first["minikernel"])
        == {
            "buffers_sha256",
            "run",
            "sequence",
        }
    )


def test_a_message_that_was_not_sent_spends_no_number() -> None:
    iopub = end(Channel.IOPUB, Guards(run="r"))
    iopub.compose(b"status", b"{}")
    with pytest.raises(TypeError):
        iopub.publish(b"status", {"no JSON": object()}, topic=b"status")
    assert marked(iopub)["minikernel"]["sequence"] == 1


@pytest.mark.parametrize(
    ("channel", "guards"),
    [(Channel.SHELL, Guards(run="r")), (Channel.IOPUB, Guards())],
)
def test_nothing_else_is_numbered(channel: Channel, guards: Guards) -> None:
    assert set(marked(end(channel, guards))["minikernel"]) == {"buffers_sha256"}


def test_without_marks_there_are_no_numbers() -> None:
    assert marked(end(Channel.IOPUB, Guards(buffers=False, run="r"))) == {}


@pytest.mark.parametrize("name", ["", "alice", "a.b_c@d-e"])
def test_whose_cell_it_is_comes_back(name: str) -> None:
    assert asker_in(asked_by(name) or {}) == name


def test_where_nobody_knows_whose_cell_it_is_nothing_is_added() -> None:
    assert asked_by(None) is None


@pytest.mark.parametrize(
    "metadata",
    [{}, {"minikernel": None}, {"minikernel": ["client"]}, {"minikernel": {"client": 3}}, mark(())],
)
def test_junk_names_nobody(metadata: dict[str, Any]) -> None:
    assert asker_in(metadata) is None
