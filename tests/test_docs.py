"""What the documents say must be there: links, settings, commands, error codes, the two commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service import errors
from service.app import create_app
from service.settings import Settings

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.md")])
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    missing = [
        target
        for target in LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert missing == []


def test_every_setting_is_documented() -> None:
    documented = set(re.findall(r"^\| `(UNABRIDGED_\w+)`", text("docs/settings.md"), re.MULTILINE))
    assert documented == {f"UNABRIDGED_{name.upper()}" for name in Settings.model_fields}


def test_every_route_is_documented(tmp_path: Path) -> None:
    app = create_app(Settings(data=tmp_path))
    told = text("docs/rest.md")
    heads = {"/".join(path.split("/")[:3]) for path in app.openapi()["paths"]}
    assert {head for head in heads if head not in told} == set()


def test_every_error_code_of_an_answer_is_documented() -> None:
    def codes(kind: type[errors.UnabridgedError]) -> set[str]:
        return {kind.code}.union(*(codes(child) for child in kind.__subclasses__()))

    asked = {
        "plan_changed",
        "plan_expired",
        "over_threshold",
        "over_window",
        "over_max_cost",
        "budget_exceeded",
    }
    asked |= {
        "document_not_ready",
        "document_failed",
        "index_building",
        "provider_error",
        "provider_unavailable",
        "provider_changed",
    }
    asked |= {"rate_limited", "request_exceeds_provider_rate"}
    assert asked <= codes(errors.UnabridgedError)
    assert {code for code in asked if f"`{code}`" not in text("docs/rest.md")} == set()


def test_the_readme_has_its_two_commands_first() -> None:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", text("README.md"), re.MULTILINE | re.DOTALL)
    assert [language for language, _ in blocks[:2]] == ["sh", "sh"]
    main, tests = (block for _, block in blocks[:2])
    assert "unabridged ask examples/apollo" in main
    assert "pytest" in tests
    question = re.search(r'ask examples/apollo "(.*?)"', main)
    assert question is not None
    assert question[1] in text("docs/picture.py"), "the picture shows the README's own question"
