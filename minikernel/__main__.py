"""`python -m minikernel` is the command `minikernel`, without the working directory on its path.

Nothing may be imported before that is done: a file json.py beside a notebook would be run by
opening the notebook. A kernelspec says so to Python 3.11 itself, by PYTHONSAFEPATH, which is not
meant for the processes that cells start.
"""

import os
import sys


def _forget_where_we_are() -> None:
    if not getattr(sys.flags, "safe_path", False):
        try:
            here = os.getcwd()  # noqa: PTH109 - pathlib imports much, from the working directory too
        except OSError:  # it has been removed
            here = ""
        if sys.path[0] in {"", here, os.path.dirname(__file__)}:  # noqa: PTH120 - as above
            del sys.path[0]
    os.environ.pop("PYTHONSAFEPATH", None)


if __name__ == "__main__":
    _forget_where_we_are()
    if sys.argv[1:3] == ["protect", "--run"]:
        from minikernel.bridge import reaper

        reaper.fork()  # now: the rest would be as large in it as it is here
    from minikernel.cli.app import main

    sys.exit(main())
