from __future__ import annotations

import copy
import json
import os
import pickle
import stat
from typing import TYPE_CHECKING, Any

import pytest

from minikernel.errors import ConfigError
from minikernel.transport import connection
from minikernel.wire.channels import Channel

if TYPE_CHECKING:
    from pathlib import Path

FIELDS = connection.new_fields(
    transport="tcp", ip="127.0.0.1", signature_scheme="hmac-sha256", key="secret"
)


def write(path: Path, **changes: object) -> Path:
    path.write_text(json.dumps({**FIELDS, **changes}))
    return path


def test_a_file_that_we_wrote_is_read_back_and_only_ours(tmp_path: Path) -> None:
    path = tmp_path / "k.json"
    os.umask(os.umask(0))
    connection.write(path, {**FIELDS, "shell_port": 5, "unknown": "kept"})
    info, fields = connection.read(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (info.shell_port, info.secret.reveal(), fields["unknown"]) == (5, b"secret", "kept")
    assert not connection.readable_by_others(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_of_others_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "k.json")
    path.chmod(0o644)
    assert connection.readable_by_others(path)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"shell_port": "5"}, "shell_port"),
        ({"shell_port": 70_000}, "shell_port is no port number: 70000"),
        ({"hb_port": -1}, "hb_port"),
        ({"transport": "udp"}, "'udp' is neither tcp nor ipc"),
        ({"key": 5}, "key"),
        ({"ip": ""}, "ip '' is neither an address nor the name of a host"),
        ({"ip": "no address"}, "ip 'no address' is neither"),
        ({"ip": "1.2.3.4.5"}, "is neither"),
        ({"ip": "größe.example"}, r"gr\\xf6"),
        ({"ip": "http://localhost"}, "is neither"),
        ({"ip": "localhost\n"}, r"localhost\\n"),
        ({"ip": "\x1b[31m"}, r"\\x1b"),
        ({"ip": None}, "ip"),
        ({"transport": "ipc", "ip": "/tmp/" + "x" * 120}, "an ipc path of"),
        ({"curve_publickey": "x"}, "curve_publickey alone"),
        ({"curve_publickey": "x", "curve_secretkey": "y"}, "curve_publickey is no CURVE key"),
        ({"curve_secretkey": 5}, "curve_secretkey"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as caught:
        connection.read(write(tmp_path / "k.json", **changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe",
        b"[" * 10_000,
        b'{"ip":"\xff"}',
        b'{"\xff":1}',
        b'{"ip":"\\ud800"}',
    ],
)
def test_what_is_no_connection_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "k.json").write_bytes(content)
    with pytest.raises(ConfigError, match=r"k\.json"):
        connection.read(tmp_path / "k.json")


@pytest.mark.parametrize("ip", ["localhost", "*", "::1", "fe80::1%eth0", "a-host.example", "eth0"])
def test_where_a_kernel_may_be(tmp_path: Path, ip: str) -> None:
    info, _ = connection.read(write(tmp_path / "k.json", ip=ip))
    assert info.ip == ip


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "k.json", tmp_path / "k.json"
    target.write_text("{}")
    link.symlink_to("there/k.json")
    fields = connection.new_fields(
        transport="tcp", ip="127.0.0.1", signature_scheme="hmac-sha256", key="a key"
    )
    connection.write(link, fields)
    assert link.is_symlink()
    assert connection.read(target)[0].key == "a key"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["k.json", "k.json", "there"]


def test_the_key_is_not_pickled(tmp_path: Path) -> None:
    info, _ = connection.read(write(tmp_path / "k.json", key="a key"))
    for dump in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="holds a key"):
            dump(info)


def test_a_file_that_can_t_be_had(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.json"):
        with pytest.raises(ConfigError, match=path.name):
            connection.read(path)
    with pytest.raises(ConfigError, match="nowhere"):
        connection.write(tmp_path / "nowhere" / "k.json", FIELDS)


def test_no_secret_in_a_repr(tmp_path: Path) -> None:
    info, _ = connection.read(write(tmp_path / "k.json"))
    assert "secret" not in f"{info}{info!r}"


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({"shell_port": 5}, "tcp://127.0.0.1:5"),
        ({"shell_port": 5, "ip": "::1"}, "tcp://[::1]:5"),
        ({"shell_port": 5, "ip": "/tmp/k-ipc", "transport": "ipc"}, "ipc:///tmp/k-ipc-5"),
    ],
)
def test_urls(tmp_path: Path, changes: dict[str, Any], url: str) -> None:
    info, _ = connection.read(write(tmp_path / "k.json", **changes))
    assert info.url(Channel.SHELL) == url


def test_the_runtime_directory_is_made_for_this_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JUPYTER_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    path = connection.runtime_dir()
    assert path == tmp_path / "data" / "runtime"
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "other"))
    assert connection.runtime_dir() == tmp_path / "other"
