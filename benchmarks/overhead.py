"""What the service adds to a call: python benchmarks/overhead.py [--litellm VENV].

A light upstream on loopback answers every request by a stream of 52 events. The same prompts go to it
directly and through `unabridged serve`, planning, packing and recording included: one of 4.5 MB (a million
tokens in round numbers), 200 streams at once, 1,000 held at once. With --litellm the same goes through a
LiteLLM proxy that is installed in that environment. Client, upstream and what is measured share the machine:
quote ratios and processor time, which is taken from /proc.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks import paced
from benchmarks.corpus import pdf
from tests.support.process import ServiceProcess, free_port
from tests.support.usage import cpu_seconds

DOCUMENTS, PAGES, LINES = 30, 50, 39
"""Of about 600 tokens a page: 900,000 tokens, 4.5 MB."""

ENGLISH = Path(__file__).parents[1] / "examples" / "source"
WORDS = 13
"""Of a line."""

SHORT = b"The harbour opened in 1871. Its northern pier was rebuilt in 1903 and again in 1954.\n" * 40
QUESTION = "When did the harbour open?"
PROMPTS = 12
STREAMS, HELD = 200, 1000
ROUNDS = 5
"""Of the streams at once: one alone tells more of the machine's other guests."""
GAP_S, HELD_GAP_S = 0.04, 0.4
"""Between two events of a stream: 2.0 seconds in all, and 20 where a thousand are to be open at once."""
READY_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Line:
    """One figure with its target."""

    name: str
    value: float
    unit: str
    most: float | None = None

    def __str__(self) -> str:
        told = f"  {self.name:58} {self.value:9,.1f} {self.unit:5}"
        if self.most is None:
            return told
        return f"{told} (at most {self.most:g}: {'ok' if self.value <= self.most else 'MISSED'})"


@dataclass(frozen=True, slots=True)
class Target:
    """Something that is asked: where, as which process, and how."""

    name: str
    pid: int
    port: int
    path: str
    body: Callable[[int], dict[str, Any]]

    async def once(self, number: int) -> paced.Times:
        """Ask once."""
        return await paced.post(self.port, self.path, json.dumps(self.body(number)).encode())


@contextmanager
def upstream() -> Iterator[int]:
    """Yield the port of the upstream."""
    port = free_port()
    process = subprocess.Popen([sys.executable, str(Path(paced.__file__)), str(port)])
    try:
        _wait_for(f"http://127.0.0.1:{port}/held")
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url, timeout=5, trust_env=False).is_success:
                return
        time.sleep(0.1)
    raise AssertionError(f"nothing answers at {url}")


def _pace(port: int, seconds: float) -> None:
    httpx.get(f"http://127.0.0.1:{port}/pace/{seconds}", trust_env=False).raise_for_status()


def corpora(server: ServiceProcess, folder: Path) -> tuple[str, str]:
    """Upload the documents; return a corpus of 4.5 MB and one of a page."""
    with httpx.Client(base_url=server.url, timeout=600, trust_env=False) as client:
        large = [_upload(client, path.name, path.read_bytes()) for path in written(folder)]
        short = [_upload(client, "harbour.txt", SHORT)]
        made = []
        for ids in (large, short):
            for one in ids:
                _ready(client, one)
            reply = client.post("/v1/corpora", json={"name": "Overhead", "document_ids": ids})
            made.append(str(reply.raise_for_status().json()["id"]))
        meter = client.get(f"/v1/corpora/{made[0]}/meter").json()
        print(f"corpus: {DOCUMENTS} documents, {DOCUMENTS * PAGES:,} pages, {meter['input_tokens']:,} tokens")
        _indexed(client, made)
    return made[0], made[1]


def written(folder: Path) -> Iterator[Path]:
    """Write the documents of the large corpus: lines of English in an order of their own, page after page."""
    text = " ".join(path.read_text() for path in sorted(ENGLISH.glob("apollo-*.md")))
    words = re.findall(r"\b[A-Za-z][a-z]{2,}\b", text)
    for number in range(DOCUMENTS):
        lines = _lines(words, random.Random(number))  # noqa: S311 - made-up documents
        heads = (f"Report {number}, page {page}" for page in range(1, PAGES + 1))
        path = folder / f"report-{number:02}.pdf"
        path.write_bytes(pdf([head, *islice(lines, LINES)] for head in heads))
        yield path


