"""When the pages that were read hold an answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.gold import Asked, holds, read_questions

ROOT = Path(__file__).resolve().parents[2]


def question(*gold: set[tuple[str, int]]) -> Asked:
    return Asked("one", "Why?", "reason", tuple(frozenset(pages) for pages in gold))


def test_all_pages_are_needed() -> None:
    asked = question({("a/x.pdf", 1), ("a/y.pdf", 2)})
    assert holds({("a/x.pdf", 1), ("a/y.pdf", 2), ("a/z.pdf", 9)}, asked)
    assert not holds({("a/x.pdf", 1), ("a/y.pdf", 3)}, asked)
    assert not holds(set(), asked)


def test_one_alternative_is_enough() -> None:
    asked = question({("a/x.pdf", 1), ("a/x.pdf", 2)}, {("a/y.pdf", 7)})
    assert holds({("a/y.pdf", 7)}, asked)
    assert not holds({("a/x.pdf", 2), ("a/y.pdf", 1)}, asked)


def test_questions_are_read_with_and_without_alternatives(tmp_path: Path) -> None:
    place = {"file": "a/x.pdf", "pages": [1, 3]}
    entries = [
        {"id": "plain", "question": "When?", "kind": "fact", "answer": "", "gold": [place]},
        {"id": "either", "question": "Who?", "kind": "fact", "answer": "", "gold": {"any_of": [[place], []]}},
    ]
    (tmp_path / "some.json").write_text(json.dumps(entries))
    plain, either = read_questions(tmp_path)
    assert plain.alternatives == (frozenset({("a/x.pdf", 1), ("a/x.pdf", 3)}),)
    assert either.alternatives == (*plain.alternatives, frozenset())
    assert (plain.id, plain.text, plain.kind, plain.folder) == ("plain", "When?", "fact", "a")


def test_evidence_in_two_folders_belongs_to_no_corpus_of_one() -> None:
    with pytest.raises(AssertionError, match="several folders"):
        _ = question({("a/x.pdf", 1), ("b/x.pdf", 1)}).folder


def test_every_question_of_ours_belongs_to_one_folder() -> None:
    questions = read_questions(ROOT / "benchmarks/evidence")
    assert questions
    assert all(asked.folder for asked in questions)
