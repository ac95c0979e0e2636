"""The console's keys, as its help and a lone `?` show them."""

from __future__ import annotations

KEYS = """\
  Enter         run the cell, or begin a new line if it is not complete
  Esc Enter     run it in any case
  Tab           complete
  Right         take the rest that an earlier cell suggests
  Up, Down      earlier cells
  x?            describe x; x?? shows its source; ? alone shows these keys
  Ctrl-C        interrupt the running cell; at the prompt: drop what was typed
  Ctrl-D        end, as do exit and quit
  Ctrl-Q twice  with --existing: end the kernel, for everybody
"""
