"""Which guard stops which attack, and how it is taken out.

`test_guards.py` takes them out, in a copy of the package, and sees the attack succeed. Where
several guards stand behind each other all are taken out; where a scheme has nothing to take out
(what was never known can't be accepted: a session of another run, a tag that was not sent) the row
has another scheme.

Two attacks have no row, as no guard stops them in any column: delay-everything and
middle-with-the-master-key.
"""

from __future__ import annotations

GUARDS: dict[str, tuple[tuple[str, str, str], ...]] = {  # file, text there once, text instead
    # jupyter-hmac, and what our clients and kernels add to it
    "signature": (
        (
            "auth/jupyter_hmac.py",
            "if not hmac.compare_digest(hexlify(digest), signature):",
            "if False:",
        ),
        ("auth/jupyter_hmac.py", "if len(signature) != self._length:", "if False:"),
    ),
    "replay memory": (("auth/replay_memory.py", "if self._holds(digest):", "if False:"),),
    "replay memory that survives": (
        (
            "auth/replay_memory.py",
            "if self._at(slot) != FREE:\n                self._insert",
            "if False:\n                self._insert",
        ),
    ),
    "verify, then remember": (
        (
            "auth/jupyter_hmac.py",
            "        digest = self._digest(frames)\n",
            """\
        digest = self._digest(frames)
        if self._memory is not None:
            self._memory.admit(hashlib.sha256(signature).digest()[:DIGEST_LENGTH])
""",
        ),
    ),
    "no reflection": (
        (
            "protocol/end.py",
            "if self._own is not None and self._own in raw.frames[0]:",
            "if False:",
        ),
        ("protocol/end.py", "if header.session == self._guards.own_session:", "if False:"),
    ),
    "channel table": (
        ("protocol/end.py", "            guards.channel_table\n", "            False\n"),
    ),
    "signed buffers": (
        ("protocol/end.py", "check_buffers(message.metadata, message.buffers)", "pass"),
    ),
    "lengths of signed buffers": (
        (
            "protocol/marks.py",
            'hashlib.sha256(b"".join(n.to_bytes(8, "big") for n in sizes))',
            "hashlib.sha256(bytes(len(sizes) * 0))",
        ),
    ),
    "numbers of what is published": (
        ("protocol/marks.py", "self.count += number - self._last - 1", "self.count += 0"),
    ),
    "outstanding questions only": (
        (
            "kernel/questions.py",
            "if question.is_answered_by(message):",
            "if True:",
        ),
        (
            "kernel/questions.py",
            "question.answer(message.content.value)",
            'question.answer(getattr(message.content, "value", "reflected"))',
        ),
    ),
    "the question by its name": (
        ("kernel/questions.py", "fits = named is None or named == self.msg_id", "fits = True"),
        ("kernel/questions.py", "and named == self.msg_id", "and True"),
    ),
    "replies that were asked for": (
        (
            "protocol/client.py",
            "asked = self._was_asked(channel, message.parent_header)",
            "asked = True",
        ),
    ),
    # the schemes of 2011
    "the key": (
        (
            "auth/clear_key.py",
            "if not hmac.compare_digest(self._sent.reveal(), signature):",
            "if False:",
        ),
    ),
    "challenged identities only": (
        ("auth/challenge_once/kernel.py", "if identity not in self._trusted:", "if False:"),
    ),
    # channel-hmac
    "tags": (
        (
            "auth/channel_hmac/session_channel.py",
            "if not hmac.compare_digest(expected, received.tag):",
            "if False:",
        ),
    ),
    "tags of publications": (
        (
            "auth/channel_hmac/client.py",
            "if not hmac.compare_digest(published_tag(self._publish_key, digest), tag):",
            "if False:",
        ),
    ),
    "a tag for each session": (
        (
            "auth/channel_hmac/client.py",
            'raise NoTag("not signed for us")',
            "return Address(tuple(route), own[0].id.hex())",
        ),
    ),
    "counters": (
        (
            "auth/counter.py",
            "if n <= self.last:\n            raise ReplayedCounter(",
            "if False:\n            raise ReplayedCounter(",
        ),
        (
            "auth/counter.py",
            "if n <= self.last:\n            raise LocalProtocolError(",
            "if False:\n            raise LocalProtocolError(",
        ),
    ),
    "gaps": (
        (
            "auth/counter.py",
            "skipped = n - self.last - 1 if self._counting else 0",
            "skipped = 0",
        ),
    ),
    "mark after verifying": (
        (
            "auth/channel_hmac/session_channel.py",
            "        self.received.check(received.counter)\n",
            """\
        self.received.check(received.counter)
        self.received.last = received.counter
""",
        ),
        (
            "auth/channel_hmac/session_channel.py",
            "return self.received.mark(received.counter)",
            "return 0",
        ),
    ),
    "lengths under the tag": (
        (
            "auth/channel_hmac/frames.py",
            "mac(key, head, _lengths(frames), *frames)",
            "mac(key, head, *frames)",
        ),
    ),
    "one route of a session": (
        (
            "auth/channel_hmac/session_channel.py",
            "if self.route is not None and route != self.route:",
            "if False:",
        ),
    ),
    "the channel in the tag": (
        (
            "auth/channel_hmac/frames.py",
            "if not auth.startswith(_STARTS[kind, channel]):",
            "if False:",
        ),
        (
            "auth/channel_hmac/keys.py",
            "bytes([CODES[channel], direction])",
            "bytes([1, direction])",
        ),
    ),
    "header.session": (
        ("auth/channel_hmac/kernel_side.py", "self._end.claim(client, session)", "pass"),
    ),
    "rights": (
        (
            "auth/channel_hmac/kernel_side.py",
            "return permits(_client(peer).rights, msg_type)",
            "return True",
        ),
    ),
    "whose question it is": (
        (
            "kernel/questions.py",
            "return message.peer.session == self.asked and",
            "return",
        ),
    ),
    "no identities": (
        (
            "client/opened.py",
            "is not Channel.IOPUB and not traits.sessions",
            "is not Channel.IOPUB",
        ),
        ("transport/sockets.py", "self._handover = handover", "self._handover = True"),
    ),
    "tag of HELLO": (
        (
            "auth/channel_hmac/handshake.py",
            "if not hmac.compare_digest(mac(credential.hello_key, hello.signed), hello.tag):",
            "if False:",
        ),
    ),
    "rights in the key": (
        (
            "auth/channel_hmac/keys.py",
            'b"client\\0" + rights.to_bytes(4, "big") +',
            'b"client\\0" +',
        ),
    ),
    "each HELLO once": (
        ("auth/channel_hmac/handshake.py", "if nonce in self._known:", "if False:"),
    ),
    "budget of HELLOs": (
        (
            "auth/channel_hmac/handshake.py",
            "if len(times) == times.maxlen and now - times[0] < SECOND:",
            "if False:",
        ),
    ),
    "busy and idle under one's own name": (
        (
            "protocol/kernel.py",
            "quiet = not peer.announced or (peer.session is not None and not problem.claimed)",
            "quiet = False",
        ),
    ),
    "no busy and idle for what all may ask": (
        (
            "protocol/kernel.py",
            "return message.peer.session is None or message.header.msg_type not in ALWAYS",
            "return True",
        ),
    ),
    "a new name in each run": (
        ("auth/channel_hmac/client.py", "if self._has_met:", "if False:"),
        (
            "auth/channel_hmac/client_side.py",
            "if is_taken and self._joining.names < MOST_NAMES:",
            "if False:",
        ),
    ),
    # all schemes
    "size of a header": (
        (
            "wire/frames.py",
            "if limits.header is not None and max(len(header), len(parent)) > limits.header:",
            "if False:",
        ),
    ),
    "the date of a shutdown_request": (
        (
            "protocol/end.py",
            'if guards.started is not None and msg_type == "shutdown_request":',
            "if False:",
        ),
    ),
    "a message without its end": (
        (
            "transport/sockets.py",
            "            return self._cut_off() if cut else None",
            "            if cut:\n                raise\n            return None",
        ),
        ("transport/sockets.py", "self.iopub.setsockopt(zmq.ONLY_FIRST_SUBSCRIBE, 1)", "pass"),
    ),
    "a failure costs one message": (
        ("transport/loops.py", "if self._failures >= MOST_FAILURES:", "if True:"),
    ),
    "an end to waiting for what is queued": (
        (
            "kernel/shell.py",
            "left = min(verified + SINCE_VERIFIED, begun + AT_MOST) - now",
            "left = 0.2",
        ),
    ),
    # CURVE
    "the list of clients": (
        ("transport/curve.py", "and z85.encode(credentials[0]) in self._clients", "and True"),
    ),
    "encryption": (
        (
            "transport/curve.py",
            "        socket.curve_publickey = self.own.public\n",
            "        return\n        socket.curve_publickey = self.own.public\n",
        ),
        (
            "transport/curve.py",
            "        socket.curve_server = True\n",
            "        return\n        socket.curve_server = True\n",
        ),
    ),
}
NULL, CLEAR, ONCE = "null", "clear-key", "challenge-once"
BARE, GUARDED = "jupyter-hmac-bare", "jupyter-hmac"
CHANNEL, CURVE = "channel-hmac", "channel-hmac-curve"

