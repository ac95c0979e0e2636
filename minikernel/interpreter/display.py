"""`display`, `update_display` and `clear_output`, over the frontend."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from minikernel.interpreter.formatting import Formatter, shows_itself

if TYPE_CHECKING:
    from collections.abc import Collection

    from minikernel.interpreter.base import Frontend, MimeBundle


class DisplayHandle:
    """What `display(..., display_id=...)` returns: shows anew under the same id."""

    def __init__(self, displayer: Displayer, display_id: str) -> None:
        self.display_id = display_id
        self._displayer = displayer

    def __repr__(self) -> str:
        return f"<DisplayHandle display_id={self.display_id}>"

    def display(self, obj: Any, **options: Any) -> None:  # noqa: ANN401 - anything can be shown
        """Show `obj` once more under this id."""
        self._displayer.display(obj, display_id=self.display_id, **options)

    def update(self, obj: Any, **options: Any) -> None:  # noqa: ANN401
        """Replace what stands under this id by `obj`."""
        self._displayer.update_display(obj, display_id=self.display_id, **options)


class Displayer:
    """The display functions of one engine. Their signatures are IPython's."""

    def __init__(self, frontend: Frontend) -> None:
        self.formatter = Formatter()
        self._frontend = frontend

    def display(
        self,
        *objs: Any,  # noqa: ANN401
        include: Collection[str] | None = None,
        exclude: Collection[str] | None = None,
        metadata: MimeBundle | None = None,
        transient: MimeBundle | None = None,
        display_id: str | bool | None = None,
        raw: bool = False,
        clear: bool = False,
        **_: Any,  # noqa: ANN401 - IPython hands unknown options to its publisher, we drop them
    ) -> DisplayHandle | None:
        """Show objects in the richest form that the frontend knows.

        Args:
            *objs: The objects; with `raw` they are mime bundles already.
            include: Mimetypes to show only.
            exclude: Mimetypes not to show.
            metadata: Metadata per mimetype, on top of the objects' own.
            transient: Only its `display_id` matters.
            display_id: An id for later updates; True makes one.
            raw: Whether the objects are mime bundles.
            clear: Whether the output is cleared first.
        """
        display_id = display_id or (transient or {}).get("display_id")
        name = os.urandom(16).hex() if display_id is True else display_id or None
        if clear:
            self.clear_output(wait=True)
        for obj in objs:
            self._show(obj, include, exclude, metadata, raw=raw, display_id=name, update=False)
        return DisplayHandle(self, name) if name else None

    def update_display(
        self,
        obj: Any,  # noqa: ANN401
        *,
        display_id: str,
        include: Collection[str] | None = None,
        exclude: Collection[str] | None = None,
        metadata: MimeBundle | None = None,
        raw: bool = False,
        **_: Any,  # noqa: ANN401
    ) -> None:
        """Replace what stands under `display_id` by `obj`."""
        self._show(obj, include, exclude, metadata, raw=raw, display_id=display_id, update=True)

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
        **_: Any,  # noqa: ANN401
    ) -> None:
        """Show a mime bundle, as IPython's function of that name."""
        name = (transient or {}).get("display_id")
        self._frontend.display(dict(data), dict(metadata or {}), display_id=name, update=update)

    def _show(
        self,
        obj: Any,  # noqa: ANN401
        include: Collection[str] | None,
        exclude: Collection[str] | None,
        metadata: MimeBundle | None,
        *,
        raw: bool,
        display_id: str | None,
        update: bool,
    ) -> None:
        if raw:
            data, about = dict(obj), {}  # type: MimeBundle, MimeBundle
        elif shows_itself(obj):
            return
        else:
            data, about = self.formatter.format(obj, include, exclude)
        if data:
            about = {**about, **(metadata or {})}
            self._frontend.display(data, about, display_id=display_id, update=update)
