"""Why attacks succeed or fail: what several expectations have in common."""

from __future__ import annotations

from minikernel.lab.evidence import Outcome

THROUGH, STOPPED = Outcome.THROUGH, Outcome.STOPPED
NOTICED, ABSENT = Outcome.NOTICED, Outcome.ABSENT

NOTHING = "nothing is asked of a message"
CLEAR = "the key is in the message, and covers nothing else of it"
TRUSTED = "after the challenge a message is unsigned; an identity is trusted, whoever uses it"
ONCE_PATH = "the middle relayed the challenge: from then on it holds the authenticated connection"
SIGNED = "the HMAC covers header, parent_header, metadata and content"
UNSIGNED_BUFFERS = "the HMAC covers the four JSON frames; buffers are left out"
MARKED = "our client signs a digest of the buffers, in the metadata"
ALL_COVERED = "the tag covers number, length and bytes of all frames, buffers too"
MEMORY = "the kernel remembers what it accepted, in a file"
NO_MEMORY = "the specification asks for no memory, and a signature stays valid"
COUNTER = "counters strictly increase; the tag covers them"
NO_ROUTE = "a signature says nothing about the connection it comes by"
ROUTE = "a session has one route on each channel: the connection of its first valid message"
NO_ORDER = "a signature says nothing about what came before"
SHARED = "all share one key: what one holder signs could be any other's"
OWN_KEY = "each session has keys of its own, which no other client can derive"
CLEARTEXT = "nothing is encrypted"
CURVE = "CURVE encrypts every frame; whoever is not on the allow-list gets no connection"
CIPHERTEXT = "the middle holds no CURVE key: it sees no frame, and can change none"
