"""The service as a process of its own, that can be killed and started again on the same data."""

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

READY_SECONDS = 90.0


def environment(data: Path, **settings: str) -> dict[str, str]:
    """Return an environment that holds nothing of the user's own settings."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("UNABRIDGED_", "OPENAI_"))
    }
    named = {f"UNABRIDGED_{name.upper()}": value for name, value in settings.items()}
    return {**kept, "UNABRIDGED_DATA": str(data), **named}


class ServiceProcess:
    """`unabridged serve` on a free port of loopback."""

    def __init__(self, data: Path, *options: str, **settings: str) -> None:
        self._command = [sys.executable, "-m", "service", "serve", *options]
        self._environment = environment(data, **settings)
        self._data = data
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        self._data.mkdir(parents=True, exist_ok=True)
        with (self._data / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self._command, "--port", str(self.port)],
                env=self._environment,
                cwd=Path(__file__).parents[2],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                if httpx.get(f"{self.url}/readyz", timeout=1).status_code == httpx.codes.OK:
                    return self
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"the service did not start:\n{self.log()}")

    def kill(self) -> None:
        """Kill without warning, as a power cut would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Ask to stop, and return the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout=READY_SECONDS)

    def log(self) -> str:
        return (self._data / "serve.log").read_text(errors="replace")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port
