"""What a connection file lets a client be: the holder of the key, or somebody invited."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec

from minikernel.auth.registry import CHALLENGE_ONCE, CHANNEL_HMAC, NULL, check
from minikernel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minikernel.auth.channel_hmac_keys import Credential
    from minikernel.auth.keys import SecretKey
    from minikernel.auth.scheme import Joining

ENDINGS = ": another key, --refuse, and an id or rights that were edited end an invitation"


class Invitation(msgspec.Struct, frozen=True):
    """The fields that stand in a file instead of the key (channel-hmac, section 2)."""

    client_id: str
    rights: int
    client_key: str

    def __repr__(self) -> str:
        return f"Invitation({self.client_id!r}, {self.rights})"


def chosen_scheme(wanted: str | None, named: str) -> str:
    """The scheme to speak.

    Args:
        wanted: what the caller expects; None: anything but no authentication.
        named: what the connection file says.

    Raises:
        ConfigError: they do not agree.
    """
    if wanted is None and named == NULL:
        raise ConfigError(
            "the connection file asks for unauthenticated messages:"
            ' pass scheme="null" if that is what you want'
        )
    if wanted not in {None, NULL, named}:
        raise ConfigError(f"the connection file says scheme {named!r}, expected was {wanted!r}")
    return NULL if wanted == NULL else named


def credential_in(fields: Mapping[str, Any], scheme: str, key: SecretKey) -> Credential | None:
    """The invitation in the fields of a connection file; None: it is the owner's.

    Raises:
        ConfigError: it is refused, or the key is.
    """
    if fields.get("client_key") is None:
        check(scheme, key)
        return None
    if scheme != CHANNEL_HMAC:
        raise ConfigError(f"the connection file is an invitation, and {scheme} knows none")
    from minikernel.auth.channel_hmac_keys import invited  # noqa: PLC0415 - few clients need it

    try:
        said = msgspec.convert(dict(fields), Invitation)
    except msgspec.ValidationError as problem:
        raise ConfigError(f"the connection file is no invitation: {problem}") from None
    return invited(said.client_id, said.rights, said.client_key)


def unanswered(invitation: Credential | None) -> str:
    """Why a kernel may not have answered a handshake: to a stranger it says nothing."""
    said = "it does not run, or does not know this client"
    return said if invitation is None else f"{said}{ENDINGS}"


def joining(name: str, key: SecretKey, invitation: Credential | None) -> Joining | None:
    """The scheme of this name, if it shakes hands; None: it does not.

    Raises:
        ConfigError: the key is refused.
    """
    if name == CHALLENGE_ONCE:
        from minikernel.auth.challenge_once_client import ClientChallengeOnce  # noqa: PLC0415 - few clients need it

        return ClientChallengeOnce(key, entropy=os.urandom)
    if name != CHANNEL_HMAC:
        return None
    from minikernel.auth.channel_hmac_client import ClientEnd  # noqa: PLC0415 - likewise
    from minikernel.auth.channel_hmac_keys import Master  # noqa: PLC0415 - likewise
    from minikernel.auth.channel_hmac_membership import ClientChannelHmac  # noqa: PLC0415 - likewise

    credential = invitation or Master(key).owner()
    return ClientChannelHmac(ClientEnd(credential, entropy=os.urandom), credential.rights)
