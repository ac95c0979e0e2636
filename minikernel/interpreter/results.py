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
        self._latest: tuple[Any, Any, Any] = ("", "", "")
        namespace.update(In=self.sources, Out=self.values, _="", __="", ___="")

    def keep_source(self, source: str) -> None:
        """Append to In; the same source again takes no memory."""
        same = self.sources[-1]
        self.sources.append(same if same == source else source)

    def keep_value(self, number: int | None, value: Any) -> None:  # noqa: ANN401 - any value
        """Put a value into Out, unless `number` is None, and into `_`.

        A gettext function under the name `_` in builtins is left alone.
        """
        if value is self.values:
            return
        if number is not None:
            self.values[number] = value
            if len(self.values) > KEPT:
                del self.values[next(iter(self.values))]
        if not callable(getattr(builtins, "_", None)):
            self._latest = (value, *self._latest[:2])
            self._namespace["_"], self._namespace["__"], self._namespace["___"] = self._latest
