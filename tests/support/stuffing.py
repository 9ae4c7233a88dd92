"""Ten questions over one corpus, asked in two ways: by the plan that is recommended, and naively.

Naively means what a script does that knows nothing of caches and thresholds: every document in one prompt, in
whatever order they come, a fresh one for each question.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx

from tests.support.billing import Billed
from tests.support.simulated import question
from tests.support.upstream import Upstream

MODEL = "gpt-5.5"
WAIT_S = 300.0
ABOUT = (
    "which goals were missed, and why?",
    "what was spent in all?",
    "who signed the report?",
    "what changed since the year before?",
    "which risks are named?",
    "list every target that was met.",
    "which offices were closed or opened?",
    "how is success measured?",
    "what do the auditors say?",
    "which plans are made for the next year?",
)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bill:
    """What a row of questions cost.

    Attributes:
        plans: the strategy of each.
        usd: the provider's invoice.
        expected_usd: what the previews said; None where nobody asked for one.
    """

    plans: tuple[str, ...]
    usd: Decimal
    calls: int
    prompt_tokens: int
    cached_tokens: int
    expected_usd: Decimal | None = None


def recommended(
    client: httpx.Client, upstream: Upstream, corpus_id: str, *, first: int, expected_questions: int
) -> Bill:
    """Ask all ten, each by the plan that its own preview recommends.

    Args:
        client: of the service.
        upstream: its provider.
        corpus_id: what is asked.
        first: the number of the first question.
        expected_questions: as the user announces them in each preview.
    """
    before = len(upstream.invoice)
    plans: list[str] = []
    expected = Decimal(0)
    for number, about in enumerate(ABOUT, first):
        body = {"question": question(number, about), "expected_questions": expected_questions}
        offered = client.post(f"/v1/corpora/{corpus_id}/plans", json=body, timeout=WAIT_S)
        plan_id = offered.raise_for_status().json()["recommended"]
        (plan,) = [one for one in offered.json()["data"] if one["id"] == plan_id]
        answer = client.post(f"/v1/corpora/{corpus_id}/answers", json={"plan_id": plan_id}, timeout=WAIT_S)
        assert answer.raise_for_status().json()["status"] == "done", answer.text
        plans.append(f"{plan['strategy']} in {len(plan['calls'])}")
        expected += Decimal(plan["cost"]["expected_usd"])
    return _bill(plans, upstream.invoice[before:], expected)


def naive(upstream: Upstream, documents: Sequence[str], *, first: int, seed: int) -> Bill:
    """Send everything ten times, in a random order each time, straight to the provider."""
    before = len(upstream.invoice)
    draw = random.Random(f"{seed} order")  # noqa: S311 - made up
    headers = {"authorization": f"Bearer {upstream.key}"}
    with httpx.Client(base_url=upstream.url, headers=headers, timeout=WAIT_S, trust_env=False) as client:
        for number, about in enumerate(ABOUT, first):
            parts = [{"type": "text", "text": text} for text in draw.sample(documents, len(documents))]
            task = f"<question>\n{question(number, about)}\n</question>\n"
            messages: list[Json] = [
                {"role": "system", "content": "Answer from the documents."},
                {"role": "user", "content": parts},
                {"role": "user", "content": task},
            ]
            body = {"model": MODEL, "messages": messages, "max_completion_tokens": 16_000}
            client.post("/chat/completions", content=json.dumps(body)).raise_for_status()
    return _bill(["everything in 1"] * len(ABOUT), upstream.invoice[before:], None)


def texts_of(client: httpx.Client, corpus_id: str) -> list[str]:
    """Return the documents of a corpus as one text each."""
    ids = client.get(f"/v1/corpora/{corpus_id}").json()["document_ids"]
    texts = []
    for ordinal, document_id in enumerate(ids, 1):
        pages = client.get(f"/v1/documents/{document_id}/pages").json()["data"]
        found = [client.get(f"/v1/documents/{document_id}/pages/{page['number']}").json() for page in pages]
        body = "".join(f'<page n="{page["number"]}">\n{page["text"]}\n' for page in found)
        texts.append(f'<document id="D{ordinal}" name="{document_id}">\n{body}</document>\n')
    return texts


def _bill(plans: Sequence[str], lines: Sequence[Billed], expected: Decimal | None) -> Bill:
    return Bill(
        plans=tuple(plans),
        usd=sum((line.usd for line in lines), Decimal(0)),
        calls=len(lines),
        prompt_tokens=sum(line.prompt_tokens for line in lines),
        cached_tokens=sum(line.cached_tokens for line in lines),
        expected_usd=expected,
    )
