"""Connection files (jupyter_client documentation, "Connection files")."""

from __future__ import annotations

import os
import re
import stat
import sys
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import DEFAULT
from minikernel.errors import ConfigError
from minikernel.wire.channels import Channel

MAX_IPC_PATH = 103  # sun_path of macOS holds 104 bytes, the last one zero
MAX_PORT = 65_535
# An address, the name of a host or of an interface; 1.2.3 is none of these, and 1.2.3.4.5 neither.
_HOST = (  # compiled when it is first used
    r"(?a)\*|(\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%[\w.-]+)?"
    r"|(?=.{1,253}$)(?![\d.]+$)[A-Za-z0-9_]([\w-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([\w-]*[A-Za-z0-9_])?)*\.?"
)
LOOPBACK = "127.0.0.1"
POLICIES = ("disabled", "auto", "required")  # jupyter_client's transport_encryption
PORTS = {
    Channel.SHELL: "shell_port",
    Channel.IOPUB: "iopub_port",
    Channel.STDIN: "stdin_port",
    Channel.CONTROL: "control_port",
    Channel.HEARTBEAT: "hb_port",
}


class ConnectionInfo(msgspec.Struct, kw_only=True):
    """What a connection file says. A port 0 asks the kernel to choose one."""

    shell_port: int
    iopub_port: int
    stdin_port: int
    control_port: int
    hb_port: int
    ip: str = "127.0.0.1"
    transport: str = "tcp"
    key: str = ""
    client_id: str | None = None  # of an invitation, which has these three instead of a key
    rights: int | None = None
    client_key: str | None = None
    signature_scheme: str = DEFAULT
    curve_publickey: str | None = None
    curve_secretkey: str | None = None
    curve_serverkey: str | None = None  # in the file of a client that may not be the kernel
    curve_client_publickey: str | None = None
    curve_client_secretkey: str | None = None

    def __repr__(self) -> str:
        return f"ConnectionInfo({self.transport}://{self.ip}, {self.signature_scheme})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a ConnectionInfo holds a key, and is not pickled")

    @property
    def is_invitation(self) -> bool:
        """Whether the file is for a client with few rights (channel-hmac, section 2)."""
        return self.client_key is not None

    @property
    def secret(self) -> SecretKey:
        """The key, wrapped."""
        return SecretKey(self.key.encode())

    @property
    def curve(self) -> dict[str, str]:
        """The fields with CURVE keys."""
        given = {name: getattr(self, name) for name in self.__struct_fields__ if "curve" in name}
        return {name: key for name, key in given.items() if key is not None}

    def url(self, channel: Channel) -> str:
        """Where the channel's socket is, in ZeroMQ's words."""
        port = getattr(self, PORTS[channel])
        if self.transport == "ipc":
            return f"ipc://{self.ip}-{port}"
        return f"tcp://[{self.ip}]:{port}" if ":" in self.ip else f"tcp://{self.ip}:{port}"

    def ipc_path(self, channel: Channel) -> str:
        """The file of the channel's socket, absolute: user code may change the directory."""
        return os.path.abspath(self.url(channel).removeprefix("ipc://"))  # noqa: PTH100 - "x-1" is a name here, not a path to resolve


