from __future__ import annotations

from minikernel.client.escape import plain, printable, shortened


def test_control_characters_are_written_out() -> None:
    assert printable("a\x1b[2Jb\r\n\x00\u202e") == "a\\x1b[2Jb\\r\\n\\x00\\u202e"


def test_lone_surrogates_are_written_out() -> None:
    assert printable("\ud800") == "\\ud800"


def test_letters_of_all_alphabets_stay() -> None:
    assert printable("zażółć 日本 ✓") == "zażółć 日本 ✓"


def test_plain_drops_colours_and_keeps_lines() -> None:
    assert (
        plain("\x1b[0;31mred\x1b[0m\n\tx\x07\x1b]0;title\x07") == "red\n\tx\\x07\\x1b]0;title\\x07"
    )


def test_shortened_counts_what_is_shown() -> None:
    assert shortened("\x1b" * 100, 10) == "\\x1b\\x1b\\…"
    assert shortened("short", 10) == "short"
