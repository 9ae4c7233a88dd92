"""Chat completions through OpenAI's own client: plain, streamed, structured, with history and citations."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import BadRequestError, OpenAI
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel

from tests.api.conftest import prose
from tests.support.asking import task_text
from tests.support.face import Watch, watched
from tests.support.pdfs import text_pdf
from tests.support.server import Server
from tests.support.upstream import Upstream, empty_length, refusal, slow

Answering = Callable[[str], None]
QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "When did the harbour open?"}]


@pytest.fixture
def face(server: Server, upstream: Upstream) -> Iterator[tuple[OpenAI, Watch]]:
    del upstream
    with watched(server.port) as (client, watch):
        yield client, watch
    assert watch.violations == []


@pytest.fixture
def client(face: tuple[OpenAI, Watch]) -> OpenAI:
    return face[0]


@pytest.fixture
def answering(upstream: Upstream) -> Iterator[Answering]:
    """Lets the model say a given text."""
    usual = upstream.answer

    def say(text: str) -> None:
        upstream.answer = lambda _: text

    yield say
    upstream.answer = usual


def extra(value: Any) -> dict[str, Any]:  # noqa: ANN401 - any of the client's models
    """What a reply holds beside OpenAI's fields."""
    found: dict[str, Any] = value.model_extra["unabridged"]
    return found


def test_plain(client: OpenAI, server: Server, corpus: str, harbour: str, upstream: Upstream) -> None:
    done = client.chat.completions.create(
        model="gpt-5.5", messages=QUESTION, extra_body={"corpus_id": corpus}
    )
    answer = server.client.get(f"/v1/answers/{extra(done)['answer_id']}").json()
    (choice,) = done.choices
    assert (choice.message.content, choice.finish_reason, choice.message.refusal) == (
        answer["text"],
        "stop",
        None,
    )
    assert (done.id, done.model, done.service_tier) == (f"chatcmpl-{answer['id']}", "gpt-5.5", "default")
    assert done._request_id == answer["id"]  # noqa: SLF001 - public in spite of its name, says the client
    (billed,) = upstream.invoice
    assert done.usage is not None
    assert done.usage.completion_tokens_details is not None
    assert (done.usage.prompt_tokens, done.usage.completion_tokens) == (
        billed.prompt_tokens,
        billed.completion_tokens,
    )
    assert done.usage.total_tokens == billed.prompt_tokens + billed.completion_tokens
    assert done.usage.completion_tokens_details.reasoning_tokens == billed.reasoning_tokens
    assert extra(done)["cost"] == answer["cost"]
    assert extra(done)["coverage"]["documents_in"] == 1
    assert [one["document_id"] for one in extra(done)["citations"]] == [harbour]


def test_annotations_stand_at_their_marks(client: OpenAI, server: Server, corpus: str, harbour: str) -> None:
    done = client.chat.completions.create(
        model="gpt-5.5", messages=QUESTION, extra_body={"corpus_id": corpus}
    )
    message = done.choices[0].message
    assert message.annotations is not None
    (annotation,) = message.annotations
    cited = annotation.url_citation
    assert (message.content or "")[cited.start_index : cited.end_index] == "[D1 p.1]"
    assert cited.title == "harbour.txt, page 1"
    assert cited.url == f"http://127.0.0.1:{server.port}/v1/documents/{harbour}/pages/1"
    assert "1871" in server.client.get(cited.url).json()["text"]
    assert extra(annotation)["verdict"] == "exact"


def test_annotations_of_a_pdf_show_the_page_with_the_quote(
    client: OpenAI, server: Server, upstream: Upstream, tmp_path: Path
) -> None:
    pdf = text_pdf(tmp_path / "pier.pdf", [["The pier is 90 metres long and made of oak."]])
    document = server.add("pier.pdf", pdf.read_bytes())
    corpus = server.corpus(document["id"])
    done = client.chat.completions.create(
        model=f"gpt-5.5@{corpus}", messages=[{"role": "user", "content": "How long is the pier?"}]
    )
    (annotation,) = done.choices[0].message.annotations or []
    seen = server.client.get(annotation.url_citation.url)
    assert (seen.headers["content-type"], seen.headers["x-quote-found"]) == ("image/png", "true")
    assert upstream.requests[0].body["model"] == "gpt-5.5"


