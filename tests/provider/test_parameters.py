"""What a provider says of its models: asked once, in the background, believed where it says something."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service import factory
from service.errors import UnsupportedParameter
from service.provider import ChatRequest, wire
from service.provider.client import HttpProvider
from service.provider.parameters import RETRY_SECONDS, Described
from tests.support.server import settings_in
from tests.support.upstream import Upstream

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "model": {"type": "string"},
        "messages": {"type": "array"},
        "stream": {"type": "boolean"},
        "max_completion_tokens": {"type": "integer", "minimum": 1, "maximum": 64_000},
        "reasoning_effort": {"type": "string", "enum": ["low", "medium", "high"]},
        "verbosity": {"type": "string", "enum": ["low", "medium", "high"]},
        "temperature": {"type": "number"},
    },
}


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


def asked(**more: Any) -> ChatRequest:  # noqa: ANN401 - any parameter
    return ChatRequest(**{"model": "gpt-5.5", "messages": (), "max_completion_tokens": 100, **more})


def of(upstream: Upstream, name: str = "oxen", **more: Any) -> Described:  # noqa: ANN401 - any argument
    return Described(upstream.profile(name), {"authorization": f"Bearer {upstream.key}"}, **more)


def refused(parameters: Described, **more: Any) -> UnsupportedParameter:  # noqa: ANN401 - any parameter
    with pytest.raises(UnsupportedParameter) as error:
        parameters.check(asked(**more))
    return error.value


@pytest.mark.parametrize("place", ["json_request_schema", "request_schema", "inside"])
def test_its_schema_is_held_against_a_question(upstream: Upstream, place: str) -> None:
    told: dict[str, object] = {"id": "gpt-5-5-2026-04-23", place: SCHEMA}
    if place == "inside":
        told = {"status": "success", "model": {"request_schema": SCHEMA}}
    upstream.descriptions["gpt-5-5-2026-04-23"] = told
    parameters = of(upstream)
    known = parameters.told("gpt-5.5", wait=True)
    assert known["model"] == "gpt-5-5-2026-04-23"
    assert known["description"] == "described"
    assert known["parameters"]["reasoning_effort"] == '"low", "medium", "high"'
    error = refused(parameters, reasoning_effort="xhigh")
    assert (error.param, error.status, error.code) == ("reasoning_effort", 422, "unsupported_parameter")
    assert error.detail == (
        'oxen does not take "xhigh" as reasoning_effort for gpt-5.5; it takes "low", "medium", "high".'
    )
    assert error.fixes[0].as_dict()["allowed"] == '"low", "medium", "high"'
    assert refused(parameters, max_completion_tokens=64_001).param == "max_completion_tokens"
    assert refused(parameters, presence_penalty=0.5, reasoning_effort="none").param == "reasoning_effort"
    assert refused(parameters, seed=7).detail == ("oxen is not known to take seed for gpt-5.5: leave it out.")
    parameters.check(asked(verbosity="low", reasoning_effort="low"))
    assert upstream.described == ["gpt-5-5-2026-04-23"]


def test_its_words_correct_the_profile(upstream: Upstream) -> None:
    upstream.descriptions["gpt-5-5-2026-04-23"] = {"request_schema": SCHEMA}
    parameters = of(upstream)
    assert parameters.dialect("gpt-5.5") == upstream.profile("oxen")
    parameters.told("gpt-5.5", wait=True)
    dialect = parameters.dialect("gpt-5.5")
    assert (dialect.output_limit, dialect.verbosity) == ("max_completion_tokens", True)
    assert not dialect.prompt_cache_key
    assert set(wire.parameters(asked(verbosity="low"), dialect)) == {"max_completion_tokens", "verbosity"}


@pytest.mark.parametrize(
    ("told", "route"),
    [(None, "absent"), ({"id": "gpt-5.5", "object": "model"}, "without_schema"), ([], "without_schema")],
    ids=["404", "a plain model", "a list"],
)
def test_nothing_said_forbids_nothing(upstream: Upstream, told: object, route: str) -> None:
    if told is not None:
        upstream.descriptions["gpt-5.5"] = told
    parameters = of(upstream, "openai")
    assert parameters.told("gpt-5.5") == {
        "name": "openai",
        "model": "gpt-5.5",
        "description": "not_asked",
        "parameters": None,
    }
    assert parameters.told("gpt-5.5", wait=True)["description"] == route
    parameters.check(asked(reasoning_effort="xhigh", verbosity="low", seed=7, stop=("x",)))
    assert upstream.violations == []


def test_a_question_never_waits_and_asks_once(upstream: Upstream) -> None:
    now = [0.0]
    upstream.descriptions["gpt-5-5-2026-04-23"] = {"request_schema": SCHEMA}
    parameters = of(upstream, clock=lambda: now[0])
    for _ in range(20):
        parameters.check(asked(temperature=0.5))
    ends = time.monotonic() + 20
    while parameters.told("gpt-5.5")["description"] == "not_asked" and time.monotonic() < ends:
        time.sleep(0.01)
    assert parameters.told("gpt-5.5")["description"] == "described"
    parameters.check(asked())
    assert len(upstream.described) == 1


def test_out_of_reach_is_asked_again_later(upstream: Upstream) -> None:
    upstream.descriptions["gpt-5-5-2026-04-23"] = {"request_schema": SCHEMA}
    now = [0.0]
    parameters = of(upstream, clock=lambda: now[0])
    parameters.told("gpt-5.5", wait=True)
    upstream.stop()
    assert parameters.told("gpt-5.5", wait=True)["description"] == "described", "what was known holds on"
    fresh = of(upstream, clock=lambda: now[0])
    assert fresh.told("gpt-5.5", wait=True)["description"] == "unreachable"
    fresh.check(asked(temperature=0.5))
    now[0] = RETRY_SECONDS + 1
    fresh.check(asked(temperature=0.5))


@pytest.mark.parametrize(("profile", "name"), [("oxen", "verbosity"), ("compatible", "reasoning_effort")])
def test_what_would_be_left_out_is_refused(upstream: Upstream, profile: str, name: str) -> None:
    parameters = HttpProvider(upstream.profile(profile), upstream.key).parameters
    parameters.check(asked(reasoning_effort="none"))
    with pytest.raises(UnsupportedParameter) as error:
        parameters.check(asked(**{name: "low"}))
    assert error.value.param == name
    assert error.value.fixes[0].do == "leave_out_parameter"


def test_oxen_needs_its_name_and_a_key(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, None, provider="oxen", provider_key="a-key")
    provider = factory.make_provider(settings)
    assert provider.name == "oxen"
    assert provider.parameters.told("gpt-5.5") == {
        "name": "oxen",
        "model": "gpt-5-5-2026-04-23",
        "description": "not_asked",
        "parameters": None,
    }
