"""The kernel's half of channel-hmac's handshake (section 3): which HELLO gets a CHALLENGE."""

from __future__ import annotations

import hmac
from collections import deque
from typing import TYPE_CHECKING

from minikernel.auth.channel_hmac.frames import (
    NONCE,
    mac,
    parse_hello,
    unsigned_challenge,
)
from minikernel.auth.channel_hmac.keys import SessionKeys
from minikernel.auth.channel_hmac.sessions import Client
from minikernel.auth.rights import is_client
from minikernel.errors import BadSignature, ChallengeError, FramingError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from minikernel.auth.channel_hmac.frames import Hello
    from minikernel.auth.channel_hmac.keys import Credential, Master
    from minikernel.auth.channel_hmac.sessions import SessionLimits

SECOND = 1.0


class HandshakeGuard:
    """Answers each HELLO of a client once, and not too many of them.

    Args:
        master: derives the clients' keys.
        refuse: ids that are not let in.
        limits: the budget of challenges and the size of the nonce memory.
        entropy: n -> n random bytes (os.urandom).
    """

    def __init__(
        self,
        master: Master,
        refuse: Collection[str],
        limits: SessionLimits,
        entropy: Callable[[int], bytes],
    ) -> None:
        self._master = master
        self._refuse = frozenset(refuse)
        self._limits = limits
        self._entropy = entropy
        self._granted: dict[Client, _Granted] = {}

    def check(self, auth: bytes) -> tuple[Hello, Credential]:
        """Check a HELLO, keeping nothing.

        Raises:
            FramingError: a length, a fixed field, the id or the rights are wrong.
            BadSignature: the tag is.
            ChallengeError: its id is refused.
        """
        hello = parse_hello(auth)
        if not is_client(hello.client_id, hello.rights):
            raise FramingError("an id or rights that no client has")
        credential = self._master.credential(hello.client_id, hello.rights)
        if not hmac.compare_digest(mac(credential.hello_key, hello.signed), hello.tag):
            raise BadSignature("the tag of HELLO does not match")
        if hello.client_id in self._refuse:
            raise ChallengeError("this client is refused")
        return hello, credential

    def admit(self, hello: Hello, now: float) -> None:
        """Take a challenge from the client's budget and remember the nonce.

        Raises:
            ChallengeError: the nonce is remembered already, or the budget is used up.
        """
        client = Client(hello.client_id, hello.rights)
        granted = self._granted.get(client)
        if granted is None:
            granted = self._granted[client] = _Granted(self._limits)
        granted.admit(hello.nonce, now)

    def answer(
        self, auth: bytes, credential: Credential, session: bytes, run_id: bytes, published: int
    ) -> tuple[bytes, SessionKeys]:
        """The CHALLENGE, and the keys of the session that it opens."""
        unsigned = unsigned_challenge(session, run_id, self._entropy(NONCE), published)
        challenge = unsigned + mac(credential.challenge_key, auth, unsigned)
        return challenge, SessionKeys(credential.psk, auth, challenge)


class _Granted:
    """What one (id, rights) was granted lately."""

    def __init__(self, limits: SessionLimits) -> None:
        self._times: deque[float] = deque(maxlen=limits.challenges)
        self._nonces: deque[bytes] = deque()
        self._known: set[bytes] = set()
        self._capacity = limits.nonces

    def admit(self, nonce: bytes, now: float) -> None:
        if nonce in self._known:
            raise ChallengeError("this HELLO was answered before")
        times = self._times
        if len(times) == times.maxlen and now - times[0] < SECOND:
            raise ChallengeError("too many HELLOs of this client")
        times.append(now)
        if len(self._nonces) == self._capacity:
            self._known.remove(self._nonces.popleft())
        self._nonces.append(nonce)
        self._known.add(nonce)
