"""The clock as it was at the start: cells freeze that of every module, with freezegun say."""

from __future__ import annotations

import time


class Clock:
    """Functions of `time`, where what replaces those of modules does not look for them."""

    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)
    time = staticmethod(time.time)
