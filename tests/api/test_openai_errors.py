"""What goes wrong, as OpenAI's own client tells it: exception, parameter, way out, and whether to retry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

from ingest import count_tokens
from service.api import problems
from service.api.openai_errors import envelope
from service.domain import packing
from service.domain.documents import Document, DocumentStatus, PageCount, Progress
from service.errors import BudgetExceeded, Fix
from service.store import documents
from service.usecases.context import LOCAL, new_id
from tests.api.conftest import MAX_UPLOAD_BYTES
from tests.support import upstream as acts
from tests.support.face import Watch, check, watched
from tests.support.server import Server
from tests.support.upstream import Upstream

QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "When did the harbour open?"}]


@pytest.fixture
def face(server: Server, upstream: Upstream) -> Iterator[tuple[OpenAI, Watch]]:
    del upstream
    with watched(server.port, sends=lambda _: None) as (client, watch):
        yield client, watch
    assert watch.violations == []


def refused(client: OpenAI, **asked: Any) -> openai.APIStatusError:  # noqa: ANN401 - any parameters
    """Ask, and return what the client raises."""
    body = {"model": "gpt-5.5", "messages": QUESTION, **asked}
    with pytest.raises(openai.APIStatusError) as error:
        client.chat.completions.create(**body)
    return error.value


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"stop": ["1", "2", "3", "4", "5"]}, "stop"),
        ({"seed": "seven"}, "seed"),
        ({"frequency_penalty": -0.5, "reasoning_effort": "low"}, "frequency_penalty"),
        ({"presence_penalty": 2.5, "reasoning_effort": "none"}, "presence_penalty"),
        ({"store": True}, "store"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"logit_bias": {"50256": -100}}, "logit_bias"),
        ({"prediction": {"type": "content", "content": "x"}}, "prediction"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"temperature": 0.5}, "temperature"),
        ({"top_p": 0.5, "reasoning_effort": "low"}, "top_p"),
        ({"temperature": 3}, "temperature"),
        ({"reasoning_effort": "extreme"}, "reasoning_effort"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
        ({"max_completion_tokens": 5, "max_tokens": 6}, "max_tokens"),
        ({"response_format": {"type": "grammar"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        (
            {"stream": True, "stream_options": {"include_obfuscation": True}},
            "stream_options.include_obfuscation",
        ),
        ({"extra_body": {"wait": False}}, "wait"),
        ({"extra_body": {"question": "When?"}}, "question"),
        ({"extra_body": {"questions": ["When?", "Why?"]}}, "questions"),
        ({"extra_body": {"system_prompt": "Be brief."}}, "system_prompt"),
        ({"extra_body": {"unheard_of": 1}}, "unheard_of"),
        ({"extra_body": {"file_ids": ["file-1"], "document_ids": ["doc_1"]}}, "document_ids"),
        ({"extra_body": {"max_cost_usd": "much"}}, "max_cost_usd"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "system", "content": "Be brief."}]}, "messages"),
        ({"messages": [*QUESTION, {"role": "assistant", "content": "In"}]}, "messages"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages"),
        ({"messages": [{"role": "user", "content": "x" * 200_001}]}, "messages"),
        ({"messages": [{"role": "tool", "tool_call_id": "1", "content": "x"}]}, "messages[0].role"),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": "What is this?"},
                            {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
                        ],
                    }
                ]
            },
            "messages[0].content[1]",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_data": "eA=="}}]}]},
            "messages[0].content[0].file",
        ),
        (
            {"messages": [*QUESTION, {"role": "assistant", "tool_calls": [{"id": "1"}]}]},
            "messages[1].tool_calls",
        ),
        ({"model": "gpt-5.5@cor_other"}, "corpus_id"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_honoured_is_refused_by_its_name(
    face: tuple[OpenAI, Watch], corpus: str, upstream: Upstream, asked: dict[str, Any], param: str
) -> None:
    beside = {"corpus_id": corpus, **asked.pop("extra_body", {})}
    error = refused(face[0], **asked, extra_body=beside)
    assert isinstance(error, openai.BadRequestError)
    assert (error.param, error.type, error.code) == (param, "invalid_request_error", "invalid_request")
    assert upstream.requests == []


def test_no_corpus_named(face: tuple[OpenAI, Watch], corpus: str) -> None:
    error = refused(face[0])
    assert (error.status_code, error.param) == (400, "corpus_id")
    assert "corpus_id" in error.message
    assert "cor_" in error.message
    assert refused(face[0], extra_body={"corpus_id": f"{corpus}0"}).status_code == 404


def test_unknown_model_is_looked_up(face: tuple[OpenAI, Watch]) -> None:
    with pytest.raises(openai.NotFoundError) as error:
        face[0].models.retrieve("gpt-0")
    assert error.value.code == "not_found"


@pytest.mark.parametrize("name", ["gpt-0", "gpt-0@cor_1"])
def test_unknown_model(face: tuple[OpenAI, Watch], corpus: str, name: str) -> None:
    error = refused(face[0], model=name, extra_body={"corpus_id": corpus if "@" not in name else "cor_1"})
    assert isinstance(error, openai.NotFoundError)
    assert (error.code, error.param) == ("not_found", "model")


def test_body_that_is_no_json(server: Server) -> None:
    for content in (b"{", b"[]", b"", b'"text"'):
        response = server.client.post("/v1/chat/completions", content=content)
        assert response.status_code == 400
        check(response.json(), "ErrorResponse")
        assert response.json()["error"]["param"] is None


def test_what_no_handler_sees_has_the_envelope_too(server: Server) -> None:
    path = "/v1/chat/completions"
    responses = [
        (405, server.client.get(path)),
        (404, server.client.get("/v1/chat/nothing")),
        (413, server.client.post(path, content=b"x" * (33 << 20))),
        (403, server.client.post(path, json={}, headers={"Origin": "https://example.com"})),
        (422, server.client.post(f"{path}?x=%00", json={})),
    ]
    for status, response in responses:
        assert response.status_code == status
        check(response.json(), "ErrorResponse")
        assert response.headers["x-should-retry"] == "false"


def test_other_paths_keep_their_problems(server: Server) -> None:
    response = server.client.post("/v1/corpora/cor_1/answers", json={"n": 2})
    assert response.headers["content-type"] == "application/problem+json"


def test_ceiling_above_the_limit(face: tuple[OpenAI, Watch], corpus: str) -> None:
    error = refused(face[0], extra_body={"corpus_id": corpus, "max_cost_usd": "0.01"})
    assert (error.status_code, error.code, error.type) == (402, "over_max_cost", "insufficient_quota")
    assert "Ways out: raise max cost (max_usd" in error.message
    assert isinstance(error.body, dict)
    assert [fix["do"] for fix in error.body["unabridged"]["fixes"]] == [
        "raise_max_cost",
        "lower_max_completion_tokens",
    ]


def test_budget(face: tuple[OpenAI, Watch], server: Server, corpus: str, upstream: Upstream) -> None:
    server.limit(f"corpus:{corpus}", 1)
    error = refused(face[0], extra_body={"corpus_id": corpus})
    assert (error.status_code, error.code) == (402, "budget_exceeded")
    assert upstream.requests == []


def test_over_the_threshold(face: tuple[OpenAI, Watch], server: Server, large: list[str]) -> None:
    corpus = server.corpus(*large)
    asked = {"corpus_id": corpus, "strategy": "whole"}
    error = refused(face[0], extra_body=asked)
    assert isinstance(error, openai.ConflictError)
    assert error.code == "over_threshold"
    assert "allow_long_context" in error.message
    assert error.response.headers["x-should-retry"] == "false"
    done = face[0].chat.completions.create(
        model="gpt-5.5", messages=QUESTION, extra_body={**asked, "allow_long_context": True}
    )
    assert done.usage is not None
    assert done.usage.prompt_tokens > 272_000


def test_rate_limit_is_worth_another_try(face: tuple[OpenAI, Watch], corpus: str, upstream: Upstream) -> None:
    upstream.script.append(acts.status(429, "rate_limit_exceeded", {"Retry-After": "3600"}))
    error = refused(face[0], extra_body={"corpus_id": corpus})
    assert isinstance(error, openai.RateLimitError)
    assert (error.code, error.type) == ("rate_limited", "rate_limit_error")
    assert error.response.headers["x-should-retry"] == "true"
    assert error.response.headers["retry-after"] == "3600"


def test_a_client_that_tries_again_under_its_key_gets_through(
    server: Server, corpus: str, upstream: Upstream
) -> None:
    upstream.script.extend([acts.status(429, "rate_limit_exceeded", {"retry-after-ms": "5"})] * 3)
    with watched(server.port, max_retries=2) as (client, watch):
        done = client.chat.completions.create(
            model=f"gpt-5.5@{corpus}", messages=QUESTION, extra_headers={"Idempotency-Key": f"try-{corpus}"}
        )
    assert done.choices[0].finish_reason == "stop"
    assert (watch.exchanges, len(upstream.invoice), watch.violations) == (2, 1, [])


@pytest.mark.parametrize(
    ("act", "status", "code"),
    [
        (acts.status(400, "invalid_prompt"), 502, "provider_error"),
        (acts.status(400, "context_length_exceeded"), 422, "over_window"),
        (acts.status(401, "invalid_api_key"), 502, "provider_error"),
    ],
    ids=["refused", "window", "key"],
)
def test_the_provider_refuses(
    face: tuple[OpenAI, Watch], corpus: str, upstream: Upstream, act: acts.Act, status: int, code: str
) -> None:
    upstream.script.append(act)
    error = refused(face[0], extra_body={"corpus_id": corpus})
    assert (error.status_code, error.code) == (status, code)
    assert error.response.headers["x-should-retry"] == "false"


def test_what_may_have_been_billed_is_never_repeated_by_the_client(
    server: Server, corpus: str, upstream: Upstream
) -> None:
    """The client would repeat a 502 twice of itself; one that is in doubt would then be paid three times."""
    upstream.script.append(acts.cut_after(3))
    with watched(server.port, max_retries=2) as (client, watch):
        error = refused(client, extra_body={"corpus_id": corpus})
    assert isinstance(error, openai.InternalServerError)
    assert error.code == "in_doubt"
    assert isinstance(error.body, dict)
    answer_id = error.body["unabridged"]["answer_id"]
    assert server.client.get(f"/v1/answers/{answer_id}").json()["status"] == "in_doubt"
    assert (watch.exchanges, len(upstream.invoice), watch.violations) == (1, 1, [])


def test_a_document_that_is_being_read_is_waited_for(server: Server, upstream: Upstream) -> None:
    """The client asks again after the time it is told."""
    document_id = queued(server)
    asked: list[str] = []

    def ready_at_the_second_time(request: httpx2.Request) -> None:
        asked.append(request.headers["x-stainless-retry-count"])
        if len(asked) == 2:
            finish(server, document_id)

    with watched(server.port, max_retries=1, sends=ready_at_the_second_time) as (client, watch):
        done = client.chat.completions.create(
            model="gpt-5.5", messages=QUESTION, extra_body={"file_ids": [document_id]}
        )
    assert done.choices[0].finish_reason == "stop"
    assert (asked, len(upstream.invoice), watch.violations) == (["0", "1"], 1, [])


def queued(server: Server) -> str:
    """The id of a document that nobody reads."""
    document = Document(
        id=new_id("doc"),
        tenant=LOCAL,
        sha256=new_id("0"),
        filename="queued.txt",
        media_type="text/plain",
        bytes=1,
        status=DocumentStatus.QUEUED,
        progress=Progress(),
        created_at=datetime.now(UTC),
    )
    text = "The harbour opened in 1871."
    with server.context.db.write() as tx:
        documents.add(tx, document)
        documents.add_pages(tx, document.id, [(PageCount(1, tokens=count_page(text), chars=len(text)), text)])
    return document.id


def count_page(text: str) -> int:
    return count_tokens(packing.block(1, text))


def finish(server: Server, document_id: str) -> None:
    with server.context.db.write() as tx:
        documents.finish(
            tx,
            document_id,
            pack_sha256="0" * 64,
            encoding="o200k_base",
            title=None,
            warnings=[],
            at=datetime.now(UTC),
        )


def test_an_error_inside_the_stream(face: tuple[OpenAI, Watch], corpus: str, upstream: Upstream) -> None:
    upstream.script.append(acts.cut_after(4))
    stream = face[0].chat.completions.create(
        model="gpt-5.5", messages=QUESTION, stream=True, extra_body={"corpus_id": corpus}
    )
    chunks: list[ChatCompletionChunk] = []
    with pytest.raises(openai.APIError) as error:
        chunks.extend(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks).startswith("According")
    assert error.value.code == "in_doubt"
    assert len(upstream.invoice) == 1


def test_refused_before_the_stream_begins(face: tuple[OpenAI, Watch]) -> None:
    error = refused(face[0], stream=True, extra_body={"corpus_id": "cor_none"})
    assert isinstance(error, openai.NotFoundError)


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_a_stopped_answer_is_no_whole_one(
    server: Server, corpus: str, upstream: Upstream, *, stream: bool
) -> None:
    upstream.script.append(acts.stall_after(3))
    body = {"model": f"gpt-5.5@{corpus}", "messages": QUESTION, "stream": stream}
    with ThreadPoolExecutor(1) as beside:
        asking = beside.submit(server.client.post, "/v1/chat/completions", json=body)
        running: list[Any] = []
        while not running:
            listed = server.client.get("/v1/answers", params={"corpus_id": corpus}).json()["data"]
            running = [one for one in listed if one["status"] == "running"]
        server.client.post(f"/v1/answers/{running[0]['id']}/cancel")
        response = asking.result()
    said = json.loads(response.text.split("\n\n")[-2].removeprefix("data: ")) if stream else response.json()
    assert response.status_code == (200 if stream else 409)
    check(said, "ErrorResponse")
    assert said["error"]["code"] == "cancelled"
    assert said["error"]["unabridged"]["answer_id"] == running[0]["id"]


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"messages": [{"role": "user", "content": "Something else?"}]}, "messages"),
        ({"messages": [{"role": "system", "content": "Be brief."}, *QUESTION]}, "messages"),
        ({"model": "gpt-5.4"}, "model"),
        ({"reasoning_effort": "high"}, "reasoning_effort"),
        ({"extra_body": {"file_ids": ["file-1"]}}, "file_ids"),
    ],
    ids=["question", "instructions", "model", "parameters", "files"],
)
def test_a_plan_is_of_one_question(
    face: tuple[OpenAI, Watch],
    server: Server,
    corpus: str,
    upstream: Upstream,
    asked: dict[str, Any],
    param: str,
) -> None:
    plan = server.plans(corpus, question=str(dict(QUESTION[0])["content"]))["whole"]
    beside = {"plan_id": plan["id"], **asked.pop("extra_body", {})}
    error = refused(face[0], **asked, extra_body=beside)
    assert (error.status_code, error.param) == (400, param)
    assert upstream.requests == []


def test_a_key_that_was_used_for_another_request(
    face: tuple[OpenAI, Watch], corpus: str, upstream: Upstream
) -> None:
    headers = {"Idempotency-Key": f"other-{corpus}"}
    asked: dict[str, Any] = {"model": f"gpt-5.5@{corpus}", "extra_headers": headers}
    face[0].chat.completions.create(**asked, messages=QUESTION)
    error = refused(face[0], **asked, messages=[{"role": "user", "content": "Another?"}])
    assert isinstance(error, openai.UnprocessableEntityError)
    assert len(upstream.requests) == 1


def test_ways_out_are_told_in_words() -> None:
    fixes = (
        Fix("leave_out", values=(("document_ids", [f"doc_{n}" for n in range(7)]), ("saves_tokens", 12))),
        Fix("use_strategy", "Ask with strategy split.", (("strategy", "split"),)),
        Fix("plan_again"),
    )
    told = envelope(problems.problem_of(BudgetExceeded("It does not fit.", fixes=fixes)))["error"]["message"]
    assert told == (
        "It does not fit. Ways out: leave out (document_ids doc_0, doc_1, doc_2, doc_3, doc_4, and 2 more, "
        "saves_tokens 12); Ask with strategy split; plan again."
    )


def test_too_large_a_file(server: Server) -> None:
    with watched(server.port) as (client, _), pytest.raises(openai.APIStatusError) as error:
        client.files.create(file=("big.txt", b"x" * (MAX_UPLOAD_BYTES + 1)), purpose="user_data")
    assert (error.value.status_code, error.value.code) == (413, "too_large")
