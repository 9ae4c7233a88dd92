"""The questions of the evidence benchmark: their form, and that their gold pages are there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import ingest
from ingest import Page
from tests.support.pdfs import text_pdf

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "../shared/samples"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample documents are not here")

FILES = sorted((ROOT / "benchmarks/evidence").glob("*.json"))
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)

FIELDS = {"id", "question", "gold", "answer", "kind"}
KINDS = {"fact", "number", "table", "reason", "comparison", "names_nothing", "several_documents"}
LEAST = 100


def entries(path: Path) -> list[dict[str, Any]]:
    found = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(found, list)
    return found


def alternatives(question: Mapping[str, Any]) -> list[list[dict[str, Any]]]:
    """The sets of pages each of which holds the answer."""
    gold = question["gold"]
    return [gold] if isinstance(gold, list) else gold["any_of"]


def places(question: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Every file and page that any alternative names."""
    for alternative in alternatives(question):
        for part in alternative:
            yield from ((part["file"], number) for number in part["pages"])


@cache
def texts(path: Path) -> dict[int, str]:
    """The text of each page, by number, as the product reads it."""
    events = ingest.read(path, filename=path.name)
    return {event.number: event.text for event in events if isinstance(event, Page)}


def empty_places(questions: Iterable[Mapping[str, Any]], folder: Path) -> list[tuple[str, int]]:
    """The gold pages that are not in their document, or say nothing."""
    every = {place for question in questions for place in places(question)}
    return sorted(
        (file, number) for file, number in every if not texts(folder / file).get(number, "").strip()
    )


def test_there_are_enough_questions() -> None:
    assert sum(len(entries(path)) for path in FILES) >= LEAST


def test_no_question_or_id_comes_twice() -> None:
    every = [question for path in FILES for question in entries(path)]
    for field in ("id", "question"):
        values = [question[field].casefold() for question in every]
        assert len(values) == len(set(values))


@each_file
def test_every_question_has_the_same_form(path: Path) -> None:
    for question in entries(path):
        name = question["id"]
        assert set(question) == FIELDS, name
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name), name
        assert question["question"].endswith(("?", ".")), name
        assert question["answer"].strip(), name
        assert question["kind"] in KINDS, name


@each_file
def test_gold_pages_are_sets_of_pages_of_distinct_files(path: Path) -> None:
    for question in entries(path):
        name, options = question["id"], alternatives(question)
        assert isinstance(question["gold"], list) or set(question["gold"]) == {"any_of"}, name
        assert len(options) == 1 or isinstance(question["gold"], dict), name
        for option in options:
            files = [part["file"] for part in option]
            assert files, name
            assert len(files) == len(set(files)), name
            for part in option:
                assert set(part) == {"file", "pages"}, name
                assert part["pages"], name
                assert part["pages"] == sorted(set(part["pages"])), name
                assert part["pages"][0] >= 1, name


@each_file
def test_no_alternative_needs_more_than_another(path: Path) -> None:
    for question in entries(path):
        sets = [
            {(part["file"], number) for part in option for number in part["pages"]}
            for option in alternatives(question)
        ]
        assert not any(a is not b and a <= b for a in sets for b in sets), question["id"]


@each_file
def test_what_needs_several_documents_has_more_than_one_gold_page(path: Path) -> None:
    for question in entries(path):
        if question["kind"] == "several_documents":
            pages = [sum(len(part["pages"]) for part in option) for option in alternatives(question)]
            assert max(pages) > 1, question["id"]


def test_a_blank_page_and_one_past_the_end_are_found_out(tmp_path: Path) -> None:
    text_pdf(tmp_path / "a.pdf", [["The fee is nine dollars."], [], ["It is due in May."]])
    question = {
        "gold": {"any_of": [[{"file": "a.pdf", "pages": [1, 2]}], [{"file": "a.pdf", "pages": [3, 4]}]]}
    }
    assert empty_places([question], tmp_path) == [("a.pdf", 2), ("a.pdf", 4)]


@needs_samples
@each_file
def test_every_gold_page_is_in_its_document_and_says_something(path: Path) -> None:
    assert empty_places(entries(path), SAMPLES) == []
