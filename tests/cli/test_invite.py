"""`minikernel invite`: what it writes, what it says, and what it refuses."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from minikernel.auth.channel_hmac import NAME as CHANNEL_HMAC
from minikernel.auth.channel_hmac.keys import Master
from minikernel.auth.keys import SecretKey
from minikernel.auth.rights import Right
from minikernel.auth.spec import Invitation
from minikernel.cli.invite import invitation, promise
from minikernel.transport import connection, curve

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Said

ROOT = Path(__file__).parents[2]
KEY = "0123456789abcdef-the key"
PORT = 50_000


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Writes the connection file of a kernel; its name."""

    def write(**fields: Any) -> str:
        ports = dict.fromkeys(connection.PORTS.values(), PORT)
        made = connection.new_fields(
            transport="tcp", ip="127.0.0.1", signature_scheme=CHANNEL_HMAC, key=KEY
        )
        connection.write(tmp_path / "kernel.json", {**made, **ports, **fields})
        return "kernel.json"

    return write


def arguments(file: str, *more: str, name: str = "alice", rights: str = "observe") -> list[str]:
    return ["invite", "--name", name, "--rights", rights, "--connection-file", file, *more]


def test_the_file(call: Callable[..., Said], write: Callable[..., str], tmp_path: Path) -> None:
    file = write(kernel_name="mine", secret_of_a_later_version="x")
    said = call(*arguments(file, rights="observe, interrupt"))
    assert said == (0, "alice.json\nalice may observe, interrupt\n", "")
    path = tmp_path / "alice.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    rights = int(Right.OBSERVE | Right.INTERRUPT)
    credential = Master(SecretKey(KEY.encode())).invite("alice", rights)
    assert json.loads(path.read_text()) == {
        **dict.fromkeys(connection.PORTS.values(), PORT),
        "transport": "tcp",
        "ip": "127.0.0.1",
        "signature_scheme": CHANNEL_HMAC,
        "kernel_name": "mine",
        "client_id": "alice",
        "rights": rights,
        "client_key": credential.psk.reveal().hex(),
    }
    info, _ = connection.read(path)
    assert info.is_invitation


@pytest.mark.parametrize(
    "name", ["key", "curve_secretkey", "curve_client_secretkey", "curve_publickey", "token"]
)
def test_only_what_is_known_to_be_harmless_is_copied(name: str) -> None:
    invited = Invitation("alice", 1, SecretKey(b"ab" * 32))
    assert name not in invitation({"ip": "127.0.0.1", name: "secret"}, invited)


def test_the_key_is_nowhere(
    call: Callable[..., Said], write: Callable[..., str], tmp_path: Path
) -> None:
    said = call(*arguments(write(), rights="execute"))
    assert KEY not in said.out + said.err
    content = (tmp_path / "alice.json").read_bytes()
    for form in (KEY.encode(), KEY.encode().hex().encode()):
        assert form not in content


