"""What the kernel does for one request and its life."""

SHARING = "tests/transport/test_sharing.py"
ROWS: list[tuple[str, str, str, str, str]] = [
    (
        "exit handlers don't let go of buffers that are being sent",
        "minikernel/transport/sharing.py",
        "            atexit.unregister(gc._atexit)",
        "            pass",
        "tests/integration/test_buffers.py::test_a_kernel_ends_while_it_sends_a_large_buffer",
    ),
    (
        "only what can't change is sent without a copy",
        "minikernel/transport/sharing.py",
        "    return type(view.obj) is bytes and view.c_contiguous",
        "    return view.c_contiguous",
        f"{SHARING}::test_all_else_is_copied",
    ),
    (
        "libzmq gets no context where descriptors are few",
        "minikernel/transport/sharing.py",
        "            check_descriptors()\n",
        "",
        f"{SHARING}::test_no_descriptor_is_left",
    ),
    (
        "a replay memory's file that was moved stays locked",
        "minikernel/transport/memory.py",
        "[ring for ring in held if ring.has_a_name]",
        "[]",
        "tests/transport/test_memory.py::test_a_file_that_was_moved_stays_locked_until_the_end",
    ),
    (
        "a file that is gone is let go of",
        "minikernel/transport/memory.py",
        "[ring for ring in held if ring.has_a_name]",
        "held",
        "tests/transport/test_memory.py::test_files_that_are_gone_are_let_go_of",
    ),
    (
        "a message is accepted once",
        "minikernel/auth/replay_memory.py",
        "            if self._holds(digest):",
        "            if False:",
        "tests/auth/test_replay_memory.py",
    ),
]
