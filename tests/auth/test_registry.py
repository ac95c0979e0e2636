from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

from minikernel.auth.clear_key import ClearKey
from minikernel.auth.jupyter_hmac import JupyterHmac
from minikernel.auth.keys import SecretKey
from minikernel.auth.null import Null
from minikernel.auth.registry import (
    ALIASES,
    DEFAULT,
    FAMILY,
    SCHEMES,
    WEAK,
    check,
    create,
    find,
)
from minikernel.auth.replay_memory import ReplayMemory
from minikernel.errors import ConfigError, Replayed
from minikernel.wire.channels import Channel

PACKAGE = Path(__file__).parents[2] / "minikernel"
KEY, EMPTY = SecretKey(b"k" * 32), SecretKey(b"")


def test_names() -> None:
    assert isinstance(create("null", EMPTY), Null)
    assert isinstance(create("clear-key", KEY), ClearKey)
    scheme = create("hmac-sha512", KEY)
    assert isinstance(scheme, JupyterHmac)
    assert scheme.name == "hmac-sha512"


def test_a_memory_is_handed_on() -> None:
    scheme = create("hmac-sha256", KEY, ReplayMemory())
    frames = [b"{}"] * 4
    signature = JupyterHmac(KEY).sign(frames)
    scheme.open(Channel.SHELL, signature, frames, ())
    with pytest.raises(Replayed):
        scheme.open(Channel.SHELL, signature, frames, ())


@pytest.mark.parametrize("name", ["", "sha256", "hmac-", "hmac-crc32", "channel-hmac", "NULL"])
def test_unknown_names(name: str) -> None:
    for ask in (create, check):
        with pytest.raises(ConfigError):
            ask(name, KEY)


def test_who_asks_for_an_unknown_scheme_is_told_the_known_ones() -> None:
    with pytest.raises(
        ConfigError, match="channel-hmac-sha256, clear-key, hmac-sha256, null"
    ) as caught:
        create("else", KEY)
    assert "'else'" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("null", KEY),
        ("clear-key", EMPTY),
        ("hmac-sha256", EMPTY),
        ("channel-hmac-sha256", SecretKey(b"k" * 15)),
    ],
)
def test_a_key_that_does_not_fit(name: str, key: SecretKey) -> None:
    with pytest.raises(ConfigError):
        check(name, key)


@pytest.mark.parametrize(
    ("name", "key"), [("null", EMPTY), ("clear-key", KEY), ("channel-hmac-sha256", KEY)]
)
def test_a_key_that_fits(name: str, key: SecretKey) -> None:
    check(name, key)


def test_what_any_client_speaks() -> None:
    stock = {"null": True, "hmac-sha1": True, "clear-key": False, "channel-hmac-sha256": False}
    assert {name: find(name).traits.stock for name in stock} == stock


def test_each_module_of_the_table_owns_its_name() -> None:
    for name, module in SCHEMES.items():
        assert isinstance(module, str)
        found = importlib.import_module(module)
        assert getattr(found, "PREFIX" if name == FAMILY else "NAME") == name
        assert find(name) == found.SPEC
        assert (find(name).invite is not None) is find(name).traits.invitations
    assert set(ALIASES.values()) < {DEFAULT, *SCHEMES}


def test_a_weak_hash_is_a_trait() -> None:
    assert [n for n in ("hmac-sha256", "hmac-md5", "hmac-sha1") if find(n).traits.weak] == [
        "hmac-md5",
        "hmac-sha1",
    ]


NAMES = {*SCHEMES, *ALIASES, *WEAK, DEFAULT}
LAB = PACKAGE / "lab"
BY_NAME = [LAB / "columns.py", *(LAB / "attacks").glob("*.py")]  # what compares or attacks them
SOURCES = [
    path
    for path in PACKAGE.rglob("*.py")
    if path.relative_to(PACKAGE).parts[0] not in {"auth", "interpreter"} and path not in BY_NAME
]


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_above_auth_no_scheme_is_known_by_its_name(path: Path) -> None:
    """Texts for readers may hold one; a string that is one is asked for, or compared with."""
    strings = [
        n.value for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Constant)
    ]
    assert not NAMES & {text for text in strings if isinstance(text, str)}
