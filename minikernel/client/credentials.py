"""What a connection file lets a client be: the holder of the key, or somebody invited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from minikernel.auth.keys import SecretKey
from minikernel.auth.registry import canonical
from minikernel.auth.spec import Invitation
from minikernel.errors import ConfigError
from minikernel.transport import plugins

if TYPE_CHECKING:
    from collections.abc import Mapping

INVITED = "no longer accepts this invitation (new key, --refuse, or an edited file)"


class Fields(msgspec.Struct, frozen=True):
    """The fields of a file that take the place of the key (channel-hmac, section 2)."""

    client_id: str
    rights: int
    client_key: str

    def __repr__(self) -> str:
        return f"Fields({self.client_id!r}, {self.rights})"


def chosen_scheme(wanted: str | None, named: str) -> str:
    """The scheme to speak.

    Args:
        wanted: what the caller expects; None: anything but no authentication.
        named: what the connection file says.

    Raises:
        ConfigError: they do not agree.
    """
    wanted = wanted if wanted is None else canonical(wanted)
    if wanted is None and plugins.find(named).traits.keyless:
        raise ConfigError(
            "the connection file asks for unauthenticated messages:"
            f' pass scheme="{named}" if that is what you want'
        )
    if wanted not in {None, named} and not plugins.find(wanted).traits.keyless:
        raise ConfigError(f"the connection file says scheme {named!r}, expected was {wanted!r}")
    return named if wanted is None else wanted


def invitation_in(fields: Mapping[str, Any], scheme: str) -> Invitation | None:
    """The invitation in the fields of a connection file; None: it is the owner's.

    Raises:
        ConfigError: it is none, or the scheme knows none.
    """
    if fields.get("client_key") is None:
        return None
    if not plugins.find(scheme).traits.invitations:
        raise ConfigError(f"the connection file is an invitation, and {scheme} knows none")
    try:
        said = msgspec.convert(dict(fields), Fields)
    except msgspec.ValidationError as problem:
        raise ConfigError(f"the connection file is no invitation: {problem}") from None
    return Invitation(said.client_id, said.rights, SecretKey(said.client_key.encode()))


def unanswered(invitation: Invitation | None) -> str:
    """Why a kernel may not have answered a handshake: to a stranger it says nothing."""
    known = "does not know this client" if invitation is None else INVITED
    return f"it is not running, or {known}"