@pytest.mark.parametrize(
    ("said", "titles"),
    [
        ('"The harbour opened in 1872." [D1 p.1]', ["harbour.txt, page 1 (altered quote)"]),
        ('"The harbour opened in 1871." [D1 p.7]', ["harbour.txt, page 1 (found elsewhere)"]),
        ('"Nothing of the kind was ever written here." [D1 p.1]', []),
        ("No quote at all.", []),
    ],
    ids=["altered", "elsewhere", "missing", "none"],
)
def test_annotations_say_what_a_quote_is_worth(
    client: OpenAI, corpus: str, answering: Answering, said: str, titles: list[str]
) -> None:
    answering(said)
    done = client.chat.completions.create(
        model="gpt-5.5", messages=QUESTION, extra_body={"corpus_id": corpus}
    )
    found = done.choices[0].message.annotations or []
    assert [one.url_citation.title for one in found] == titles
    assert len(extra(done)["citations"]) == said.count("[D1")


def test_citations_can_be_left_out(client: OpenAI, corpus: str, upstream: Upstream) -> None:
    done = client.chat.completions.create(
        model="gpt-5.5", messages=QUESTION, extra_body={"corpus_id": corpus, "citations": False}
    )
    assert (done.choices[0].message.annotations, extra(done)["citations"]) == ([], [])
    assert len(upstream.requests) == 1


def test_streamed(face: tuple[OpenAI, Watch], server: Server, corpus: str, upstream: Upstream) -> None:
    client, watch = face
    stream = client.chat.completions.create(
        model="gpt-5.5",
        messages=QUESTION,
        stream=True,
        stream_options={"include_usage": True},
        extra_body={"corpus_id": corpus},
    )
    first, *middle, end, usage = list(stream)
    assert (first.choices[0].delta.role, first.choices[0].delta.content) == ("assistant", "")
    text = "".join(chunk.choices[0].delta.content or "" for chunk in middle)
    answer = server.client.get(f"/v1/answers/{extra(end)['answer_id']}").json()
    assert text == answer["text"]
    assert len(middle) > 3
    assert [chunk.choices[0].finish_reason for chunk in [first, *middle, end]] == [None] * (
        len(middle) + 1
    ) + ["stop"]
    assert {chunk.id for chunk in [first, *middle, end, usage]} == {f"chatcmpl-{answer['id']}"}
    (annotation,) = (end.choices[0].delta.model_extra or {})["annotations"]
    assert text[annotation["url_citation"]["start_index"] :].startswith("[D1 p.1]")
    assert usage.choices == []
    assert usage.usage is not None
    assert usage.usage.prompt_tokens == upstream.invoice[0].prompt_tokens
    assert [chunk["usage"] for chunk in watch.payloads[:-1]] == [None] * (len(middle) + 2)


def test_streamed_without_usage(face: tuple[OpenAI, Watch], corpus: str, upstream: Upstream) -> None:
    client, watch = face
    stream = client.chat.completions.create(
        model=f"gpt-5.5@{corpus}", messages=QUESTION, stream=True, extra_body={"citations": True}
    )
    chunks = list(stream)
    assert all(len(chunk.choices) == 1 for chunk in chunks)
    assert all("usage" not in chunk for chunk in watch.payloads)
    assert len(upstream.requests) == 1


def test_the_clients_own_stream_reader(client: OpenAI, corpus: str, upstream: Upstream) -> None:
    with client.chat.completions.stream(
        model="gpt-5.5", messages=QUESTION, extra_body={"corpus_id": corpus}
    ) as stream:
        deltas = [event.delta for event in stream if event.type == "content.delta"]
        done = stream.get_final_completion()
    assert "".join(deltas) == done.choices[0].message.content
    assert done.choices[0].finish_reason == "stop"
    assert len(upstream.requests) == 1


class Opening(BaseModel):
    """What is asked for."""

    year: int
    words: str


def test_structured(client: OpenAI, corpus: str, upstream: Upstream) -> None:
    done = client.chat.completions.parse(
        model="gpt-5.5", messages=QUESTION, response_format=Opening, extra_body={"corpus_id": corpus}
    )
    parsed = done.choices[0].message.parsed
    assert isinstance(parsed, Opening)
    assert parsed.year == 0
    sent = upstream.requests[0].body["response_format"]
    assert (sent["type"], sent["json_schema"]["strict"]) == ("json_schema", True)


