"""Real requests and replies of OpenAI's API beside the face: all that is said is taken or named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from service.api.openai_errors import Unfit, param_of
from service.api.openai_requests import ChatRequest, split_model
from tests.support.server import Server
from tests.support.upstream import Upstream

RECORDED = Path(__file__).resolve().parents[2] / "../shared/data/openai/exchanges.jsonl"
REAL_ALONE = {"system_fingerprint"}
"""Deprecated, and of OpenAI's own machines."""

Json = dict[str, Any]
recorded = pytest.mark.skipif(not RECORDED.is_file(), reason="the recordings are not here")


def exchanges() -> Iterator[Json]:
    for line in RECORDED.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def verdict(body: Json) -> str | None:
    """The parameter that a request is refused by; None where it is taken."""
    try:
        ChatRequest.model_validate(body).folded()
    except Unfit as error:
        return error.param
    except ValidationError as error:
        first = error.errors()[0]
        return param_of({**first, "loc": ("body", *first["loc"])})
    return None


@recorded
def test_recorded_requests_are_taken_or_refused_by_name() -> None:
    taken, refused = 0, 0
    for exchange in exchanges():
        body = exchange["request"]
        param = verdict(body)
        taken += param is None
        refused += param is not None
        if param is not None:
            assert param.split(".")[0].split("[")[0] in body, param
    assert taken > 50
    assert refused > 100


@recorded
def test_replies_have_every_field_that_real_ones_have(
    server: Server, corpus: str, upstream: Upstream
) -> None:
    body = {"model": f"gpt-5.5@{corpus}", "messages": [{"role": "user", "content": "When?"}]}
    ours = places(server.client.post("/v1/chat/completions", json=body).json())
    real = [
        set(places(exchange["body"]))
        for exchange in exchanges()
        if exchange["status"] == 200
        and exchange.get("body", {}).get("object") == "chat.completion"
        and "tools" not in exchange["request"]
    ]
    assert len(real) > 20
    assert set.intersection(*real) - REAL_ALONE <= set(ours)
    assert len(upstream.requests) == 1


def places(value: object, where: str = "") -> Iterator[str]:
    """The paths of all fields of a JSON value."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"{where}.{name}".lstrip(".")
            yield from places(inner, f"{where}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from places(inner, f"{where}[]")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("gpt-5.5", ("gpt-5.5", None)),
        ("gpt-5.5@cor_1", ("gpt-5.5", "cor_1")),
        ("vendor/model@2026", ("vendor/model@2026", None)),
        ("vendor/model@2026@cor_1", ("vendor/model@2026", "cor_1")),
        ("@cor_1", ("@cor_1", None)),
    ],
)
def test_a_model_with_a_corpus_behind_it(name: str, parts: tuple[str, str | None]) -> None:
    assert split_model(name) == parts


def test_a_made_up_request_is_judged_the_same_way() -> None:
    messages = [{"role": "user", "content": "When?"}]
    assert verdict({"model": "gpt-5.5", "messages": messages}) is None
    assert verdict({"model": "gpt-5.5", "messages": messages, "tools": [{}]}) == "tools"
    assert (
        verdict({"model": "gpt-5.5", "messages": [{"role": "critic", "content": "?"}]}) == "messages[0].role"
    )
