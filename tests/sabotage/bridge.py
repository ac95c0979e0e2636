"""What a bridge refuses, and what it does once, or in time."""

RELAY, FRONT = "minikernel/protocol/relay.py", "minikernel/bridge/front.py"
PASSING, LIFE = "minikernel/bridge/passing.py", "minikernel/bridge/life.py"
WISHES = "minikernel/bridge/wishes.py"
PASSES, REFUSES = "tests/bridge/test_passing.py", "tests/bridge/test_front.py"
LIVES = "tests/bridge/test_life.py"
PRIVATE = "tests/bridge/test_privacy.py"
TAKEN = f"{PASSES}::test_another_request_with_a_msg_id_in_flight_is_refused"

ROWS: list[tuple[str, str, str, str, str]] = [
    (
        "a msg_id belongs to the first who used it",
        RELAY,
        "        if not self._claims.setdefault(header.msg_id, claim).is_of(claim):\n",
        "        self._claims[header.msg_id] = claim\n        if False:\n",
        TAKEN,
    ),
    (
        "who is refused for a msg_id ends no cell of its owner's",
        FRONT,
        "quiet = isinstance(problem, RequestIdTaken)",
        "quiet = False",
        TAKEN,
    ),
    (
        "a question is answered by whom it was asked",
        RELAY,
        "        if not asked:\n            raise ContentError(",
        "        if not asked:\n            return\n            raise ContentError(",
        "tests/protocol/test_relay.py::test_questions_are_answered_by_whom_they_were_asked",
    ),
    (
        "what is known to belong elsewhere does not pass",
        RELAY,
        "if not may_pass(channel, msg_type):",
        "if False:",
        f"{REFUSES}::test_what_may_not_be_said_is_answered[control-execute_request-content0]",
    ),
    (
        "what the kernel says does not come back as a request",
        FRONT,
        "Guards(own_session=own, ",
        "Guards(",
        f"{REFUSES}::test_what_the_kernel_says_does_not_come_back_as_a_request",
    ),
    (
        "a bridge remembers what it has passed on",
        LIFE,
        "os.urandom, memory.replays)",
        "os.urandom, None)",
        f"{REFUSES}::test_a_replay_does_not_reach_the_kernel",
    ),
    (
        "a bridge remembers what the one before has passed on",
        LIFE,
        "memory.close(keep=path.exists())",
        "memory.close(keep=False)",
        f"{LIVES}::test_a_restart_with_the_same_keys_and_ports",
    ),
    (
        "a burst of signals is one wish",
        WISHES,
        "        if now - self._fulfilled < SAME:\n",
        "        if False:\n",
        "tests/bridge/test_wishes.py::test_a_burst_of_signals_is_one_wish",
    ),
    (
        "a message after a signal is the same wish",
        WISHES,
        "        if now - self._signalled < SAME:\n",
        "        if False:\n",
        "tests/bridge/test_wishes.py::test_the_message_after_a_signal_is_the_same_and_the_next_is_not",
    ),
    (
        "an interrupt_request becomes a signal where the kernel wants that",
        PASSING,
        "            self._kernel.signal(signal.SIGINT)\n        return True\n",
        "            return True\n        return True\n",
        f"{PASSES}::test_two_interrupts_in_a_row_are_two",
    ),
    (
        "requests wait that the kernel does not take yet",
        PASSING,
        "if not self._back.sockets.has_room(channel):",
        "if False:",
        f"{PASSES}::test_what_the_kernel_can_not_take_yet_waits_at_its_sender",
    ),
    (
        "a bridge ends with whoever has started it",
        LIFE,
        "if os.getppid() != self._parent:",
        "if False:",
        f"{LIVES}::test_it_ends_with_whoever_has_started_it",
    ),
    (
        "a kernel with a port is refused where it must be private",
        LIFE,
        "            self._code = REFUSED\n",
        "",
        f"{PRIVATE}::test_a_kernel_with_an_open_port_is_refused",
    ),
    (
        "no debugger where the kernel must be private",
        PASSING,
        "if msg_type == DEBUG and not self._debugs:",
        "if False:",
        f"{PRIVATE}::test_a_private_kernel_has_no_debugger_and_else_everything",
    ),
]