def test_structured_and_streamed(client: OpenAI, corpus: str, upstream: Upstream) -> None:
    with client.chat.completions.stream(
        model="gpt-5.5", messages=QUESTION, response_format=Opening, extra_body={"corpus_id": corpus}
    ) as stream:
        done = stream.get_final_completion()
    assert isinstance(done.choices[0].message.parsed, Opening)
    assert len(upstream.requests) == 1


def test_json_object(client: OpenAI, corpus: str, upstream: Upstream) -> None:
    done = client.chat.completions.create(
        model="gpt-5.5",
        messages=QUESTION,
        response_format={"type": "json_object"},
        extra_body={"corpus_id": corpus},
    )
    assert "answer" in json.loads(done.choices[0].message.content or "")
    assert upstream.requests[0].body["response_format"] == {"type": "json_object"}


def test_refusal_of_the_model(client: OpenAI, corpus: str, upstream: Upstream) -> None:
    upstream.script += [refusal("I can't help with that."), refusal("Nor with that.")]
    asked: dict[str, Any] = {"model": f"gpt-5.5@{corpus}", "messages": QUESTION}
    whole = client.chat.completions.create(**asked)
    message = whole.choices[0].message
    assert (message.content, message.refusal) == (None, "I can't help with that.")
    *_, end = list(client.chat.completions.create(**asked, stream=True))
    assert end.choices[0].delta.refusal == "Nor with that."


def test_length(client: OpenAI, corpus: str, upstream: Upstream) -> None:
    upstream.script.append(empty_length())
    done = client.chat.completions.create(
        model="gpt-5.5", messages=QUESTION, max_completion_tokens=50, extra_body={"corpus_id": corpus}
    )
    assert (done.choices[0].finish_reason, done.choices[0].message.content) == ("length", "")


def test_parameters_reach_the_provider(client: OpenAI, corpus: str, upstream: Upstream) -> None:
    client.chat.completions.create(
        model="gpt-5.5",
        messages=QUESTION,
        max_tokens=500,
        temperature=0.5,
        top_p=0.9,
        presence_penalty=0.5,
        frequency_penalty=-0.25,
        seed=7,
        stop=["END", "FIN"],
        reasoning_effort="none",
        verbosity="low",
        service_tier="flex",
        extra_body={"corpus_id": corpus, "max_cost_usd": "5.00", "strategy": "whole"},
    )
    sent = upstream.requests[0].body
    assert (sent["max_completion_tokens"], sent["temperature"], sent["top_p"]) == (500, 0.5, 0.9)
    assert (sent["reasoning_effort"], sent["verbosity"], sent["service_tier"]) == ("none", "low", "flex")
    assert (sent["presence_penalty"], sent["frequency_penalty"]) == (0.5, -0.25)
    assert (sent["seed"], sent["stop"]) == (7, ["END", "FIN"])


def test_hints_and_neutral_values_are_taken(client: OpenAI, corpus: str, upstream: Upstream) -> None:
    done = client.chat.completions.create(
        model="gpt-5.5",
        messages=QUESTION,
        user="someone",
        safety_identifier="a1",
        prompt_cache_key="mine",
        metadata={"from": "a test"},
        store=False,
        n=1,
        logprobs=False,
        presence_penalty=0,
        frequency_penalty=0,
        seed=None,
        stop=None,
        temperature=1,
        tool_choice="none",
        tools=[],
        service_tier="auto",
        response_format={"type": "text"},
        extra_body={"corpus_id": corpus},
    )
    assert done.choices[0].finish_reason == "stop"
    sent = upstream.requests[0].body
    assert {"user", "metadata", "n", "tools", "response_format"}.isdisjoint(sent)


