"""`python -m minikernel` is the command `minikernel`."""

import sys

from minikernel.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
