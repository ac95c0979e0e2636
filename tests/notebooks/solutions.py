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
    "03-challenge": """
import hmac


def answer(key, challenge):
    message = challenge.removeprefix(b"#CHALLENGE#")
    return b"{sha256}" + hmac.digest(key, message, "sha256")
""",
    "04-replay": """
class Memory:
    def __init__(self, size):
        self.size = size
        self.kept = []

    def admit(self, digest):
        if digest in self.kept:
            return False
        self.kept = [*self.kept, digest][-self.size :]
        return True
""",
    "05-channel-hmac": """
def own_tag(auth, session):
    for at in range(26, len(auth), 24):
        if auth[at : at + 8] == session:
            return auth[at + 8 : at + 24]
    return None
""",
    "06-matrix": """
prediction = {
    "clear-key": "through",
    "challenge-once": "through",
    "jupyter-hmac-bare": "through",
    "jupyter-hmac": "stopped",
    "channel-hmac": "stopped",
}
""",
    "07-speed": """
import math


def percentile(times, percent):
    return sorted(times)[math.ceil(len(times) * percent / 100) - 1]
""",
}
