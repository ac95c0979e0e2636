"""How to run a kernel, and what follows from it and from the connection file."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from minikernel.auth import registry
from minikernel.auth.jupyter_hmac import PREFIX
from minikernel.errors import ConfigError
from minikernel.interpreter.base import Failure
from minikernel.interpreter.python import PythonEngine
from minikernel.transport import connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from minikernel.auth.keys import SecretKey
    from minikernel.auth.replay_memory import ReplayMemory
    from minikernel.auth.scheme import Scheme
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


def parent() -> int | None:
    """The process whose end is to be ours (JPY_PARENT_PID, set by jupyter_client); None: nobody's.

    A launcher may stand between; but if we belong to init already, our parent has gone.
    """
    launcher = os.environ.get("JPY_PARENT_PID")
    if launcher is None:
        return None
    return int(launcher) if os.getppid() == 1 and launcher.isdigit() else os.getppid()


def scheme_name(info: connection.ConnectionInfo, options: Options) -> str:
    """The scheme to run: the file's, or "null" if that was asked for and the key is empty.

    Raises:
        ConfigError: the file and the options don't go together.
    """
    if info.is_invitation:
        raise ConfigError("the connection file is an invitation: a kernel runs with its owner's")
    asked, said = options.scheme, info.signature_scheme
    if asked == registry.NULL and not info.key:
        return registry.NULL
    if asked is not None and asked != said:
        raise ConfigError(f"the connection file asks for {said!r}, and --scheme for {asked!r}")
    if options.refuse and said not in registry.WITH_SESSIONS:
        raise ConfigError(f"{said} knows no invitations that --refuse could take back")
    if said in registry.WITH_SESSIONS and not options.guards:
        raise ConfigError(f"{said} has no guards that could be off: leave out --guards")
    return said


def make_scheme(name: str, key: SecretKey, memory: ReplayMemory | None) -> Scheme:
    """The kernel's end of a scheme without sessions.

    Args:
        name: of the scheme.
        key: of the connection file.
        memory: what was accepted before, if that is remembered.

    Raises:
        ConfigError: the scheme is unknown or refuses the key.
    """
    if name != registry.CHALLENGE_ONCE:
        return registry.create(name, key, memory)
    from minikernel.auth.challenge_once import KernelChallengeOnce  # noqa: PLC0415 - few kernels need it

    return KernelChallengeOnce(key, entropy=os.urandom, clock=time.monotonic)


def remembers(name: str, options: Options) -> bool:
    """Whether replays are remembered: other schemes have counters, or nothing."""
    return options.guards and name.startswith(PREFIX)


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
