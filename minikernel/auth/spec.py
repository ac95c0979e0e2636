"""A row of the table of schemes: what the rest asks about it, and who makes its two sides."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from minikernel.wire.channels import Role

if TYPE_CHECKING:
    from collections.abc import Callable

    from minikernel.auth.keys import SecretKey
    from minikernel.auth.replay_memory import ReplayMemory
    from minikernel.auth.scheme import ClientSide, KernelSide

Given: TypeAlias = Any  # what a function takes and gives that is not imported yet


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What the rest of the house asks about a scheme, in place of its name.

    Args:
        replay_memory: both ends remember what they accepted, and the kernel refuses its own
            messages, because nothing in a signature says where and when it is good.
        covers: what of a message a signature covers: "all", "json" (all but buffers) or "none".
        digests: whose ends add a digest of the buffers to the metadata; the kernel numbers what it
            publishes in the same place.
        stock: any Jupyter client can speak it.
        keyless: it authenticates nobody; its connection file has an empty key, as Jupyter wants it.
        weak: it rests on a broken hash.
        handshake: a client shakes hands before it speaks.
        sessions: the kernel tells its clients apart, and each has keys and counters of its own for
            each channel and direction.
        heartbeat: pings and pongs are authenticated; `sessions` too.
        invitations: a client can have a key with rights of its own.
    """

    replay_memory: bool  # without a default: whoever says no must have another answer to replays
    covers: str = "json"
    digests: frozenset[Role] = frozenset(Role)
    stock: bool = False
    keyless: bool = False
    weak: bool = False
    handshake: bool = False
    sessions: bool = False
    heartbeat: bool = False
    invitations: bool = False

    @property
    def signs_as_jupyter(self) -> bool:
        """Whether jupyter_client's Session can be told of it."""
        return self.stock and not self.keyless


class Invitation(NamedTuple):
    """What a connection file has in place of its key (channel-hmac, section 2)."""

    client_id: str
    rights: int
    key: SecretKey  # `client_key`, in hex


class Setup(NamedTuple):
    """What a side of a scheme is made of; it takes what it needs."""

    name: str  # the `signature_scheme`
    key: SecretKey  # of the connection file
    entropy: Callable[[int], bytes]  # n -> n random bytes
    memory: ReplayMemory | None = None  # what was accepted before, if that is remembered
    invitation: Invitation | None = None  # of a client whose file has one and no key
    sessions: int = 32  # places for clients
    refuse: tuple[str, ...] = ()  # ids of invitations that are not let in


class Spec(NamedTuple):
    """A row of the table of schemes; both raise ConfigError for a key that does not do."""

    traits: Traits
    kernel: Callable[[Setup], KernelSide]
    client: Callable[[Setup], ClientSide]
    invite: Callable[[SecretKey, str, int], str] | None = None  # key, id, rights -> `client_key`


def lazily(path: str) -> Callable[..., Any]:
    """A function that is imported when it is called: "package.module:function"."""
    module, _, name = path.partition(":")

    def call(*args: Given) -> Given:
        return getattr(import_module(module), name)(*args)

    return call
