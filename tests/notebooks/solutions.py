"""What solves the exercises: the lessons don't tell."""

from __future__ import annotations

SOLUTIONS = {
    "01-channels": """
def between(trace):
    iopub = [event.msg_type for event in trace if event.channel == "iopub"]
    return [msg_type for msg_type in iopub if msg_type != "status"]
""",
    "02-signature": """
def sign_lengths(key, frames):
    parts = frames[2:6]
    lengths = [len(frame).to_bytes(8, "big") for frame in parts]
    return hmac.new(key, b"".join(lengths + parts), "sha256").hexdigest().encode()
""",
}