ROWS: tuple[tuple[str, str, tuple[str, ...]], ...] = (  # attack, column, guards
    *(
        (attack, CURVE, ("encryption",))
        for attack in (
            "read-iopub",
            "read-requests",
            "read-control",
            "read-answers",
            "read-heartbeats",
        )
    ),
    ("read-iopub", CURVE, ("the list of clients",)),
    ("forge-blind", CLEAR, ("the key",)),
    ("strip-scheme", CLEAR, ("the key",)),
    *(
        (attack, ONCE, ("challenged identities only",))
        for attack in (
            "forge-blind",
            "deliver-over-ones-own-connection",
            "answer-from-another-connection",
        )
    ),
    *(
        (attack, BARE, ("signature",))
        for attack in (
            "forge-blind",
            "forge-copied",
            "inject-after-handshake",
            "strip-scheme",
            "forge-control",
            "forge-iopub",
            "forge-reply",
            "forge-question",
            "forge-a-control-reply",
            "change-content",
            "change-output",
            "change-an-answer",
            "answer-from-another-connection",
            "replay-an-answer",
            "answer-a-later-question",
        )
    ),
    ("forge-copied", GUARDED, ("signature",)),
    ("change-content", GUARDED, ("signature",)),
    *(
        (attack, GUARDED, ("replay memory",))
        for attack in (
            "mutated-frames",
            "replay-in-the-same-run",
            "duplicate-on-the-connection",
            "replay-iopub",
            "replay-on-control",
            "replay-a-question",
        )
    ),
    ("replay-after-a-restart", GUARDED, ("replay memory that survives",)),
    ("replay-after-a-flood", GUARDED, ("verify, then remember",)),
    ("burn-a-pending-signature", GUARDED, ("verify, then remember",)),
    ("replay-a-reply", BARE, ("replies that were asked for",)),
    ("replay-a-control-reply", BARE, ("replies that were asked for",)),
    ("replay-an-answer", BARE, ("the question by its name",)),
    ("answer-a-later-question", BARE, ("the question by its name",)),
    ("reflect-comm", GUARDED, ("no reflection",)),
    ("reflect-to-stdin", NULL, ("outstanding questions only",)),
    ("deliver-on-control", GUARDED, ("channel table",)),
    ("change-a-buffer", GUARDED, ("signed buffers",)),
    ("add-a-buffer", GUARDED, ("signed buffers",)),
    ("drop-a-buffer", GUARDED, ("signed buffers",)),
    ("move-a-frame-boundary", GUARDED, ("lengths of signed buffers",)),
    ("drop-output", GUARDED, ("numbers of what is published",)),
    *(
        (attack, CHANNEL, ("tags",))
        for attack in (
            "inject-after-handshake",
            "forge-control",
            "forge-reply",
            "forge-question",
            "forge-a-control-reply",
            "change-content",
            "change-a-buffer",
            "add-a-buffer",
            "drop-a-buffer",
            "change-an-answer",
            "middle-with-anothers-key",
            "relay-a-handshake",
            "fake-heartbeat",
            "change-a-heartbeat",
            "replay-a-heartbeat",
        )
    ),
    ("move-a-frame-boundary", CHANNEL, ("lengths under the tag",)),
    ("forge-copied", CHANNEL, ("tags", "one route of a session")),
    ("mutated-frames", CHANNEL, ("tags", "one route of a session")),
    ("answer-from-another-connection", CHANNEL, ("tags", "one route of a session")),
    ("forge-iopub", CHANNEL, ("tags of publications",)),
    ("change-output", CHANNEL, ("tags of publications",)),
    ("another-holder-forges-output", CHANNEL, ("tags of publications",)),
    ("show-old-iopub", CHANNEL, ("a tag for each session",)),
    *(
        (attack, CHANNEL, ("counters",))
        for attack in (
            "replay-in-the-same-run",
            "duplicate-on-the-connection",
            "replay-after-a-flood",
            "replay-iopub",
            "replay-on-control",
            "replay-a-question",
            "swap-requests",
            "hold-until-given-up",
        )
    ),
    ("replay-a-reply", CHANNEL, ("counters", "replies that were asked for")),
    ("replay-a-control-reply", CHANNEL, ("counters", "replies that were asked for")),
    ("replay-an-answer", CHANNEL, ("counters", "the question by its name")),
    ("answer-a-later-question", CHANNEL, ("the question by its name",)),
    ("burn-a-pending-signature", CHANNEL, ("mark after verifying",)),
    *(
        (attack, CHANNEL, ("gaps",))
        for attack in (
            "swap-replies",
            "swap-control-replies",
            "drop-a-request",
            "drop-a-control-request",
            "drop-an-answer",
            "drop-a-question",
            "drop-output",
        )
    ),
    ("drop-heartbeats", CHANNEL, ("tags", "gaps")),
    ("deliver-on-control", CHANNEL, ("the channel in the tag", "channel table")),
    ("present-in-anothers-connection", CHANNEL, ("one route of a session",)),
    ("deliver-over-ones-own-connection", CHANNEL, ("one route of a session",)),
    ("copy-an-identity", CHANNEL, ("no identities",)),
    ("another-holder-forges-a-request", CHANNEL, ("header.session",)),
    ("another-holder-answers-input", CHANNEL, ("whose question it is",)),
    ("speak-under-the-owners-msg-id", CHANNEL, ("header.session",)),
    ("speak-under-the-owners-msg-id", CHANNEL, ("header.session", "rights")),
    ("widen-rights", CHANNEL, ("tag of HELLO",)),
    ("widen-rights", CHANNEL, ("rights in the key",)),
    ("handshake-flood", CHANNEL, ("each HELLO once",)),
    ("handshake-flood", CHANNEL, ("budget of HELLOs",)),
    ("handshake-flood", CHANNEL, ("each HELLO once", "budget of HELLOs")),
    (
        "junk-while-a-reply-is-due",
        GUARDED,
        ("an end to waiting for what is queued",),
    ),
    ("send-a-huge-header", GUARDED, ("size of a header",)),
    (
        "send-a-huge-header",
        CHANNEL,
        ("size of a header", "no busy and idle for what all may ask"),
    ),
    ("end-the-owners-request-early", CHANNEL, ("busy and idle under one's own name",)),
    (
        "end-the-owners-request-early",
        CHANNEL,
        ("header.session", "no busy and idle for what all may ask"),
    ),
    ("take-the-owners-session-name", CHANNEL, ("a new name in each run",)),
    ("shutdown-meant-for-a-dead-run", BARE, ("the date of a shutdown_request",)),
    ("shutdown-meant-for-a-dead-run", GUARDED, ("the date of a shutdown_request",)),
    (
        "cut-off-multipart",
        BARE,
        ("a message without its end", "a failure costs one message"),
    ),
)