def read(path: str | os.PathLike[str]) -> tuple[ConnectionInfo, dict[str, Any]]:
    """Read and check a connection file; also all of its fields as they are.

    Raises:
        ConfigError: it can't be read, or something in it can't be used.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"connection file {str(path)!r}: {error.strerror}") from None
    try:
        fields = msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ConfigError(f"connection file {str(path)!r} is no JSON object: {error}") from None
    try:
        info = msgspec.convert(fields, ConnectionInfo)
        _check(info)
    except (ValueError, ConfigError) as error:
        raise ConfigError(f"connection file {str(path)!r}: {error}") from None
    return info, fields


def _check(info: ConnectionInfo) -> None:
    if info.transport not in {"tcp", "ipc"}:
        raise ValueError(f"transport {info.transport!r} is neither tcp nor ipc")
    if "\0" in info.ip:
        raise ValueError("ip has a zero byte")
    if info.transport == "tcp" and info.ip != LOOPBACK and not re.fullmatch(_HOST, info.ip):
        raise ValueError(f"ip {info.ip!a} is neither an address nor the name of a host")
    for name in PORTS.values():
        if not 0 <= getattr(info, name) <= MAX_PORT:
            raise ValueError(f"{name} is no port number: {getattr(info, name)}")
    if info.transport == "ipc":
        longest = max(len(os.fsencode(info.ipc_path(c))) for c in PORTS)
        if longest > MAX_IPC_PATH:
            raise ValueError(f"an ipc path of {longest} bytes; sockets take {MAX_IPC_PATH}")
    _check_invitation(info)
    if info.curve:
        from minikernel.transport.curve import client_keys  # noqa: PLC0415 - zmq, if it is needed

        client_keys(info.curve)


def check_encryption(policy: str | None, *, encrypted: bool) -> None:
    """Hold a policy, in jupyter_client's words, against what there is.

    Args:
        policy: "required", "disabled" or "auto"; None is like "auto".
        encrypted: whether there are CURVE keys.

    Raises:
        ConfigError: there are none but must be, or must not be, or there is no such policy.
    """
    if policy not in {None, *POLICIES}:
        raise ConfigError(f"encryption {policy!r} is none of {', '.join(POLICIES)}")
    if policy == "required" and not encrypted:
        raise ConfigError("encryption is required, and the connection file has no CURVE keys")
    if policy == "disabled" and encrypted:
        raise ConfigError("encryption is disabled, and the connection file has CURVE keys")


def _check_invitation(info: ConnectionInfo) -> None:
    fields = (info.client_id, info.rights, info.client_key)
    if all(field is None for field in fields):
        return
    if any(field is None for field in fields):
        raise ValueError("an invitation needs client_id, rights and client_key")
    if info.key:
        raise ValueError("a file has key or client_key, not both")


def readable_by_others(path: str | os.PathLike[str]) -> bool:
    """Whether anybody but the owner can read the file, and the key in it."""
    return bool(stat.S_IMODE(Path(path).stat().st_mode) & 0o077)


def write(path: str | os.PathLike[str], fields: dict[str, Any]) -> None:
    """Write a connection file, mode 0600, whole or not at all; a link stays one.

    Raises:
        ConfigError: it can't be written.
    """
    target = Path(os.path.realpath(path))
    draft = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_text(fields))
            draft.replace(target)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(f"connection file {str(path)!r}: {error.strerror}") from None


def create(path: str | os.PathLike[str], fields: dict[str, Any]) -> None:
    """Write a connection file, mode 0600, where there is no file yet.

    Raises:
        ConfigError: there is one, or it can't be written.
    """
    target = Path(path)
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_text(fields))
        except OSError:
            target.unlink(missing_ok=True)
            raise
    except FileExistsError:
        raise ConfigError(f"connection file {str(path)!r} is there already") from None
    except OSError as error:
        raise ConfigError(f"connection file {str(path)!r}: {error.strerror}") from None


def _text(fields: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(fields), indent=2)


def new_fields(*, transport: str, ip: str, signature_scheme: str, key: str) -> dict[str, Any]:
    """The fields of a connection file whose ports the kernel will choose."""
    return {
        **dict.fromkeys(PORTS.values(), 0),
        "transport": transport,
        "ip": ip,
        "signature_scheme": signature_scheme,
        "key": key,
        "kernel_name": "minikernel",
    }


def find(name: str | os.PathLike[str]) -> Path:
    """The connection file of this name: here, or where Jupyter keeps them.

    Raises:
        ConfigError: the runtime directory can't be made.
    """
    here = Path(name)
    if here.exists():
        return here
    there = runtime_dir() / name
    return there if there.exists() else here


def data_dir() -> Path:
    """Where Jupyter keeps a user's data (jupyter_core's documentation, "Directories")."""
    if given := os.environ.get("JUPYTER_DATA_DIR"):
        return Path(given)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Jupyter"
    share = os.environ.get("XDG_DATA_HOME")
    return (Path(share) if share else Path.home() / ".local" / "share") / "jupyter"


def runtime_dir() -> Path:
    """Where Jupyter keeps connection files; made, mode 0700, if it is missing.

    Raises:
        ConfigError: it can't be made.
    """
    given = os.environ.get("JUPYTER_RUNTIME_DIR")
    path = Path(given) if given else data_dir() / "runtime"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"runtime directory {str(path)!r}: {error.strerror}") from None
    return path
