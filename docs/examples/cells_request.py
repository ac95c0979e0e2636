"""A request type more, on shell: `cells_request` asks how many cells were counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minikernel.kernel.handlers import HANDLERS
from minikernel.wire.channels import Channel
from minikernel.wire.content import ok

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minikernel.kernel.handlers import Parts
    from minikernel.wire.message import Message


def cells(parts: Parts, _message: Message) -> Mapping[str, Any]:
    """Say how many cells were counted."""
    return ok(count=parts.engine.execution_count)


HANDLERS[Channel.SHELL, "cells_request"] = cells
