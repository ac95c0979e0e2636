from __future__ import annotations

import copy
import pickle

import pytest

from minikernel.auth.keys import SecretKey


def test_a_key_shows_itself_to_nobody() -> None:
    key = SecretKey(b"very secret")
    assert (
        f"{key!r}{key!s}{[key]}"
        == 2 * str(key) + f"[{key}]"
        == ("SecretKey(<redacted>)SecretKey(<redacted>)[SecretKey(<redacted>)]")
    )
    assert key.reveal() == b"very secret"
    assert len(key) == 11
    assert not SecretKey(b"")
    for dump in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            dump(key)
