"""How a kernel that others wrote ends, and what is looked at before something is removed."""

REAPER, REAPING = "minikernel/bridge/reaper.py", "minikernel/bridge/reaping.py"
FOLDER, LISTENING = "minikernel/bridge/folder.py", "minikernel/bridge/listening.py"
DEATHS = "tests/bridge/test_reaper.py"
ENDS = f"{DEATHS}::test_nothing_is_left_of_a_program"
PROCESS = "tests/bridge/test_reaping.py"

ROWS: list[tuple[str, str, str, str, str]] = [
    (
        "orphans become the reaper's",
        REAPING,
        "    _control_process(SET_SUBREAPER, 1)\n",
        "",
        f"{ENDS}[double fork-SIGKILL of the bridge]",
    ),
    (
        "what does not heed SIGTERM gets SIGKILL",
        REAPING,
        "((_signal.SIGTERM, GRACE), (_signal.SIGKILL, LAST))",
        "((_signal.SIGTERM, GRACE),)",
        f"{ENDS}[deaf to SIGTERM-SIGKILL of the bridge]",
    ),
    (
        "SIGTERM comes once",
        REAPING,
        "left - told",
        "left",
        f"{PROCESS}::test_those_that_heed_it_get_sigterm_once",
    ),
    (
        "the bridge takes over from a reaper that was killed",
        REAPER,
        "if line else self._take_over()",
        "if line else -9",
        f"{ENDS}[double fork-SIGKILL of the reaper]",
    ),
    (
        "a kernel whose reaper is killed is killed",
        REAPING,
        "    _control_process(SET_DEATH_SIGNAL, _signal.SIGKILL)\n",
        "",
        f"{DEATHS}::test_nothing_is_left_of_a_kernel_whose_reaper_and_bridge_die_at_once",
    ),
    (
        "the reaper is deaf",
        REAPING,
        "        _signal.signal(number, _signal.SIG_IGN)\n",
        "        pass\n",
        f"{PROCESS}::test_the_reaper_is_deaf",
    ),
    (
        "a kernel does not ignore what its bridge ignores",
        REAPING,
        "        _signal.signal(number, _signal.SIG_DFL)\n    if hangup",
        "        pass\n    if hangup",
        f"{PROCESS}::test_the_kernel_has_the_signals_of_any_program",
    ),
    (
        "another folder with the name of ours stays",
        FOLDER,
        "        if (found.st_dev, found.st_ino) != (folder.device, folder.inode):\n",
        "        if False:\n",
        "tests/bridge/test_folder.py::test_what_has_its_name_later_stays",
    ),
    (
        "a folder that others can enter is refused",
        FOLDER,
        " or stat.S_IMODE(found.st_mode) != ONLY_OURS",
        "",
        "tests/bridge/test_folder.py::test_one_that_others_can_enter_is_refused",
    ),
    (
        "a kernel's ports are those of all its processes",
        LISTENING,
        "sorted(processes.family(reaper, processes.listed()))",
        "[reaper]",
        "tests/bridge/test_listening.py::test_a_port",
    ),
    (
        "who can't be looked at is named",
        LISTENING,
        "            unseen.append(pid)\n",
        "",
        "tests/bridge/test_listening.py::test_who_cannot_be_looked_at_is_named",
    ),
    (
        "a kernelspec that another has written stays",
        "minikernel/cli/protect.py",
        "    if os.path.lexists(target) and _note_in(target) is None:\n",
        "    if False:\n",
        "tests/cli/test_protect.py::test_anothers_kernelspec_is_left_alone",
    ),
    (
        "no early SIGINT ends a bridge",
        "minikernel/cli/protect.py",
        """'trap "" INT; exec "$@"'""",
        """'exec "$@"'""",
        "tests/cli/test_protect.py::test_no_early_interrupt_ends_it",
    ),
]
