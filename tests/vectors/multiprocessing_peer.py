"""The real `multiprocessing.connection`, as one end of a connection; run by any Python.

listen: prints its port, answers a message in capitals. connect PORT: sends one, takes its answer.
The last line tells how it went: the message that was received, or the name of the exception.
"""

import os
import sys
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener

KEY = os.environ["PEER_KEY"].encode()


def listen():  # noqa: ANN201 - runs on every Python
    with Listener(("127.0.0.1", 0), family="AF_INET", authkey=KEY) as listener:
        print(listener.address[1], flush=True)  # noqa: T201 - how it tells
        with listener.accept() as connection:
            message = connection.recv_bytes(1000)
            connection.send_bytes(message.upper())
            return message.decode()


def connect(port):  # noqa: ANN001, ANN201 - likewise
    with Client(("127.0.0.1", port), family="AF_INET", authkey=KEY) as connection:
        connection.send_bytes(b"hello")
        return connection.recv_bytes(1000).decode()


try:
    print(listen() if sys.argv[1] == "listen" else connect(int(sys.argv[2])))  # noqa: T201 - likewise
except (AuthenticationError, EOFError, OSError) as problem:
    print(type(problem).__name__)  # noqa: T201 - likewise
