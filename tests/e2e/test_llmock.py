"""llmock, a provider that nobody here wrote: it misbehaves on request, and judges how its client reacts.

Its verdict is ours but for one rule. It wants a reply that broke off to be asked for again; such a reply may
have been billed, so it is never repeated here, and the answer is in doubt.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from llmock.pytest_plugin import LLMock
from llmock.testing import LLMockServer

from service.domain import pricing
from tests.support import billing
from tests.support.impatient import SILENCE_S, impatient
from tests.support.server import Json, Server, sent_events
from tests.support.shapes import ANSWER, fits

NOT_REPEATED = {"truncated_stream_accepted", "malformed_chunk_ignored", "gave_up"}


@pytest.fixture(scope="module")
def server(llmock_server: LLMockServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    url = llmock_server.base_url("openai")
    with impatient(tmp_path_factory.mktemp("llmock"), url, "sk-llmock-key") as running:
        yield running


@pytest.fixture(scope="module")
def document(server: Server) -> str:
    text = "".join(f"The harbour opened in {year}, and closed again.\n" for year in range(1800, 1900))
    return str(server.add("harbour.txt", text.encode())["id"])


@pytest.fixture
def corpus(server: Server, document: str) -> Iterator[str]:
    yield server.corpus(document)
    server.client.delete("/v1/models/gpt-5.5/limits")


def ask(server: Server, corpus: str, **more: Any) -> Json:  # noqa: ANN401 - any JSON value
    said = server.ask(corpus, question="When did it open?", **more).json()
    answer: Json = said.get("answer") or said
    fits(answer, ANSWER)
    return answer


def check_paid(server: Server, answer: Json) -> None:
    """Booked is what the reply told, at the published price; nothing is held."""
    usage = answer["usage"]
    usd = billing.price(
        "default", prompt=usage["prompt_tokens"], cached=0, completion=usage["completion_tokens"]
    )
    assert (answer["status"], Decimal(answer["cost"]["actual_usd"])) == ("done", usd)
    (lines,) = server.entries(answer["id"]).values()
    assert [line.kind for line in lines] == ["reserve", "release", "settle"]
    assert sum(line.micros for line in lines) == pricing.to_micros_up(usd)


def check_free(server: Server, answer: Json, code: str) -> None:
    assert (answer["status"], answer["error"]["code"]) == ("failed", code)
    (lines,) = server.entries(answer["id"]).values()
    assert [line.kind for line in lines] == ["reserve", "release"]


def test_it_answers(server: Server, corpus: str, llmock: LLMock) -> None:
    llmock.reply('It says: "The harbour opened in 1801" [D1 p.1].', times=2)
    waited = ask(server, corpus)
    body = {"question": "When did it open?", "stream": True}
    with server.client.stream("POST", f"/v1/corpora/{corpus}/answers", json=body) as response:
        *_, last = sent_events(response)
    for answer in (waited, last.data):
        check_paid(server, answer)
        assert [one["verdict"] for one in answer["citations"]] == ["exact"]
    assert not waited["usage"]["estimated"]
    llmock.assert_resilient(strict=True)


def test_a_rate_limit_is_waited_for(server: Server, corpus: str, llmock: LLMock) -> None:
    llmock.rate_limit(times=2, retry_after=0.4)
    check_paid(server, ask(server, corpus))
    assert [record.status for record in llmock.requests] == [429, 429, 200]
    llmock.assert_resilient(strict=True)


@pytest.mark.parametrize("status", [500, 502, 503])
def test_an_error_that_passes(server: Server, corpus: str, llmock: LLMock, status: int) -> None:
    llmock.fail(status)
    check_paid(server, ask(server, corpus))
    llmock.assert_resilient(strict=True)


def test_an_outage(server: Server, corpus: str, llmock: LLMock) -> None:
    llmock.outage()
    check_free(server, ask(server, corpus), "provider_error")
    assert len(llmock.requests) == 3
    llmock.assert_resilient(strict=True)


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "provider_error"), (401, "provider_error"), (403, "provider_error"), (404, "provider_error")],
)
def test_what_no_retry_cures(server: Server, corpus: str, llmock: LLMock, status: int, code: str) -> None:
    llmock.fail(status, times=None)
    check_free(server, ask(server, corpus), code)
    assert len(llmock.requests) == 1
    llmock.assert_resilient(strict=True)


def test_more_than_its_window(server: Server, corpus: str, llmock: LLMock) -> None:
    """It counts by itself, and its message is the vendor's."""
    llmock.limits(context_window=500)
    answer = ask(server, corpus)
    check_free(server, answer, "over_window")
    assert len(llmock.requests) == 1
    llmock.assert_resilient(strict=True)


def test_its_bucket_of_tokens_is_waited_for(server: Server, corpus: str, llmock: LLMock) -> None:
    """60,000 tokens a minute, and two requests at once of which each asks for half and a little more."""
    llmock.limits(tpm=60_000)
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(ask, server, corpus, max_completion_tokens=29_500) for _ in range(2)]
        for one in asked:
            check_paid(server, one.result())
    assert sorted(record.status for record in llmock.requests) == [200, 200, 429]
    llmock.assert_resilient(strict=True)
    told = server.plans(corpus, question="When did it open?", strategies=["whole"])
    assert told["whole"]["feasible"]


@pytest.mark.parametrize("fault", ["disconnect", "truncate", "corrupt", "stall"])
def test_a_reply_that_breaks_off_is_never_repeated(
    server: Server, corpus: str, llmock: LLMock, fault: str
) -> None:
    getattr(llmock, fault)(after_chunks=3)
    answer = ask(server, corpus)
    assert (answer["status"], answer["error"]["code"]) == ("in_doubt", "in_doubt")
    (call,) = server.calls(answer["id"])
    assert server.held(answer["id"]) == {call.id: True}
    assert len(llmock.requests) == 1
    assert {finding.code for finding in llmock.verdict().findings} <= NOT_REPEATED


def test_a_slow_first_word_is_waited_for(server: Server, corpus: str, llmock: LLMock) -> None:
    llmock.slow_first_token(SILENCE_S / 2)
    check_paid(server, ask(server, corpus))
    llmock.assert_resilient(strict=True)


def test_tools_that_nobody_offered(server: Server, corpus: str, llmock: LLMock) -> None:
    llmock.call_tool("search", {"query": "harbour"})
    answer = ask(server, corpus)
    check_paid(server, answer)
    assert answer["finish_reason"] == "tool_calls"
