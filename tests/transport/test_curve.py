from __future__ import annotations

import os
import stat
import subprocess
import sys
import traceback
from typing import TYPE_CHECKING, Any

import pytest
import zmq
from zmq.utils import z85

from minikernel.errors import ConfigError
from minikernel.transport import connection, curve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KERNEL = {
    "curve_publickey": "b{E{TUJ[Zxl1)]<>W(c*bEff[.[K]BGJE&4iF=oM",  # the pair of JEP 145
    "curve_secretkey": "<dQ^&)<Lp#8IUJrWoOpOZ5+xjs]UV$ShhdqSEW))",
}
CLIENT, PUBLIC = curve.client_fields(curve.new_pair())
NO_KEYS = ("x" * 39, "x" * 41, "~" * 40, "#" * 40, "é" * 20, "", "x" * 39 + "\n")


def test_a_new_pair_is_one_of_a_kernel() -> None:
    pair = curve.kernel_pair(curve.new_pair())
    assert zmq.curve_public(pair.secret.reveal()) == pair.public


def test_a_client_by_jupyter_s_way_has_the_kernel_s_pair() -> None:
    fields = curve.new_pair()
    keys = curve.client_keys(fields)
    assert keys is not None
    assert keys.server == keys.own.public == fields["curve_publickey"].encode()
    assert keys.own.secret.reveal() == fields["curve_secretkey"].encode()
    as_bytes = {name: key.encode() for name, key in fields.items()}
    again = curve.client_keys(as_bytes)
    assert again is not None
    assert again.server == keys.server


def test_without_keys_there_is_no_encryption() -> None:
    assert curve.client_keys({"key": "k", "curve_publickey": None}) is None


def test_the_file_of_a_client_lacks_the_kernel_s_secret() -> None:
    kernel = {**curve.new_pair(), "key": "k", "shell_port": 5}
    fields, public = curve.client_fields(kernel)
    assert {name: fields[name] for name in ("key", "shell_port")} == {"key": "k", "shell_port": 5}
    assert kernel["curve_secretkey"] not in fields.values()
    assert not {"curve_publickey", "curve_secretkey"} & fields.keys()
    keys = curve.client_keys(fields)
    assert keys is not None
    assert (keys.server, keys.own.public) == (
        str(kernel["curve_publickey"]).encode(),
        public.encode(),
    )
    assert curve.client_fields(kernel)[1] != public


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "--encryption required"),
        ({"curve_publickey": None}, "--encryption required"),
        (CLIENT, "the file of a client"),
    ],
)
def test_a_client_file_is_made_of_a_kernel_s_only(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        curve.client_fields(fields)


@pytest.mark.parametrize("name", ["curve_publickey", "curve_secretkey"])
def test_one_key_without_the_other(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} alone"):
        curve.client_keys({**KERNEL, name: None} | {name: KERNEL[name]} | _without(name))


def _without(name: str) -> dict[str, None]:
    return {other: None for other in KERNEL if other != name}


@pytest.mark.parametrize("name", CLIENT)
def test_a_client_s_keys_go_together(name: str) -> None:
    with pytest.raises(ConfigError, match="go together"):
        curve.client_keys({k: v for k, v in CLIENT.items() if k != name})


@pytest.mark.parametrize("name", CLIENT)
def test_keys_of_a_kernel_and_of_a_client(name: str) -> None:
    with pytest.raises(ConfigError):
        curve.client_keys({**KERNEL, name: CLIENT[name]})
    with pytest.raises(ConfigError, match="kernel and of a client"):
        curve.client_keys({**KERNEL, **CLIENT})


@pytest.mark.parametrize("bad", NO_KEYS)
@pytest.mark.parametrize("fields", [KERNEL, CLIENT])
def test_what_is_no_key(fields: dict[str, Any], bad: str) -> None:
    for name in fields:
        with pytest.raises(ConfigError, match=f"{name} is no CURVE key"):
            curve.client_keys({**fields, name: bad})


def test_a_public_key_that_does_not_belong_to_the_secret() -> None:
    other = curve.new_pair()["curve_publickey"]
    with pytest.raises(ConfigError, match="not the public part") as caught:
        curve.kernel_pair({**KERNEL, "curve_publickey": other})
    shown = "".join(traceback.format_exception(caught.value))
    assert KERNEL["curve_secretkey"] not in shown
    with pytest.raises(ConfigError, match="not the public part"):
        curve.client_keys({**CLIENT, "curve_client_publickey": other})


def test_no_secret_in_a_repr(tmp_path: Path) -> None:
    path = tmp_path / "k.json"
    fields = connection.new_fields(
        transport="tcp", ip="127.0.0.1", signature_scheme="hmac-sha256", key="k" * 32
    )
    for keys in (KERNEL, CLIENT):
        connection.write(path, {**fields, **keys})
        info, _ = connection.read(path)
        assert info.curve == keys
        shown = f"{info!r}{curve.client_keys(info.curve)!r}"
        assert all(key not in shown for name, key in keys.items() if "secret" in name)


def test_a_libzmq_without_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zmq, "has", lambda _: False)
    calls: list[Callable[[], object]] = [
        curve.new_pair,
        lambda: curve.client_keys(KERNEL),
        lambda: curve.client_fields(KERNEL),
    ]
    for call in calls:
        with pytest.raises(ConfigError, match="without CURVE"):
            call()