def _lines(words: Sequence[str], dice: random.Random) -> Iterator[str]:
    while True:
        start = dice.randrange(len(words) - WORDS)
        yield " ".join(words[start : start + WORDS])


def _upload(client: httpx.Client, name: str, content: bytes) -> str:
    reply = client.post("/v1/documents", files={"file": (name, content)}).raise_for_status()
    return str(reply.json()["data"][0]["id"])


def _ready(client: httpx.Client, document_id: str) -> None:
    while (status := client.get(f"/v1/documents/{document_id}").json()["status"]) != "ready":
        assert status != "failed"
        time.sleep(0.05)


def _indexed(client: httpx.Client, made: list[str]) -> None:
    """Wait until nothing is done for these corpora any more."""
    for corpus_id in made:
        client.post(f"/v1/corpora/{corpus_id}/plans", json={"question": QUESTION}).raise_for_status()
    time.sleep(3)


def ours(server: ServiceProcess, large: str, short: str) -> list[Target]:
    """Return how the service is asked: the large prompt, a stream, and a stream of OpenAI's face."""
    assert server.process is not None
    whole = {"strategy": "whole", "allow_long_context": True, "stream": True}

    def asked(number: int) -> dict[str, Any]:
        return {"question": f"{QUESTION} ({number})", **whole}

    def chat(number: int) -> dict[str, Any]:
        return {
            "model": "gpt-5.5",
            "messages": [{"role": "user", "content": f"{QUESTION} [{number}]"}],
            "corpus_id": short,
            "stream": True,
        }

    pid, port = server.process.pid, server.port
    return [
        Target("Unabridged", pid, port, f"/v1/corpora/{large}/answers", asked),
        Target("Unabridged", pid, port, f"/v1/corpora/{short}/answers", asked),
        Target("Unabridged, OpenAI's face", pid, port, "/v1/chat/completions", chat),
    ]


async def large(target: Target, upstream_port: int) -> list[Line]:
    """Return what the large prompt takes beyond sending the same body to the upstream oneself."""
    await target.once(0)
    content = await asyncio.to_thread(_last_body, upstream_port)
    direct: list[paced.Times] = []
    through: list[paced.Times] = []
    used = 0.0
    _forget_peak(target.pid)
    for number in range(1, PROMPTS + 1):
        direct.append(await paced.post(upstream_port, "/v1/chat/completions", content))
        before = cpu_seconds(target.pid)
        through.append(await target.once(number))
        await asyncio.sleep(0.3)  # what is still written of the answer counts too
        used += cpu_seconds(target.pid) - before
    print(f"{target.name}: a prompt of {len(content) / 1e6:.2f} MB, {PROMPTS} times")
    return [
        Line("added until the first word, median", _added(direct, through, "first"), "ms", 40),
        Line("added until the end, median", _added(direct, through, "whole"), "ms"),
        Line("processor time", used / PROMPTS * 1000, "ms", 60),
        Line("memory at most", peak_megabytes(target.pid), "MB"),
    ]


def _last_body(upstream_port: int) -> bytes:
    """Return the body that the upstream got last."""
    return httpx.get(f"http://127.0.0.1:{upstream_port}/body", trust_env=False).content


def _added(direct: Sequence[paced.Times], through: Sequence[paced.Times], what: str) -> float:
    """Return the milliseconds between the medians."""
    medians = [statistics.median(float(getattr(one, what)) for one in times) for times in (direct, through)]
    return (medians[1] - medians[0]) * 1000


@dataclass(frozen=True, slots=True)
class Round:
    """What so many streams at once took: seconds, but for the processor's milliseconds of each stream."""

    whole: float
    first: float
    last_first: float
    cpu_ms: float


async def streams(target: Target, number: int, upstream_port: int, rounds: int = 1) -> list[Line]:
    """Return what so many streams at once take, in the median of some rounds."""
    await asyncio.gather(*(target.once(-n) for n in range(10)))
    _held(upstream_port)
    _forget_peak(target.pid)
    made = [await _round(target, range(n * number, (n + 1) * number)) for n in range(rounds)]
    print(
        f"{target.name}: {number:,} streams of {paced.EVENTS} events"
        + (f", median of {rounds} rounds" if rounds > 1 else "")
    )
    few = number == STREAMS
    return [
        Line("all over after", _median(made, "whole"), "s", 3 if few else None),
        Line("first word, median", _median(made, "first"), "s"),
        Line("first word, the last", _median(made, "last_first"), "s"),
        Line("processor time a stream", _median(made, "cpu_ms"), "ms", 10 if few else None),
        Line("memory at most", peak_megabytes(target.pid), "MB", 250 if few else None),
        Line("missing of so many open at once", number - _held(upstream_port), "", None if few else 0),
    ]