def test_output(call: Callable[..., Said], write: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    said = call(*arguments(write(), "--output", "other/a b.json"))
    assert said.out.startswith("other/a b.json\n")
    assert connection.read(tmp_path / "other" / "a b.json")[0].client_id == "alice"


def test_a_file_where_jupyter_keeps_them(
    call: Callable[..., Said], write: Callable[..., str], tmp_path: Path
) -> None:
    runtime = tmp_path / "data" / "runtime"
    runtime.mkdir(parents=True)
    (tmp_path / write()).rename(runtime / "kernel.json")
    assert call(*arguments("kernel.json")).code == 0


@pytest.mark.parametrize("document", ["README.md", "docs/channel-hmac.md"])
def test_the_command_of_a_document(
    call: Callable[..., Said], write: Callable[..., str], tmp_path: Path, document: str
) -> None:
    text = (ROOT / document).read_text()
    (command,) = re.findall(r"^minikernel (invite .*) FILE$", text, re.MULTILINE)
    assert call(*command.split(), write()).code == 0
    written = re.search(r"^minikernel console --existing (\w+\.json)$", text, re.MULTILINE)
    assert written is not None
    assert connection.read(tmp_path / written[1])[0].is_invitation


def test_encryption(call: Callable[..., Said], write: Callable[..., str], tmp_path: Path) -> None:
    pair = curve.new_pair()
    said = call(*arguments(write(**pair), "--curve-clients", "clients.txt"))
    assert (said.code, said.err) == (0, "")
    fields = json.loads((tmp_path / "alice.json").read_text())
    assert pair["curve_secretkey"] not in str(fields)
    assert fields["curve_serverkey"] == pair["curve_publickey"]
    listed = (tmp_path / "clients.txt").read_text()
    assert listed == f"{fields['curve_client_publickey']} alice\n"
    assert connection.read(tmp_path / "alice.json")[0].is_invitation


def test_a_list_needs_encryption(refused: Callable[..., str], write: Callable[..., str]) -> None:
    line = refused(*arguments(write(), "--curve-clients", "clients.txt"))
    assert line.endswith("no CURVE keys, so there is no --curve-clients")


def test_a_list_that_can_not_be_written_leaves_no_invitation(
    refused: Callable[..., str], write: Callable[..., str], tmp_path: Path
) -> None:
    line = refused(*arguments(write(**curve.new_pair()), "--curve-clients", "gone/clients.txt"))
    assert "list of clients 'gone/clients.txt': No such file" in line
    assert not (tmp_path / "alice.json").exists()


def test_a_client_s_file_can_not_invite_to_a_kernel_that_encrypts(
    refused: Callable[..., str], write: Callable[..., str]
) -> None:
    fields, _ = curve.client_fields(curve.new_pair())
    assert "this is the file of a client" in refused(*arguments(write(**fields)))


def test_nothing_is_overwritten(
    refused: Callable[..., str], write: Callable[..., str], tmp_path: Path
) -> None:
    mine = tmp_path / "alice.json"
    mine.write_text("mine")
    there = "minikernel: connection file 'alice.json' is there already"
    assert refused(*arguments(write())) == there
    mine.unlink()
    mine.symlink_to("nowhere.json")
    assert refused(*arguments(write())) == there
    assert not (tmp_path / "nowhere.json").exists()


def test_nor_the_kernel_s_own_file(
    refused: Callable[..., str], write: Callable[..., str], tmp_path: Path
) -> None:
    refused(*arguments(write(), name="kernel"))
    assert connection.read(tmp_path / "kernel.json")[0].key == KEY


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"signature_scheme": "hmac-sha256"}, "hmac-sha256 has no invitations; start the kernel"),
        ({"signature_scheme": "clear-key"}, "clear-key has no invitations"),
        ({"stdin_port": 0}, "its kernel has not chosen its ports yet"),
        ({"key": "short"}, "channel-hmac needs a random key of at least 16 bytes"),
        (
            {"key": "", "client_id": "bob", "rights": 1, "client_key": "ab" * 32},
            "an invitation can't invite; take the kernel's own file",
        ),
        ({"client_id": "bob"}, "an invitation needs client_id, rights and client_key"),
    ],
)
def test_a_connection_file_that_is_refused(
    refused: Callable[..., str],
    write: Callable[..., str],
    tmp_path: Path,
    fields: dict[str, Any],
    complaint: str,
) -> None:
    line = refused(*arguments(write(**fields)))
    assert complaint in line
    assert KEY not in line
    assert "ab" * 32 not in line
    assert not (tmp_path / "alice.json").exists()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"name": ""}, "argument --name: '' is not 1 to 64 of A-Z a-z 0-9 . _ @ -"),
        ({"name": "a/b"}, "argument --name: 'a/b' is not"),
        ({"name": "../x"}, "argument --name: '../x' is not"),
        ({"name": "a" * 65}, "is not 1 to 64 of"),
        ({"name": "é"}, "is not 1 to 64 of"),
        ({"rights": "observe,fly"}, "there is no right 'fly'; there are: observe, execute, "),
        ({"rights": ""}, "there is no right ''"),
        ({"rights": "1"}, "there is no right '1'"),
    ],
)
def test_arguments_that_are_refused(
    refused: Callable[..., str],
    write: Callable[..., str],
    tmp_path: Path,
    options: dict[str, str],
    complaint: str,
) -> None:
    assert complaint in refused(*arguments(write(), **options))
    assert [path.name for path in tmp_path.glob("*.json")] == ["kernel.json"]


def test_files_that_are_not_there(refused: Callable[..., str], write: Callable[..., str]) -> None:
    assert "No such file or directory" in refused(*arguments("gone.json"))
    assert "No such file" in refused(*arguments(write(), "--output", "gone/alice.json"))


def test_a_kernel_does_not_start_with_an_invitation(
    call: Callable[..., Said], refused: Callable[..., str], write: Callable[..., str]
) -> None:
    call(*arguments(write()))
    complaint = "the connection file is an invitation: a kernel runs with its owner's"
    assert refused("run", "-f", "alice.json") == f"minikernel: {complaint}"
    assert complaint in refused("run", "--scheme", "null", "-f", "alice.json")


@pytest.mark.parametrize(
    ("rights", "said"),
    [
        (Right.OBSERVE, "alice may observe"),
        (Right.OBSERVE | Right.EXECUTE, "observe, execute: code in the kernel's process, which is"),
        (Right.DEBUG, "alice may debug: code in the kernel's process, which is as good as being"),
        (Right.INPUT, "alice may input; input does nothing without execute"),
    ],
)
def test_what_the_holder_may_do(rights: Right, said: str) -> None:
    assert said in promise("alice", rights.value)
