"""Profiles: the providers named, and what configuration may change."""

from __future__ import annotations

import pytest

from service.errors import Invalid
from service.provider.profiles import COMPATIBLE, MODELSTREAM, OPENAI, OXEN, PROFILES, named


def test_the_four_providers_have_their_published_addresses() -> None:
    assert {name: profile.base_url for name, profile in PROFILES.items()} == {
        "openai": "https://api.openai.com/v1",
        "oxen": "https://hub.oxen.ai/api/ai",
        "modelstream": "https://api.modelstream.ai/v1",
        "compatible": "http://127.0.0.1:11434/v1",
    }


def test_each_provider_gets_its_own_name_of_the_output_limit() -> None:
    assert OPENAI.output_limit == MODELSTREAM.output_limit == "max_completion_tokens"
    assert OXEN.output_limit == COMPATIBLE.output_limit == "max_tokens"


def test_configuration_changes_the_address_and_adds_models() -> None:
    profile = named("oxen", base_url="http://127.0.0.1:8080/v1/", model_ids={"small": "tiny-1"})

    assert profile.base_url == "http://127.0.0.1:8080/v1"
    assert profile.model_ids["small"] == "tiny-1"
    assert profile.model_ids["gpt-5.5"] == "gpt-5-5-2026-04-23"
    assert "small" not in OXEN.model_ids


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(Invalid, match="openai, oxen, modelstream, compatible"):
        named("opnai")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.openai.com/v1",
        "ftp://host/v1",
        "file:///etc/passwd",
        "https://",
        "http://host:port/v1",
        "http://[::1/v1",
        "https://user:secret@host/v1",
        "https://host/v1?key=secret",
        "https://host/v1#secret",
    ],
)
def test_a_url_that_cannot_serve_is_refused_and_never_shown(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        named("compatible", base_url=url)

    assert "secret" not in caught.value.detail
