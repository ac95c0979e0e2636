"""Locks, for what two threads use: all that the core knows of threads. It starts none."""

from __future__ import annotations

from threading import Lock, RLock

__all__ = ["Lock", "RLock"]
