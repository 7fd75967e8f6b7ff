"""A server of its own for the tests, and a proxy that breaks connections to it."""

from __future__ import annotations

import os
import re
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from purchase_orders.connection import Connection

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = os.environ.get("PURCHASE_ORDER_SERVICE", str(ROOT / "target/debug/purchase-order-service"))
WAIT_SECONDS = 30.0

Pair = tuple[socket.socket, socket.socket]


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Polls, because what is waited for happens in another process."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not seen within {WAIT_SECONDS:.0f} s: {what}")
        time.sleep(0.01)


class Server:
    """The real service with a SQLite database in `folder`."""

    def __init__(self, folder: Path, arguments: tuple[str, ...] = ("develop",)) -> None:
        self._folder = folder
        self._arguments = arguments
        self.address = ""
        self._process: subprocess.Popen[bytes] | None = None
        self.start("127.0.0.1:0")

    def start(self, listen: str) -> None:
        command, *options = self._arguments
        database = f"sqlite:{self._folder / 'orders.sqlite'}"
        said = self._folder / "said"
        with said.open("wb") as out, (self._folder / "logged").open("ab") as log:
            self._process = subprocess.Popen(
                [PROGRAM, command, "--listen", listen, "--database-url", database, *options],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                # What the environment says of databases and keys is not for this server.
                env={"RUST_LOG": "warn"},
            )
        found: list[str] = []

        def listens() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, (self._folder / "logged").read_text()
            found.extend(re.findall(r"listens on (\S+)", said.read_text()))
            return bool(found)

        wait_until(listens, "the server listens")
        self.address = found[0]

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def connect(self, principal: str) -> Connection:
        return Connection.development(self.address, principal)


class Proxy:
    """Forwards connections to a server. It can hold back the answers, and break the connections."""

    def __init__(self, target: str) -> None:
        host, port = target.rsplit(":", 1)
        self._target = (host, int(port))
        self._flowing = threading.Event()
        self._flowing.set()
        self._pairs: list[Pair] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self) -> None:
        """From now on requests reach the server, and what it answers reaches nobody."""
        self._flowing.clear()

    def release(self) -> None:
        self._flowing.set()

    def cut(self, reset: bool) -> None:
        """Ends all connections, by RST or by FIN. New ones work; what was held back is lost."""
        pairs, self._pairs = self._pairs, []
        for client, server in pairs:
            # The other end may have closed it in this moment.
            with suppress(OSError):
                if reset:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    # Wakes the thread that reads it, and sends nothing; closing then sends RST.
                    client.shutdown(socket.SHUT_RD)
                    client.close()
                else:
                    client.shutdown(socket.SHUT_RDWR)
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
        self._flowing.set()

    def close(self) -> None:
        self._listener.close()
        self.cut(reset=False)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            pair = (client, server)
            self._pairs.append(pair)
            for source, sink, waits in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pump, args=(pair, source, sink, waits), daemon=True).start()

    def _pump(
        self,
        pair: Pair,
        source: socket.socket,
        sink: socket.socket,
        waits: bool,
    ) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if waits:
                    self._flowing.wait()
                    if pair not in self._pairs:
                        return
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