def test_history_stands_before_the_question(client: OpenAI, server: Server, upstream: Upstream) -> None:
    document = server.add("history.txt", prose(71, 60))
    corpus = server.corpus(document["id"])
    client.chat.completions.create(
        model=f"gpt-5.5@{corpus}", messages=[{"role": "user", "content": "When did the harbour open?"}]
    )
    done = client.chat.completions.create(
        model=f"gpt-5.5@{corpus}",
        messages=[
            {"role": "system", "content": "Speak like a clerk."},
            {"role": "user", "content": "When did the harbour open?", "name": "Ann"},
            {"role": "assistant", "content": "In 1871."},
            {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
            {
                "role": "user",
                "content": [{"type": "text", "text": "And when"}, {"type": "text", "text": "not?"}],
            },
        ],
    )
    first, second = (request.body["messages"] for request in upstream.requests)
    assert second[:-1] == first[:-1], "the packed prefix stays, byte for byte"
    instructions = (
        "Speak like a clerk.\n\nBe brief.\n\nWhat was said before the question, for reference:\n\n"
        "User (Ann):\nWhen did the harbour open?\n\nAssistant:\nIn 1871."
    )
    assert second[-1]["content"] == task_text("And when\nnot?", own=instructions)
    answer = server.client.get(f"/v1/answers/{extra(done)['answer_id']}").json()
    assert answer["question"] == "And when\nnot?"
    plan = server.client.get(f"/v1/plans/{answer['plan_id']}").json()
    assert plan["input_tokens"] == upstream.invoice[1].prompt_tokens
    assert upstream.invoice[1].cached_tokens > 0


@pytest.mark.parametrize("nulls", [False, True], ids=["said", "said and null"])
def test_a_reply_can_be_sent_back_as_it_came(
    client: OpenAI, server: Server, corpus: str, upstream: Upstream, *, nulls: bool
) -> None:
    done = client.chat.completions.create(model=f"gpt-5.5@{corpus}", messages=QUESTION)
    said = done.choices[0].message.model_dump(exclude_none=not nulls)
    body = {
        "model": f"gpt-5.5@{corpus}",
        "messages": [*QUESTION, said, {"role": "user", "content": "And then?"}],
    }
    assert server.client.post("/v1/chat/completions", json=body).status_code == 200
    assert "1871" in upstream.requests[1].body["messages"][-1]["content"]


def test_idempotency_key_pays_once(client: OpenAI, corpus: str, upstream: Upstream) -> None:
    headers = {"Idempotency-Key": f"once-{corpus}"}
    asked: dict[str, Any] = {"model": f"gpt-5.5@{corpus}", "messages": QUESTION, "extra_headers": headers}
    first, second = (client.chat.completions.create(**asked) for _ in range(2))
    assert first == second
    streamed = list(client.chat.completions.create(**asked, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in streamed)
    assert text == first.choices[0].message.content
    assert len(upstream.requests) == 1


def test_a_plan_is_asked_as_it_was_priced(
    client: OpenAI, server: Server, corpus: str, upstream: Upstream
) -> None:
    plan = server.plans(corpus, question="When did the harbour open?", reasoning_effort="low")["whole"]
    done = client.chat.completions.create(
        model="gpt-5.5", messages=QUESTION, extra_body={"plan_id": plan["id"]}
    )
    assert (extra(done)["plan_id"], extra(done)["corpus_id"]) == (plan["id"], corpus)
    assert upstream.requests[0].body["reasoning_effort"] == "low"
    assert done.choices[0].message.annotations
    unchecked = client.chat.completions.create(
        model="gpt-5.5", messages=QUESTION, extra_body={"plan_id": plan["id"], "citations": False}
    )
    assert not unchecked.choices[0].message.annotations
    with pytest.raises(BadRequestError, match="leave out strategy"):
        client.chat.completions.create(
            model="gpt-5.5", messages=QUESTION, extra_body={"plan_id": plan["id"], "strategy": "whole"}
        )
    assert len(upstream.requests) == 2


def test_a_client_that_goes_away_stops_nothing(server: Server, corpus: str, upstream: Upstream) -> None:
    upstream.script.append(slow(0.0, 0.02))
    body = {"model": f"gpt-5.5@{corpus}", "messages": QUESTION, "stream": True}
    with server.client.stream("POST", "/v1/chat/completions", json=body) as response:
        answer_id = response.headers["x-request-id"]
        next(response.iter_lines())
    answer = server.finished(answer_id)
    assert (answer["status"], len(upstream.invoice)) == ("done", 1)
    assert answer["text"]


def test_models(client: OpenAI, server: Server, corpus: str) -> None:
    names = [model.id for model in client.models.list()]
    assert "gpt-5.5" in names
    assert client.models.retrieve("gpt-5.5").owned_by == "openai"
    assert client.models.retrieve(f"gpt-5.5@{corpus}").id == f"gpt-5.5@{corpus}"
    assert server.client.get("/v1/models/gpt-5.5@cor_none").status_code == 404
