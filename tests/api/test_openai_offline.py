"""The face without a model: passages in the form of an answer, and no promise that can't be kept."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.support.face import watched
from tests.support.server import Server, serving, settings_in

QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "When did the harbour open?"}]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(settings_in(tmp_path_factory.mktemp("offline"))) as running:
        yield running


@pytest.fixture(scope="module")
def model(server: Server) -> str:
    document = server.add("harbour.txt", b"The harbour opened in 1871.\nIt was closed again in 1912.\n")
    return f"gpt-5.5@{server.corpus(document['id'])}"


def test_plain_and_streamed_are_the_same(server: Server, model: str) -> None:
    with watched(server.port) as (client, watch):
        whole = client.chat.completions.create(model=model, messages=QUESTION)
        chunks = list(client.chat.completions.create(model=model, messages=QUESTION, stream=True))
    assert watch.violations == []
    message = whole.choices[0].message
    assert "The harbour opened in 1871." in (message.content or "")
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == message.content
    assert [one.url_citation.title for one in message.annotations or []] == ["harbour.txt, page 1"] * len(
        message.annotations or []
    )
    assert message.annotations
    assert (whole.model_extra or {})["unabridged"]["engine"] == "offline"
    assert (whole.model_extra or {})["unabridged"]["cost"]["actual_usd"] == "0.00"


def test_json_is_not_promised(server: Server, model: str) -> None:
    with watched(server.port) as (client, _), pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(
            model=model, messages=QUESTION, response_format={"type": "json_object"}
        )
    assert error.value.param == "response_format"
