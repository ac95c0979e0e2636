"""Records multiprocessing.json anew: `python tests/vectors/record_multiprocessing.py 3.10 3.13`.

Every given version of Python as Listener, with every one as Client, and once with the wrong key.
What they say to each other goes through here.
"""

from __future__ import annotations

import json
import os
import platform
import select
import socket
import struct
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PEER = HERE / "multiprocessing_peer.py"
VECTORS = HERE / "multiprocessing.json"
KEY, WRONG_KEY = "the key of the recording", "another key"
TIMEOUT = 10  # seconds


def find(version: str) -> str | None:
    """A Python of this version ("3.12"): this one, on PATH, or where pyenv keeps them."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = sorted(root.glob(f"versions/{version}.*/bin/python{version}"))
    for command in (sys.executable, f"python{version}", *map(str, found)):
        try:
            said = subprocess.run(
                [command, "-c", "import sys; print(*sys.version_info[:2], sep='.')"],
                capture_output=True,
                text=True,
                check=False,
            ).stdout
        except OSError:
            continue
        if said.strip() == version:
            return command
    return None


def start(command: str, *arguments: str, key: str = KEY) -> subprocess.Popen[str]:
    """A real peer as a process of its own."""
    return subprocess.Popen(
        [command, str(PEER), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PEER_KEY": key},
    )


def record(listener: str, client: str, client_key: str = KEY) -> list[list[str]]:
    """What Listener and Client say during the handshake: (who, the message in hex)."""
    with (
        start(listener, "listen") as first,
        socket.create_server(("127.0.0.1", 0)) as server,
        start(client, "connect", str(server.getsockname()[1]), key=client_key) as second,
    ):
        server.settimeout(TIMEOUT)
        to_client, _ = server.accept()
        assert first.stdout is not None
        address = ("127.0.0.1", int(first.stdout.readline()))
        with to_client, socket.create_connection(address, TIMEOUT) as to_listener:
            said = list(_relay(to_listener, to_client))
        first.communicate(timeout=TIMEOUT)
        second.communicate(timeout=TIMEOUT)
    return [[who, message.hex()] for who, message in said][:6]


def _relay(listener: socket.socket, client: socket.socket):  # noqa: ANN202 - (who, message) pairs
    others = {listener: client, client: listener}
    while True:
        readable, _, _ = select.select([*others], [], [], TIMEOUT)
        for source in readable:
            length = source.recv(4, socket.MSG_WAITALL)
            if not length:
                return
            message = source.recv(struct.unpack("!i", length)[0], socket.MSG_WAITALL)
            yield "listener" if source is listener else "client", message
            others[source].sendall(length + message)


def main(versions: list[str]) -> None:
    """Write the file."""
    commands = {version: find(version) for version in versions}
    missing = [version for version, command in commands.items() if command is None]
    if missing:
        sys.exit(f"no Python {', '.join(missing)}")
    found = {version: command for version, command in commands.items() if command is not None}
    transcripts = [
        {"listener": a, "client": b, "client_key": key, "said": record(found[a], found[b], key)}
        for a in found
        for b in found
        for key in ((KEY, WRONG_KEY) if a == b else (KEY,))
    ]
    vectors = {
        "source": "multiprocessing.connection's Listener and Client, recorded by"
        " record_multiprocessing.py",
        "recorded_on": platform.system(),
        "key": KEY,
        "transcripts": transcripts,
    }
    VECTORS.write_text(json.dumps(vectors, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
