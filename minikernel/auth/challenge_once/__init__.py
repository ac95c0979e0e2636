"""The thread's proposal of 2011: `multiprocessing`'s one-time challenge, on ROUTER and DEALER.

On shell, control and stdin each identity is challenged once, mutually, and trusted from then on;
on iopub nobody can be. Afterwards the signature frame is empty: what follows is not covered, and
whoever takes over the identity is the client. docs/challenge.md says what that lets through. The
kernel's end is in `kernel`, the client's in `client`.

Each line is one frame after the delimiter. A ROUTER knows nobody who has not spoken, so the client
knocks first; then it is `Listener` and `Client` of `multiprocessing.connection`:

    client -> kernel   #KNOCK#
    kernel -> client   #CHALLENGE#{sha256} nonce
    client -> kernel   {sha256} HMAC
    kernel -> client   #WELCOME#                    or #FAILURE#
    client -> kernel   #CHALLENGE#{sha256} nonce
    kernel -> client   {sha256} HMAC
    client -> kernel   #WELCOME#                    now the kernel trusts the identity
"""

from __future__ import annotations

from minikernel.auth.spec import Spec, Traits, lazily
from minikernel.wire.channels import Role

NAME = "challenge-once"
TRAITS = Traits(
    replay_memory=False, covers="none", digests=frozenset({Role.KERNEL}), handshake=True
)
SPEC = Spec(
    TRAITS,
    lazily("minikernel.auth.challenge_once.kernel:make"),
    lazily("minikernel.auth.challenge_once.client:make"),
)
