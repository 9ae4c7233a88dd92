"""A reply names the model that was asked, or it does not; a snapshot's day makes no difference, two do."""

from __future__ import annotations

import pytest

from service.domain.replied_models import is_other


@pytest.mark.parametrize(
    ("asked", "replied"),
    [
        ("gpt-5.5", "gpt-5.5"),
        ("gpt-5.5", "gpt-5.5-2026-04-23"),
        ("gpt-5.5-2026-04-23", "gpt-5.5"),
        ("gpt-5.5", "GPT-5.5-20260423"),
        ("gpt-5.5", "openai/gpt-5.5"),
        ("llama3", "llama3:latest"),
        ("meta/llama3:8b", "llama3:8b"),
        ("gpt-5.5", ""),
        ("gpt-5.5", None),
    ],
)
def test_the_asked_model_by_another_name(asked: str, replied: str | None) -> None:
    assert not is_other([asked], replied)


@pytest.mark.parametrize(
    ("asked", "replied"),
    [
        ("gpt-5.5", "gpt-5.4"),
        ("gpt-5.5", "gpt-5.5-mini"),
        ("gpt-5.5-mini", "gpt-5.5"),
        ("gpt-5.5", "gpt-5.5-pro-2026-04-23"),
        ("gpt-5.5-2026-04-23", "gpt-5.5-2026-06-01"),
        ("llama3:8b", "llama3:70b"),
    ],
)
def test_another_model(asked: str, replied: str) -> None:
    assert is_other([asked], replied)


def test_any_of_its_names_will_do() -> None:
    assert not is_other(["gpt-5.5", "gpt-latest"], "gpt-latest")
