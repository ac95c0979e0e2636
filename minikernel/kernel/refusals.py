"""What happens to messages that were refused: counted, seldom logged, answered if authentic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minikernel.errors import InternalError
from minikernel.protocol.kernel import error_reply

if TYPE_CHECKING:
    import contextlib

    from minikernel.errors import RemoteProtocolError
    from minikernel.kernel.publisher import Publisher
    from minikernel.protocol.end import ChannelEnd
    from minikernel.protocol.kernel import ErrorReply
    from minikernel.transport.log import Log


class Refusals:
    """Deals with the RemoteProtocolErrors of all channels."""

    def __init__(self, publisher: Publisher, log: Log) -> None:
        self._publisher = publisher
        self._log = log

    def note(self, end: ChannelEnd, problem: RemoteProtocolError) -> ErrorReply | None:
        """Log a refusal; how to answer it, if it was an authentic request."""
        total = sum(end.tally.rejected.values())
        what = f"refused, {problem.reason}"
        if isinstance(problem, InternalError):
            what = f"{problem.reason}, {problem}"
        self._log.line(f"{end.channel.value}: {what}; {total} so far")
        return error_reply(problem)

    def around(self, reply: ErrorReply) -> contextlib.AbstractContextManager[None]:
        """Publishes busy and idle around an error reply, where all may hear of it."""
        return self._publisher.working(reply.parent, announced=not reply.quiet)