async def _round(target: Target, numbers: range) -> Round:
    """Ask so many questions, each of them for the first time."""
    before, began = cpu_seconds(target.pid), time.perf_counter()
    times = await asyncio.gather(*(target.once(n) for n in numbers))
    whole = time.perf_counter() - began
    await asyncio.sleep(1)
    used = cpu_seconds(target.pid) - before
    first = [one.first for one in times]
    return Round(whole, statistics.median(first), max(first), used / len(numbers) * 1000)


def _median(made: Sequence[Round], what: str) -> float:
    return statistics.median(float(getattr(one, what)) for one in made)


def _held(port: int) -> int:
    """Return the most streams that the upstream had open since it was asked last."""
    return int(httpx.get(f"http://127.0.0.1:{port}/held", trust_env=False).text)


def _forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_megabytes(pid: int) -> float:
    """Return the most memory a process has held since the peak was forgotten."""
    text = Path(f"/proc/{pid}/status").read_text()
    kilobytes = next(line.split()[1] for line in text.splitlines() if line.startswith("VmHWM"))
    return int(kilobytes) / 1024


def measure(targets: Sequence[Target], upstream_port: int, held: int) -> None:
    """Print all figures of one service: by its large prompt, and by each way of asking for a stream."""
    prompt, *short = targets
    _pace(upstream_port, 0.0)
    _show(asyncio.run(large(prompt, upstream_port)))
    for target in short:
        _pace(upstream_port, GAP_S)
        _show(asyncio.run(streams(target, STREAMS, upstream_port, ROUNDS)))
    if held:
        _pace(upstream_port, HELD_GAP_S)
        _show(asyncio.run(streams(short[0], held, upstream_port)))


def _show(lines: Sequence[Line]) -> None:
    for line in lines:
        print(line, flush=True)


@contextmanager
def litellm(venv: Path, folder: Path, upstream_port: int) -> Iterator[list[Target]]:
    """Yield how a LiteLLM proxy of one worker is asked, started from that environment."""
    port = free_port()
    config = folder / "litellm.json"
    params = {
        "model": "openai/gpt-5.5",
        "api_base": f"http://127.0.0.1:{upstream_port}/v1",
        "api_key": "none",
    }
    config.write_text(json.dumps({"model_list": [{"model_name": "gpt-5.5", "litellm_params": params}]}))
    command = [str(venv / "bin/litellm"), "--config", str(config), "--port", str(port), "--host", "127.0.0.1"]
    told = {
        **os.environ,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
        "PATH": f"{venv / 'bin'}:{os.environ['PATH']}",
    }
    with (folder / "litellm.log").open("wb") as log:
        process = subprocess.Popen(command, env=told, stdout=log, stderr=log)
    try:
        _wait_for(f"http://127.0.0.1:{port}/health/liveliness")
        body = json.loads(_last_body(upstream_port))
        asked = {**body, "messages": [{"role": "user", "content": QUESTION}]}
        path = "/v1/chat/completions"
        yield [
            Target("LiteLLM", process.pid, port, path, lambda _: body),
            Target("LiteLLM", process.pid, port, path, lambda _: asked),
        ]
    finally:
        process.terminate()
        process.wait()


def main(venv: Path | None, held: int) -> None:
    """Print what the service adds, and what LiteLLM does."""
    with tempfile.TemporaryDirectory() as name, upstream() as upstream_port:
        folder = Path(name)
        url = f"http://127.0.0.1:{upstream_port}/v1"
        settings = {"provider": "compatible", "provider_url": url, "provider_key": "none"}
        with ServiceProcess(folder / "data", **settings) as server:
            measure(ours(server, *corpora(server, folder)), upstream_port, held)
        if venv is not None:
            with litellm(venv, folder, upstream_port) as targets:
                measure(targets, upstream_port, 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--litellm", type=Path, help="an environment in which LiteLLM's proxy is installed")
    parser.add_argument("--held", type=int, default=HELD, help="streams that are held at once, 0 for none")
    arguments = parser.parse_args()
    main(arguments.litellm, arguments.held)
