"""A TCP relay whose connections can be cut and restored, to stand for a network between a job and its graph."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Cuttable:
    """Relays 127.0.0.1:`port` to a server while it is not cut."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: set[socket.socket] = set()
        self._up = threading.Event()
        self._up.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Drop all connections, and refuse new ones."""
        self._up.clear()
        for one in list(self._open):
            _drop(one)

    def restore(self) -> None:
        """Relay again."""
        self._up.set()

    def close(self) -> None:
        """End for good."""
        self.cut()
        _drop(self._listener)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if not self._up.is_set():
                    _drop(client)
                    continue
                try:
                    server = socket.create_connection(self._target)
                except OSError:
                    _drop(client)
                    continue
                self._open |= {client, server}
                for one, other in ((client, server), (server, client)):
                    threading.Thread(target=self._relay, args=(one, other), daemon=True).start()

    def _relay(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        for each in (one, other):
            self._open.discard(each)
            _drop(each)


def _drop(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
