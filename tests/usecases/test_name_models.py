"""Which other model of the catalog a reply names, so that it is booked at no lower price."""

from __future__ import annotations

import pytest

from service.usecases.name_models import named_model
from tests.domain.test_planner import CATALOG

ASKED = CATALOG.model("gpt-5.5")


@pytest.mark.parametrize(
    ("replied", "named"),
    [
        ("gpt-5.5-pro", "gpt-5.5-pro"),
        ("gpt-5.5-pro-2026-04-23", "gpt-5.5-pro"),
        ("openai/gpt-5.5-pro", "gpt-5.5-pro"),
        ("openai/gpt-5.5-pro-2026-04-23", "gpt-5.5-pro"),
        ("GPT-5.5-Pro", "gpt-5.5-pro"),
        ("gpt-5.5-2026-04-23", None),
        ("openai/gpt-5.5", None),
        ("somebody/else", None),
        (None, None),
    ],
)
def test_the_model_is_found_however_its_name_is_written(replied: str | None, named: str | None) -> None:
    found = named_model(CATALOG, ASKED, replied)
    assert (found and found.id) == named
