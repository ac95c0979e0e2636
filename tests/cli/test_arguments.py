"""What is wrong with arguments, in one line."""

from __future__ import annotations

import argparse

import pytest

from minikernel.cli.app import SUBCOMMANDS, main
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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            "",
            "name a subcommand: run, install, admit, exec, console, invite, demo, lab, echo (mini",
        ),
        (
            "demoo",
            "there is no subcommand 'demoo'; did you mean demo? (minikernel --help lists them)",
        ),
        ("xyz", "there is no subcommand 'xyz' (minikernel --help lists them)"),
        (
            "run --gaurds=on",
            "run has no option '--gaurds'; did you mean --guards? (minikernel run --help)",
        ),
        ("run history", "run does not take 'history'; did you mean --history? (minikernel run"),
        ("run -f", "run: argument -f/--connection-file: expected one argument (minikernel run"),
        ("run --max-age -1", "run: argument --max-age: '-1' is not a positive number of seconds"),
        ("run --max-age nan", "run: argument --max-age: 'nan' is not a positive number of seconds"),
        ("run --max-age x", "run: argument --max-age: 'x' is not a positive number of seconds"),
        ("run --refuse a,b", "run: argument --refuse: 'a,b' is not 1 to 64 of A-Z a-z 0-9 . _ @ -"),
        ("run --refuse eve", "hmac-sha256 knows no invitations that --refuse could take back"),
        ("run --history /", "run: argument --history: '/' is a directory: name a file in it"),
        ("install --user --sys-prefix", "install: argument --sys-prefix: not allowed with"),
    ],
)
def test_what_the_command_line_says(
    arguments: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments.split()) == 2
    assert capsys.readouterr().err.startswith(f"minikernel: {said}")


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_help_fits_a_terminal_and_teaches(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([name, "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "examples:" in lines or name == "demo"
