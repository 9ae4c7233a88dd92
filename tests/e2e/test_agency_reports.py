"""Nineteen real reports of 870,000 tokens, from the folder to the provider's own count.

The reports are not part of the project. Where they are absent a corpus of the same size is generated, so that
the same checks run everywhere.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from ingest.tokens import encode
from service.domain import packing
from tests.support.process import ServiceProcess
from tests.support.upstream import Upstream

REPORTS = Path(__file__).resolve().parents[2].parent / "shared" / "samples" / "us-agency-reports"
QUESTION = "Which goals were missed, and why?"
MAX_STRING = 10_485_760
MILLION = Decimal(1_000_000)
OUTPUT = 4_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A running service with the reports in one corpus."""

    url: str
    corpus_id: str
    upstream: Upstream

    def plans(self) -> dict[str, dict[str, Any]]:
        reply = httpx.post(
            f"{self.url}/v1/corpora/{self.corpus_id}/plans",
            json={"question": QUESTION, "max_completion_tokens": OUTPUT},
            timeout=60,
        )
        assert reply.status_code == httpx.codes.CREATED, reply.text
        return {plan["strategy"]: plan for plan in reply.json()["data"]}

    def answer(self, plan_id: str) -> dict[str, Any]:
        reply = httpx.post(
            f"{self.url}/v1/corpora/{self.corpus_id}/answers", json={"plan_id": plan_id}, timeout=240
        )
        assert reply.status_code == httpx.codes.CREATED, reply.text
        answer: dict[str, Any] = reply.json()
        assert answer["status"] == "done", answer
        return answer


def reports(folder: Path) -> list[Path]:
    """Return the reports, or as much generated text in as many files."""
    if REPORTS.is_dir():
        return sorted(REPORTS.glob("*.pdf"))
    vocabulary = ["report", "goal", "measure", "agency", "budget", "target", "year", "result", "missed"]
    words = random.Random(19).choices(vocabulary, k=41_500)  # noqa: S311 - filler, the same each time
    paths = [folder / f"{number}.txt" for number in range(19)]
    for number, path in enumerate(paths):
        lines = [" ".join(words[at : at + 12]) for at in range(0, len(words), 12)]
        path.write_text(f"Report {number}\n\n" + ".\n".join(lines))
    return paths


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    folder = tmp_path_factory.mktemp("reports")
    with Upstream() as upstream:
        server = ServiceProcess(folder / "data", provider_url=upstream.url, provider_key=upstream.key)
        with server:
            corpus_id = httpx.post(f"{server.url}/v1/corpora", json={"name": "reports"}).json()["id"]
            for path in reports(folder):
                with path.open("rb") as file:
                    httpx.post(
                        f"{server.url}/v1/documents?filename={path.name}&corpus_id={corpus_id}",
                        content=file,
                        timeout=60,
                    ).raise_for_status()
            for one in httpx.get(f"{server.url}/v1/documents").json()["data"]:
                with httpx.stream(
                    "GET", f"{server.url}/v1/documents/{one['id']}/events", timeout=120
                ) as events:
                    assert "event: ready" in events.read().decode()
            yield Asked(server.url, corpus_id, upstream)


def counted(body: dict[str, Any]) -> int:
    """Count a request as the provider does: each message's text joined, and the chat format around them."""
    texts = ["".join(strings(message["content"])) for message in body["messages"]]
    return sum(len(encode(text)) for text in texts) + packing.CALL_OVERHEAD


def strings(content: str | list[dict[str, str]]) -> list[str]:
    return [content] if isinstance(content, str) else [part["text"] for part in content]


def test_the_preview_says_over_and_what_everything_costs(asked: Asked) -> None:
    plans = asked.plans()
    whole, split = plans["whole"], plans["split"]
    tokens = whole["input_tokens"]
    assert 800_000 < tokens < 922_000
    assert whole["threshold"]["status"] == "over"
    assert whole["threshold"]["tokens_over"] == tokens - 272_000
    assert Decimal(whole["cost"]["max_usd"]) == (tokens * 10 + OUTPUT * 45) / MILLION
    expected = Decimal(whole["cost"]["cold_usd"]) - tokens * 10 / MILLION
    assert expected == 2_400 * 45 / MILLION
    cached = whole["calls"][0]["prefix_tokens"] // 128 * 128
    warm = ((tokens - cached) * 10 + cached * 1 + 2_400 * 45) / MILLION
    assert Decimal(whole["cost"]["warm_usd"]) == warm
    assert warm < Decimal(whole["cost"]["cold_usd"]) / 8, "a second question costs a fraction"
    parts = [call for call in split["calls"] if call["kind"] == "part"]
    assert all(call["input_tokens"] <= 272_000 for call in parts)
    assert len(parts) == 4
    short = (split["input_tokens"] * 5 + len(split["calls"]) * 2_400 * 30) / MILLION
    assert Decimal(split["cost"]["cold_usd"]) == short
    assert short < Decimal(whole["cost"]["cold_usd"]) * Decimal("0.6")
    whole_ids = whole["coverage"]["documents_in"]
    assert [one for call in parts for one in call["document_ids"]] == whole_ids
    meter = httpx.get(f"{asked.url}/v1/corpora/{asked.corpus_id}/meter").json()
    assert meter["threshold"]["status"] == "over"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("strategy", ["whole", "split"])
def test_what_is_sent_is_what_was_counted(asked: Asked, strategy: str) -> None:
    plan = asked.plans()[strategy]
    before = len(asked.upstream.requests)
    spent = sum((line.usd for line in asked.upstream.invoice), Decimal(0))
    answer = asked.answer(plan["id"])
    sent = [request.body for request in asked.upstream.requests[before:]]
    assert asked.upstream.violations == []
    assert len(sent) == len(plan["calls"])
    planned = sorted(call["input_tokens"] for call in plan["calls"] if call["kind"] != "merge")
    material = [body for body in sent if "<document id=" in strings(body["messages"][1]["content"])[0]]
    assert sorted(counted(body) for body in material) == planned
    longest = max(len(text) for body in sent for m in body["messages"] for text in strings(m["content"]))
    assert longest <= MAX_STRING
    bill = sum((line.usd for line in asked.upstream.invoice), Decimal(0)) - spent
    assert Decimal(answer["cost"]["actual_usd"]) == bill
    assert bill <= Decimal(plan["cost"]["max_usd"])
    assert {citation["verdict"] for citation in answer["citations"]} == {"exact"}
