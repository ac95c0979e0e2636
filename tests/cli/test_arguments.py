"""What is wrong with arguments, in one line."""

from __future__ import annotations

import argparse

import pytest

from minikernel.cli.arguments import Parser, nearest
from minikernel.errors import ConfigError


@pytest.fixture
def parser() -> Parser:
    parser = Parser(prog="minikernel go")
    parser.add_argument("--number", type=int)
    parser.add_argument("-f", "--file")
    return parser


@pytest.mark.parametrize(
    "args", [["--number", "-3", "-fx"], ["--number=-3", "--file=x"], ["--number", "-3", "-f", "x"]]
)
def test_what_is_right(parser: Parser, args: list[str]) -> None:
    assert parser.parse_args(args) == argparse.Namespace(number=-3, file="x")


def test_a_lone_dash_is_a_value(parser: Parser) -> None:
    assert parser.parse_args(["-f", "-"]).file == "-"


def test_an_abbreviation_is_no_option(parser: Parser) -> None:
    with pytest.raises(ConfigError, match=r"^go has no option '--num'; did you mean --number\?"):
        parser.parse_args(["--num", "3"])


def test_an_unknown_option_comes_before_what_is_missing(parser: Parser) -> None:
    parser.add_argument("needed")
    with pytest.raises(ConfigError, match="has no option '--fil'"):
        parser.parse_args(["--fil"])


def test_what_follows_a_script_is_the_script_s(parser: Parser) -> None:
    parser.add_argument("script")
    parser.add_argument("rest", nargs=argparse.REMAINDER)
    assert parser.parse_args(["a.py", "--foo", "x"]).rest == ["--foo", "x"]
    with pytest.raises(ConfigError, match="go has no option '--numbr'; did you mean --number"):
        parser.parse_args(["--numbr", "a.py", "--foo"])


@pytest.mark.parametrize(
    ("word", "meant"), [("demoo", "; did you mean demo?"), ("user", "; did you mean --user?")]
)
def test_nearest(word: str, meant: str) -> None:
    assert nearest(word, ["demo", "--user"]) == meant


def test_nothing_is_near() -> None:
    assert not nearest("xyz", ["demo", "--user"])
