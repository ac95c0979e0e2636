"""Rows for the seam: traits, and schemes that packages bring."""

from __future__ import annotations

PLUGINS = "tests/transport/test_plugins.py"
OWN = "tests/integration/test_own_schemes.py"
ENDS = "tests/kernel/test_connection.py"

ROWS: list[tuple[str, str, str, str, str]] = [
    (
        "the working directory brings no scheme",
        "minikernel/transport/plugins.py",
        "if os.path.isabs(entry) and os.path.realpath(entry) != here",
        "if os.path.isabs(entry)",
        f"{PLUGINS}::test_none_in_the_working_directory",
    ),
    (
        "nor does one that is named by a relative path",
        "minikernel/transport/plugins.py",
        "if os.path.isabs(entry) and os.path.realpath(entry) != here",
        "if os.path.realpath(entry) != here",
        f"{PLUGINS}::test_none_by_a_path_that_begins_there",
    ),
    (
        "a scheme's module is not imported from the working directory",
        "minikernel/transport/plugins.py",
        "whole, sys.path[:] = sys.path[:], path",
        "whole = sys.path[:]",
        f"{PLUGINS}::test_its_module_is_not_taken_from_there_either",
    ),
    (
        "no package takes the name of a built-in scheme",
        "minikernel/transport/plugins.py",
        "    if registry.knows(name):\n",
        "    if False:\n",
        f"{PLUGINS}::test_never_in_place_of_a_scheme_of_the_table",
    ),
    (
        "a scheme that wants a replay memory gets one",
        "minikernel/kernel/assembly.py",
        "if options.guards and spec.traits.replay_memory:",
        'if options.guards and name.startswith("hmac-"):',
        f"{OWN}::test_what_was_recorded_is_refused",
    ),
    (
        "where replays are remembered, what earlier runs said is known too",
        "minikernel/kernel/connection.py",
        "kernel_session_id(key) if traits.replay_memory else os.urandom(16).hex()",
        "os.urandom(16).hex()",
        f"{ENDS}::test_where_replays_are_remembered_our_own_messages_are_known_in_each_run",
    ),
]
