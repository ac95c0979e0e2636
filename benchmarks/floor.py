#!/usr/bin/env python3
"""The least that a Python kernel can do: answer with ready-made bytes over the same sockets.

No JSON, no HMAC, and nothing is executed. Started by kernels.py as `floor.py CONNECTION_FILE`.
"""

import json
import sys
from pathlib import Path

import zmq

HEADER = (
    b'{"msg_id":"1","msg_type":"x","session":"0","username":"","date":"2026-01-01T00:00:00Z",'
    b'"version":"5.5"}'
)


def main() -> None:
    info = json.loads(Path(sys.argv[1]).read_text())
    context = zmq.Context()
    shell, iopub = context.socket(zmq.ROUTER), context.socket(zmq.PUB)
    shell.bind(f"tcp://{info['ip']}:{info['shell_port']}")
    iopub.bind(f"tcp://{info['ip']}:{info['iopub_port']}")
    while True:
        identity, _, _, parent, *_ = shell.recv_multipart()

        def frames(content: bytes, parent: bytes = parent) -> list[bytes]:
            return [b"<IDS|MSG>", b"0" * 64, HEADER, parent, b"{}", content]

        iopub.send_multipart([b"status", *frames(b'{"execution_state":"busy"}')])
        if b"execute_request" in parent:
            iopub.send_multipart([b"input", *frames(b'{"code":"pass","execution_count":1}')])
        reply = b'{"status":"ok","execution_count":1,"user_expressions":{},"payload":[]}'
        shell.send_multipart([identity, *frames(reply)])
        iopub.send_multipart([b"status", *frames(b'{"execution_state":"idle"}')])


if __name__ == "__main__":
    main()
