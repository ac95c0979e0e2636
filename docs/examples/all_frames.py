"""A signature scheme: an HMAC over all frames of a message, so that it covers the buffers too."""

import hmac
from collections.abc import Sequence

from minikernel.auth.scheme import KeyScheme
from minikernel.auth.spec import Setup, Spec, Traits
from minikernel.errors import BadSignature, ConfigError

NAME = "all-frames"


class AllFrames(KeyScheme):
    """Signs and verifies with a key that is derived from the connection file's."""

    name = NAME

    def __init__(self, setup: Setup) -> None:
        if not setup.key:
            raise ConfigError(f"{NAME} needs a key")
        own = hmac.digest(b"all-frames 1", setup.key.reveal(), "sha256")
        self._keyed = hmac.new(own, digestmod="sha256")
        self._memory = setup.memory

    def sign(self, frames: Sequence[bytes]) -> bytes:
        mac = self._keyed.copy()
        for frame in frames:
            mac.update(memoryview(frame).nbytes.to_bytes(8, "big"))
            mac.update(frame)
        return mac.digest()

    def verify(self, signature: bytes, frames: Sequence[bytes]) -> None:
        digest = self.sign(frames)
        if not hmac.compare_digest(digest, signature):
            raise BadSignature("not by a holder of the key, or changed on the way")
        if self._memory is not None:
            self._memory.admit(digest[:16])  # raises Replayed


SPEC = Spec(Traits(replay_memory=True, covers="all"), AllFrames, AllFrames)
