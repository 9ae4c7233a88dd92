"""`unabridged serve` in processes forked from one that has its libraries loaded: they start in half a second.

Run as a script it is that parent: `start`, and it forks a process that runs the command; `kill`, and it kills
it as a power cut would.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from tests.support.process import environment

ROOT = Path(__file__).parents[2]
READY_SECONDS = 60.0


class ForkedService:
    """The service on a free port of loopback, started and killed again and again on the same data."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.data = data
        self.port = _free_port()
        self._environment = environment(data, **settings)
        self._parent: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Begin to start; it takes a while until it listens."""
        self._tell("start")

    def kill(self) -> None:
        """Kill without warning, and return when it is gone."""
        self._tell("kill")

    def wait_until_ready(self) -> None:
        """Return when it can be asked."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.is_ready():
                return
            time.sleep(0.02)
        raise AssertionError(f"the service did not start:\n{self.log()}")

    def is_ready(self) -> bool:
        """Whether it can be asked."""
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2, trust_env=False).is_success
        except httpx.TransportError:
            return False

    def log(self) -> str:
        """What all processes have said."""
        return (self.data / "serve.log").read_text(errors="replace")

    def _tell(self, order: str) -> None:
        assert self._parent is not None
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        print(order, file=self._parent.stdin, flush=True)
        assert self._parent.stdout.readline(), self.log()

    def __enter__(self) -> Self:
        self.data.mkdir(parents=True, exist_ok=True)
        self._parent = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forking", str(self.data / "serve.log"), str(self.port)],
            env=self._environment,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._parent is not None
        self._parent.communicate()


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


def _parent(log: str, port: str) -> None:
    """Obey, until the orders end; then nothing is left behind."""
    from ingest import count_tokens  # noqa: PLC0415 - the parent alone loads what its children need
    from service import cli, server  # noqa: PLC0415 - the same

    del server
    count_tokens("warm")
    child = 0
    for order in sys.stdin:
        if order == "start\n":
            child = os.fork()
            if child == 0:
                _redirect(log)
                sys.argv = ["unabridged", "serve", "--port", port]
                cli.main()
                os._exit(0)
        elif child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            child = 0
        print(order, end="", flush=True)  # noqa: T201 - the answer
    if child:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _redirect(log: str) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number, handle in enumerate((nothing, said, said)):
        os.dup2(handle, number)


if __name__ == "__main__":
    _parent(*sys.argv[1:])