@pytest.mark.parametrize(
    ("policy", "encrypted", "complaint"),
    [
        ("required", False, "is required"),
        ("disabled", True, "is disabled"),
        ("always", True, "none of disabled, auto, required"),
    ],
)
def test_a_policy_that_is_not_met(policy: str, encrypted: bool, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        connection.check_encryption(policy, encrypted=encrypted)


def test_policies_that_are_met() -> None:
    for policy in ("required", "auto", None):
        connection.check_encryption(policy, encrypted=True)
    for policy in ("disabled", "auto", None):
        connection.check_encryption(policy, encrypted=False)


# The list of clients


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "clients.txt"


def test_a_list_that_is_missing_is_made_empty(file: Path) -> None:
    clients = curve.Clients(str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert PUBLIC.encode() not in clients


def test_a_client_that_is_added_and_removed_while_it_runs(file: Path) -> None:
    clients = curve.Clients(str(file))
    curve.add_client(file, PUBLIC, "alice\nand bob")
    assert file.read_text() == f"{PUBLIC} alice and bob\n"
    assert PUBLIC.encode() in clients
    assert b"x" * 40 not in clients
    file.write_text("")
    assert PUBLIC.encode() not in clients
    file.unlink()
    assert PUBLIC.encode() not in clients


def test_remarks_blank_lines_and_a_last_line_without_its_end(file: Path) -> None:
    key = "0" * 39 + "#"
    file.write_text(f"#who may connect\n\n  {key}\talice # from home")
    file.chmod(0o644)
    curve.add_client(file, PUBLIC, "bob")
    clients = curve.Clients(str(file))
    assert key.encode() in clients
    assert PUBLIC.encode() in clients
    assert b"#who" not in clients
    assert b"alice" not in clients


@pytest.mark.parametrize(
    "line",
    ["alice", f"alice {PUBLIC}", PUBLIC[1:], "\udcff"],
    ids=["a name", "behind a name", "too short", "no text"],
)
def test_a_line_that_is_no_key_is_named(file: Path, line: str) -> None:
    file.write_text(f"{PUBLIC}\n\n{line}\n", errors="surrogateescape")
    with pytest.raises(ConfigError, match="line 3"):
        curve.Clients(str(file))


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_list_that_others_can_write(file: Path, mode: int) -> None:
    curve.add_client(file, PUBLIC, "alice")
    clients = curve.Clients(str(file))
    file.chmod(mode)
    assert PUBLIC.encode() not in clients
    with pytest.raises(ConfigError, match="others can write it"):
        curve.Clients(str(file))


@pytest.mark.timeout(60)
def test_a_fifo_in_the_place_of_a_list_keeps_nobody_waiting(file: Path) -> None:
    clients = curve.Clients(str(file))
    curve.add_client(file, PUBLIC, "me")
    assert PUBLIC.encode() in clients
    file.unlink()
    os.mkfifo(file)
    assert PUBLIC.encode() not in clients
    for use in (lambda: curve.Clients(str(file)), lambda: curve.add_client(file, PUBLIC, "me")):
        with pytest.raises(ConfigError, match="it is not a file"):
            use()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_list_of_another_user_admits_nobody(file: Path) -> None:
    clients = curve.Clients(str(file))
    curve.add_client(file, PUBLIC, "me")
    assert PUBLIC.encode() in clients
    os.chown(file, 12345, 12345)
    if os.getuid() == 12345:
        return
    assert PUBLIC.encode() not in clients
    with pytest.raises(ConfigError, match="it belongs to another user"):
        curve.Clients(str(file))


def test_a_list_is_read_again_when_it_has_changed_and_not_for_each_client(file: Path) -> None:
    source = """
import os, sys, time
from minikernel.transport import curve
path, public, other = sys.argv[1:]
clients, opened = curve.Clients(path), []
curve.add_client(path, public, "me")
sys.addaudithook(lambda event, args: event == "open" and str(args[0]) == path and opened.append(1))
deadline, quiet = time.monotonic() + 30, 0
while quiet < 100:
    assert time.monotonic() < deadline
    before = len(opened)
    assert public.encode() in clients and other.encode() not in clients
    quiet = quiet + 1 if len(opened) == before else 0
curve.add_client(path, other, "other")
assert other.encode() in clients
os.truncate(path, 0)
assert public.encode() not in clients
"""
    command = [sys.executable, "-c", source, str(file), PUBLIC, zmq.curve_keypair()[0].decode()]
    subprocess.run(command, check=True, timeout=60)


def test_a_list_that_can_t_be_had(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere" / "clients.txt"):
        with pytest.raises(ConfigError, match=path.name):
            curve.Clients(str(path))
        with pytest.raises(ConfigError, match=path.name):
            curve.add_client(path, PUBLIC, "alice")


# ZAP (RFC 27)


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    with zmq.Context() as context:
        yield context
        context.destroy(0)


def test_answers_of_zap(context: zmq.Context[zmq.Socket[bytes]], file: Path) -> None:
    curve.add_client(file, PUBLIC, "alice")
    server = curve.Server(context, KERNEL, str(file))
    alice = z85.decode(PUBLIC)

    def status(*changed: bytes, domain: bytes = curve.DOMAIN, mechanism: bytes = b"CURVE") -> bytes:
        question = [b"1.0", b"7", domain, b"127.0.0.1", b"identity", mechanism, *changed]
        version, request, code, *_ = server._answer(question)
        assert (version, request) == (b"1.0", b"7")
        return code

    assert server.asks
    assert status(alice) == b"200"
    assert status(bytes(32)) == b"300"
    assert status(alice, domain=b"other") == b"300"
    assert status(alice, mechanism=b"NULL") == b"300"
    assert status(mechanism=b"NULL") == b"300"
    assert status() == b"300"
    server._asked.close()


def test_without_a_list_nobody_is_asked(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    assert not curve.Server(context, KERNEL).asks


def test_the_file_of_a_client_makes_no_kernel(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    with pytest.raises(ConfigError, match="file of a client"):
        curve.Server(context, CLIENT)
