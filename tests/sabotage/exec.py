"""What `minikernel exec` does for scripts and notebooks, and what reaches a terminal."""

SCRIPT = "tests/cli/test_script.py"
TARGET = "tests/cli/test_target.py"
NOTEBOOK = "tests/cli/test_notebook.py"
ROWS: list[tuple[str, str, str, str, str]] = [
    (
        "a script does not outlive exec",
        "minikernel/cli/script.py",
        "preexec_fn=_die_with_parent(),  # noqa",
        "preexec_fn=None,  # noqa",
        f"{SCRIPT}::test_it_does_not_outlive_us",
    ),
    (
        "signals are handed on to a script",
        "minikernel/cli/script.py",
        "            self._child.send_signal(number)",
        "            self._child.kill()",
        f"{SCRIPT}::test_its_own_signal_handlers_are_called",
    ),
    (
        "a script's traceback has no frames of ours",
        "minikernel/interpreter/script.py",
        "        sys.excepthook = _hiding_us(",
        "        _hiding_us(",
        f"{SCRIPT}::test_it_is_as_with_python",
    ),
    (
        "a notebook's draft is private from the start",
        "minikernel/cli/target.py",
        "    mode = NEW_FILE if status is None else OURS_ALONE",
        "    mode = NEW_FILE",
        f"{TARGET}::test_the_draft_of_a_private_file_is_private_from_the_start",
    ),
    (
        "a file with other links is written in place",
        "minikernel/cli/target.py",
        "            if status is None or status.st_nlink == 1:",
        "            if True:",
        f"{TARGET}::test_hard_links_are_kept",
    ),
    (
        "a pipe is not replaced",
        "minikernel/cli/target.py",
        "        if status is not None and not stat.S_ISREG(status.st_mode):",
        "        if False:",
        f"{TARGET}::test_a_pipe_stays_a_pipe",
    ),
    (
        "a full disk leaves the old file",
        "minikernel/cli/target.py",
        "            _pour(descriptor, bytes(max(0, len(content) - size)))",
        "            pass",
        f"{TARGET}::test_a_full_disk_leaves_the_file_as_it_was",
    ),
    (
        "no draft is left behind",
        "minikernel/cli/target.py",
        "        draft.unlink()\n",
        "",
        f"{TARGET}::test_a_full_disk_leaves_the_file_as_it_was",
    ),
    (
        "a notebook's mode is kept",
        "minikernel/cli/target.py",
        "    os.fchmod(descriptor, stat.S_IMODE(status.st_mode))",
        "",
        f"{TARGET}::test_the_mode_is_kept",
    ),
    (
        "odd notebooks are read",
        "minikernel/cli/document.py",
        "        with contextlib.suppress(nbformat.ValidationError):",
        "        with contextlib.nullcontext():",
        "tests/cli/test_document.py",
    ),
    (
        "outputs that came before an end are kept",
        "minikernel/cli/notebook.py",
        "            self._take_the_rest(index, before)",
        "            self._capture.begin(index)",
        f"{NOTEBOOK}::test_the_death_of_the_kernel_is_said_and_loses_nothing",
    ),
    (
        "pages are outputs",
        "minikernel/cli/notebook.py",
        '                self._capture.page(item["data"], index)',
        "                pass",
        f"{NOTEBOOK}::test_help_and_pages_are_outputs",
    ),
    (
        "questions are escaped",
        "minikernel/client/terminal.py",
        "    shown = plain(prompt)",
        "    shown = prompt",
        "tests/client/test_terminal.py::test_questions",
    ),
]
