"""What an observer's console shows, and what it does not send."""

ROWS: list[tuple[str, str, str, str, str]] = [
    (
        "the kernel names whose cell it runs",
        "minikernel/protocol/marks.py",
        "    return None if client_id is None else {MARK: {CLIENT: client_id}}",
        "    return None",
        "tests/protocol/test_marks.py",
    ),
    (
        "a name that only a key vouches for is not verified",
        "minikernel/client/verifier.py",
        'asker_in(msg["metadata"]) if self.traits.sessions else None',
        'asker_in(msg["metadata"])',
        "tests/client/test_verifier.py",
    ),
    (
        "a console sends no request without the right",
        "minikernel/cli/questions.py",
        "        return self._client.verifier.scheme.permits(msg_type)",
        "        return True",
        "tests/cli/test_console.py::test_several_lines_without_the_right_to_introspect",
    ),
    (
        "an observer's console sends no interrupt without the right",
        "minikernel/cli/watch.py",
        "            if not self._questions.may(INTERRUPT):",
        "            if False:",
        "tests/cli/test_console.py::test_an_observer_can_type_nothing",
    ),
    (
        "what was rejected comes first in the bottom line",
        "minikernel/cli/bottom.py",
        '    parts += [f"{row.channel}',
        '    parts[:0] = [f"{row.channel}',
        "tests/cli/test_bottom.py::test_the_bottom_line_of_a_narrow_window_says_what_was_rejected",
    ),
    (
        "who may not observe does not subscribe",
        "minikernel/client/opened.py",
        "            if channel is Channel.IOPUB and not client.verifier.scheme.observes:",
        "            if False:",
        "tests/integration/test_invitations.py",
    ),
    (
        "a name that nobody verified is quoted and escaped",
        "minikernel/cli/others.py",
        "    name = shortened(author.name, NAME)",
        "    name = author.name",
        "tests/cli/test_console.py::test_a_name_that_nobody_has_verified_is_quoted",
    ),
    (
        "admit makes no file that can't connect",
        "minikernel/cli/admit.py",
        "        _try(args.client, args.curve_clients)\n",
        "",
        "tests/cli/test_admit.py::test_a_file_that_can_not_connect_is_not_made",
    ),
    (
        "--refuse without -f is refused",
        "minikernel/cli/run.py",
        "    if new and args.scheme is not None and plugins.find(args.scheme).traits.invitations:",
        "    if False:",
        "tests/cli/test_run.py::test_refuse_without_the_invitation_s_kernel_is_refused",
    ),
    (
        "a scheme's two names are one",
        "minikernel/auth/registry.py",
        "    return ALIASES.get(name, name)",
        "    return name",
        "tests/cli/test_run.py::test_a_scheme_has_the_name_that_the_lab_gives_it_too",
    ),
]
