"""`In`, `Out`, `_`, `__` and `___`."""

from __future__ import annotations

import builtins
from typing import Any

KEPT = 1000  # values that Out keeps alive, as in IPython


class Results:
    """The names under which a session's cells and values stay at hand.

    Args:
        namespace: Where the names are put.
    """

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.sources: list[str] = [""]  # In: its index is the number of the cell
        self.values: dict[int, Any] = {}
        self._namespace = namespace
        self._latest: tuple[Any, ...] = ("", "", "")
        self._ours: dict[str, Any] = {}  # what we have put under their names
        namespace.update(In=self.sources, Out=self.values)
        self._put()

    def keep_source(self, source: str) -> None:
        """Append to In; the same source again takes no memory."""
        same = self.sources[-1]
        self.sources.append(same if same == source else source)
        if "_" in vars(builtins):
            self._make_way()

    def keep_value(self, number: int | None, value: object) -> None:
        """Put a value into Out, unless `number` is None, and into `_`.

        As in IPython, `_`, `__` and `___` are left alone for as long as one of them is the user's:
        `from gettext import gettext as _`, a loop's `_`, what `gettext.install()` puts into
        builtins.
        """
        if value is self.values:
            return
        if number is not None:
            self.values[number] = value
            if len(self.values) > KEPT:
                del self.values[next(iter(self.values))]
        self._latest = (value, *self._latest[:2])
        if self._are_ours() and not callable(getattr(builtins, "_", None)):
            self._put()

    def forget(self) -> None:
        """Release all values."""
        self.values.clear()
        self._latest = ("", "", "")
        self._ours.clear()

    def _put(self) -> None:
        self._ours = dict(zip(("_", "__", "___"), self._latest, strict=True))
        self._namespace.update(self._ours)

    def _are_ours(self) -> bool:
        """Whether the user has given none of the three names another meaning; deleted is free."""
        namespace = self._namespace
        return all(namespace.get(name, value) is value for name, value in self._ours.items())

    def _make_way(self) -> None:
        """Let a cell see the function that another one has put into builtins."""
        ours = self._namespace.get("_", builtins) is self._ours["_"]
        if ours and callable(getattr(builtins, "_", None)):
            del self._namespace["_"]
