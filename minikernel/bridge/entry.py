"""The first line of a bridge: what a protected kernelspec runs."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # C's half of `signal`, which is there already
from typing import TYPE_CHECKING

from minikernel.bridge import starting
from minikernel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

USAGE = "protect --run: meant for a kernelspec, FOLDER [--require-private] -f FILE [-- ...]"


def run(words: Sequence[str]) -> int:
    """Be the bridge; its exit code.

    Args:
        words: the arguments after `minikernel protect --run`.

    Raises:
        ConfigError: the kernelspec has gone, or the kernel can't be started.
    """
    _hold_interrupts()
    options = parsed(words)
    started = starting.start(options)
    try:
        from minikernel.bridge.service import run as serve  # noqa: PLC0415 - the kernel comes first

        return serve(options, started)
    finally:
        started.kernel.close()


def parsed(words: Sequence[str]) -> starting.Options:
    """The options, without argparse.

    Raises:
        ConfigError: they are not what `minikernel protect` writes.
    """
    end = words.index("--") if "--" in words else len(words)
    given, more = list(words[:end]), tuple(words[end + 1 :])
    require_private = "--require-private" in given
    if require_private:
        given.remove("--require-private")
    match given:
        case [folder, "-f", connection_file]:
            return starting.Options(folder, connection_file, require_private, more)
    raise ConfigError(USAGE)


def _hold_interrupts() -> None:
    """Let SIGINT wait until somebody knows what to do about it.

    The kernelspec's shell has had it ignored up to here, when there was nothing to interrupt.
    """
    _signal.pthread_sigmask(_signal.SIG_BLOCK, {_signal.SIGINT})
    _signal.signal(_signal.SIGINT, _signal.default_int_handler)  # one that is ignored doesn't wait
