"""aimock, a provider that nobody here wrote; it runs where node is, once its package was installed.

npm install --prefix tests/e2e/node
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.domain import pricing
from tests.support import billing
from tests.support.impatient import impatient
from tests.support.server import Json, Server, sent_events
from tests.support.shapes import ANSWER, fits

FOLDER = Path(__file__).parent / "node"
AIMOCK = FOLDER / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
NODE = shutil.which("node")
TEXT = 'It says: "The harbour opened in 1871." [D1 p.1].'
USAGE = {"prompt_tokens": 123, "completion_tokens": 45, "total_tokens": 168}
LARGE_LINES = 30_000

pytestmark = pytest.mark.skipif(
    NODE is None or not AIMOCK.is_file(),
    reason="node, or its package @copilotkit/aimock, is not installed",
)


def says(asked: str, response: Json, **more: Any) -> Json:  # noqa: ANN401 - any JSON value
    """What it answers to a question that holds these words."""
    number = {"sequenceIndex": more.pop("nth")} if "nth" in more else {}
    return {"match": {"userMessage": asked, **number}, "response": response, **more}


def error(status: int, code: str, message: str, **more: int) -> Json:
    return {"error": {"message": message, "type": "error", "code": code}, "status": status, **more}


BUSY = error(429, "rate_limit_exceeded", "Rate limit reached.", retryAfter=1)
OVERFLOW = error(
    400,
    "context_length_exceeded",
    "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300000 tokens.",
)
FIXTURES = [
    says("plainly", {"content": TEXT, "usage": USAGE}, chunkSize=5),
    says("busily", BUSY, nth=0),
    says("busily", BUSY, nth=1),
    says("busily", {"content": TEXT, "usage": USAGE}),
    says("in vain", BUSY),
    says("at length", OVERFLOW),
    says("without quota", error(429, "insufficient_quota", "You exceeded your current quota.")),
    says("cut short", {"content": TEXT, "usage": USAGE}, chunkSize=4, truncateAfterChunks=5),
    says("dropped", {"content": TEXT * 20}, chunkSize=4, latency=10, disconnectAfterMs=100),
    says("filtered", {"content": "The harbour", "finishReason": "content_filter", "usage": USAGE}),
    says("largely", {"content": TEXT, "usage": {**USAGE, "prompt_tokens": 500_000}}),
]


@pytest.fixture(scope="module")
def aimock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of aimock with the fixtures above."""
    fixtures = tmp_path_factory.mktemp("aimock") / "fixtures.json"
    fixtures.write_text(json.dumps({"fixtures": FIXTURES}))
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    command = [str(NODE), str(AIMOCK), "-p", str(port), "-f", str(fixtures), "--log-level", "silent"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        url = f"http://127.0.0.1:{port}"
        while process.poll() is None:
            try:
                httpx.get(f"{url}/__aimock/journal", trust_env=False)
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                break
        yield url
        process.kill()


@pytest.fixture(scope="module")
def server(aimock: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with impatient(tmp_path_factory.mktemp("service"), f"{aimock}/v1", "sk-aimock-key") as running:
        yield running


@pytest.fixture(scope="module")
def corpus(server: Server) -> str:
    return server.corpus(server.add("harbour.txt", b"The harbour opened in 1871.\n")["id"])


def ask(server: Server, corpus: str, how: str, **more: Any) -> Json:  # noqa: ANN401 - any JSON value
    said = server.ask(corpus, question=f"When did it open, {how}?", **more).json()
    answer: Json = said.get("answer") or said
    fits(answer, ANSWER)
    return answer


def statuses(aimock: str, how: str) -> list[int]:
    """What aimock answered to each request with such a question."""
    asked = f"When did it open, {how}?"
    found = [entry for entry in journal(aimock) if asked in str(entry["body"].get("messages"))]
    return [entry["response"]["status"] for entry in found]


def journal(aimock: str) -> list[Json]:
    """All requests that it had; of a large one it keeps no body."""
    entries: list[Json] = httpx.get(f"{aimock}/__aimock/journal", trust_env=False).json()
    return entries


def check_paid(server: Server, answer: Json, usage: Json = USAGE) -> None:
    """Booked is what the reply told, at the published price; nothing is held."""
    prompt, completion = usage["prompt_tokens"], usage["completion_tokens"]
    assert (answer["usage"]["prompt_tokens"], answer["usage"]["completion_tokens"]) == (prompt, completion)
    usd = billing.price("default", prompt=prompt, cached=0, completion=completion)
    assert (answer["status"], Decimal(answer["cost"]["actual_usd"])) == ("done", usd)
    (lines,) = server.entries(answer["id"]).values()
    assert [line.kind for line in lines] == ["reserve", "release", "settle"]
    assert sum(line.micros for line in lines) == pricing.to_micros_up(usd)


def test_it_answers(server: Server, corpus: str, aimock: str) -> None:
    waited = ask(server, corpus, "plainly")
    body = {"question": "When did it open, plainly?", "stream": True}
    with server.client.stream("POST", f"/v1/corpora/{corpus}/answers", json=body) as response:
        *events, last = sent_events(response)
    for answer in (waited, last.data):
        check_paid(server, answer)
        assert answer["text"] == TEXT
        assert [one["verdict"] for one in answer["citations"]] == ["exact"]
    assert "".join(event.data["text"] for event in events if event.name == "delta") == TEXT
    assert statuses(aimock, "plainly") == [200, 200]


def test_a_rate_limit_is_waited_for(server: Server, corpus: str, aimock: str) -> None:
    check_paid(server, ask(server, corpus, "busily"))
    assert statuses(aimock, "busily") == [429, 429, 200]


@pytest.mark.parametrize(
    ("how", "code", "answered"),
    [
        ("in vain", "rate_limited", [429, 429, 429]),
        ("at length", "over_window", [400]),
        ("without quota", "provider_error", [429]),
    ],
)
def test_a_refusal_costs_nothing(
    server: Server, corpus: str, aimock: str, how: str, code: str, answered: list[int]
) -> None:
    answer = ask(server, corpus, how)
    assert (answer["status"], answer["error"]["code"]) == ("failed", code)
    (lines,) = server.entries(answer["id"]).values()
    assert [line.kind for line in lines] == ["reserve", "release"]
    assert statuses(aimock, how) == answered


@pytest.mark.parametrize("how", ["cut short", "dropped"])
def test_a_reply_that_breaks_off_is_never_repeated(
    server: Server, corpus: str, aimock: str, how: str
) -> None:
    answer = ask(server, corpus, how)
    assert (answer["status"], answer["error"]["code"]) == ("in_doubt", "in_doubt")
    assert TEXT.startswith(answer["text"][: len(TEXT)])
    (call,) = server.calls(answer["id"])
    assert server.held(answer["id"]) == {call.id: True}
    assert statuses(aimock, how) == [200]


def test_a_filtered_reply_is_paid_for(server: Server, corpus: str) -> None:
    answer = ask(server, corpus, "filtered")
    check_paid(server, answer)
    assert answer["finish_reason"] == "content_filter"


def test_a_prompt_of_half_a_million_tokens(server: Server, aimock: str) -> None:
    lines = (
        f"Record {n}: a vessel paid the usual tariff at the old customs quay.\n" for n in range(LARGE_LINES)
    )
    corpus = server.corpus(server.add("large.txt", "".join(lines).encode())["id"])
    before = len(journal(aimock))
    answer = ask(server, corpus, "largely", strategy="whole", allow_long_context=True)
    check_paid(server, answer, {**USAGE, "prompt_tokens": 500_000})
    assert answer["cost"]["band"] == "long"
    assert [entry["response"]["status"] for entry in journal(aimock)[before:]] == [200]
