"""`display`, `update_display` and `clear_output`, over the frontend."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from minikernel.interpreter.bundles import sendable, sendable_metadata
from minikernel.interpreter.formatting import Formatter, shows_itself

if TYPE_CHECKING:
    from collections.abc import Collection

    from minikernel.interpreter.base import Frontend, MimeBundle, Option, Value


class DisplayHandle:
    """What `display(..., display_id=...)` returns: shows again under the same id."""

    def __init__(self, displayer: Displayer, display_id: str) -> None:
        self.display_id = display_id
        self._displayer = displayer

    def __repr__(self) -> str:
        return f"<DisplayHandle display_id={self.display_id}>"

    def display(self, obj: object, **options: Option) -> None:
        """Show `obj` once more under this id."""
        self._displayer.display(obj, display_id=self.display_id, **options)

    def update(self, obj: object, **options: Option) -> None:
        """Replace what is shown under this id by `obj`."""
        self._displayer.update_display(obj, display_id=self.display_id, **options)


class Displayer:
    """The display functions of one engine. Their signatures are IPython's."""

    def __init__(self, frontend: Frontend) -> None:
        self.formatter = Formatter()
        self._frontend = frontend

    def display(
        self,
        *objs: Value,
        include: Collection[str] | None = None,
        exclude: Collection[str] | None = None,
        metadata: MimeBundle | None = None,
        transient: MimeBundle | None = None,
        display_id: str | bool | None = None,
        raw: bool = False,
        clear: bool = False,
        update: bool = False,
        **_: object,
    ) -> DisplayHandle | None:
        """Show objects in the richest form that the frontend knows.

        Args:
            *objs: The objects; with `raw` they are mime bundles already.
            include: Mimetypes to show only.
            exclude: Mimetypes not to show.
            metadata: Metadata per mimetype, on top of the objects' own.
            transient: For clients only, not for notebooks; its `display_id` counts as the other.
            display_id: An id for later updates; True makes one.
            raw: Whether the objects are mime bundles.
            clear: Whether the output is cleared first.
            update: Whether to replace what is shown under the id.

        Returns:
            A handle if there is an id; without objects one whose place is still empty.
        """
        transient = dict(transient or {})
        display_id = display_id or transient.pop("display_id", None)
        name = os.urandom(16).hex() if display_id is True else str(display_id or "") or None
        if update and name is None:
            raise TypeError("display_id required for update_display")
        if name and not objs:
            objs, raw = ({},), True  # a place that is filled later
        if clear:
            self.clear_output(wait=True)
        for obj in objs:
            data, about = (obj, {}) if raw else self._forms(obj, include, exclude)
            if data or raw:
                about = _merged(about, metadata or {})
                self._publish(data, about, obj, name, transient, update=update)
        return DisplayHandle(self, name) if name else None

    def update_display(self, obj: object, *, display_id: str, **options: Option) -> None:
        """Replace what is shown under `display_id` by `obj`."""
        self.display(obj, display_id=display_id, **{**options, "update": True})

    def clear_output(self, wait: bool = False) -> None:  # noqa: FBT001, FBT002 - IPython's signature
        """Clear the cell's output, with `wait` only when the next output comes."""
        self._frontend.clear_output(wait=wait)

    def publish_display_data(
        self,
        data: MimeBundle,
        metadata: MimeBundle | None = None,
        *,
        transient: MimeBundle | None = None,
        update: bool = False,
        **_: object,
    ) -> None:
        """Show a mime bundle, like IPython's function of that name."""
        transient = dict(transient or {})
        name = transient.pop("display_id", None)
        self._publish(data, metadata, data, name, transient, update=update)

    def _forms(
        self,
        obj: object,
        include: Collection[str] | None,
        exclude: Collection[str] | None,
    ) -> tuple[MimeBundle, MimeBundle]:
        return ({}, {}) if shows_itself(obj) else self.formatter.format(obj, include, exclude)

    def _publish(
        self,
        data: MimeBundle,
        metadata: MimeBundle | None,
        of: object,
        display_id: str | None,
        transient: MimeBundle,
        *,
        update: bool,
    ) -> None:
        if not isinstance(data, Mapping):
            raise TypeError(f"data must be a dict of mimetypes, not {type(data).__name__}")
        self._frontend.display(
            sendable(data, of),
            sendable_metadata(metadata, of),
            display_id=display_id,
            update=update,
            transient=sendable_metadata(transient, of),
        )


def _merged(one: object, other: object) -> Value:
    """Merge metadata as IPython does: key by key, and the other has the last word."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return other
    return {**one, **{key: _merged(one.get(key), value) for key, value in other.items()}}
