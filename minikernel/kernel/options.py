"""How to run a kernel, and what follows from it and from the connection file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from minikernel.auth import registry
from minikernel.errors import ConfigError
from minikernel.interpreter.base import Failure
from minikernel.interpreter.python import PythonEngine
from minikernel.transport import connection, plugins

if TYPE_CHECKING:
    from collections.abc import Callable

    from minikernel.auth.spec import Traits
    from minikernel.interpreter.base import Engine, Frontend

    # (frontend, *, history_file: Path | None); the class itself, for most
    EngineFactory = Callable[..., Engine]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to run a kernel."""

    connection_file: str | None = None  # None: write one, and print its path
    engine: EngineFactory = PythonEngine
    scheme: str | None = None  # None: what the connection file says
    guards: bool = True  # channel-hmac, section 8; off: the bare specification
    max_age: float | None = None  # seconds that a signed date may be old; None: any
    sessions: int = 32  # at most, where the scheme has sessions
    refuse: tuple[str, ...] = ()  # ids of invitations that are not let in
    history_file: str | None = None  # None: the default place; "off": memory only
    transport: str = "tcp"  # of a file that we write
    ip: str = "127.0.0.1"  # of a file that we write
    encryption: str | None = None  # jupyter_client's words; None: what the file says
    curve_clients: str | None = None  # who may connect; None: who knows the kernel's public key


def connection_file(options: Options) -> tuple[Path, bool]:
    """The connection file, and whether we made it."""
    if options.connection_file is not None:
        return Path(options.connection_file).absolute(), False
    scheme = options.scheme or registry.DEFAULT
    keyless = plugins.find(scheme).traits.keyless
    fields = connection.new_fields(
        transport=options.transport,
        ip=options.ip,
        signature_scheme=registry.DEFAULT if keyless else scheme,
        key="" if keyless else os.urandom(32).hex(),
    )
    if options.encryption in {"auto", "required"}:
        from minikernel.transport.curve import new_pair  # noqa: PLC0415 - if it is asked for

        fields |= new_pair()
    path = connection.runtime_dir() / f"kernel-{os.urandom(8).hex()}.json"
    if options.transport == "ipc":
        fields["ip"] = str(path.with_suffix("")) + "-ipc"
    connection.write(path, fields)
    return path, True


def parent() -> int | None:
    """The process whose end is to be ours (JPY_PARENT_PID, set by jupyter_client); None: nobody's.

    There may be a launcher between; but if we belong to init already, our parent has gone.
    """
    launcher = os.environ.get("JPY_PARENT_PID")
    if launcher is None:
        return None
    return int(launcher) if os.getppid() == 1 and launcher.isdigit() else os.getppid()


def scheme_name(info: connection.ConnectionInfo, options: Options) -> str:
    """The scheme to run: the file's, or one without a key if it was asked for and there is none.

    Raises:
        ConfigError: the file and the options don't go together.
    """
    if info.is_invitation:
        raise ConfigError("the connection file is an invitation: a kernel runs with its owner's")
    asked, said = options.scheme, info.signature_scheme
    if asked is not None and asked != said:
        if not info.key and plugins.find(asked).traits.keyless:
            return asked
        raise ConfigError(f"the connection file asks for {said!r}, and --scheme for {asked!r}")
    return said


def check(name: str, traits: Traits, options: Options) -> None:
    """See that a scheme has what the options are about. Raises ConfigError."""
    if options.refuse and not traits.invitations:
        raise ConfigError(f"{name} knows no invitations that --refuse could take back")
    if traits.sessions and not options.guards:
        raise ConfigError(f"{name} has no guards that could be off: leave out --guards")


def make_engine(options: Options, frontend: Frontend) -> Engine:
    """The language engine.

    Raises:
        ConfigError: it fails to start.
    """
    try:
        return options.engine(frontend, history_file=_history_file(options))
    except Exception as problem:  # noqa: BLE001 - an engine of somebody's own
        raise ConfigError(f"the language engine failed: {Failure.of(problem).line}") from None


def _history_file(options: Options) -> Path | None:
    """Where cells are remembered; None: in memory only."""
    if options.history_file == "off":
        return None
    if options.history_file is not None:
        return Path(options.history_file)
    return connection.data_dir() / "minikernel" / "history.sqlite"
