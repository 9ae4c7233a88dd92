"""The demonstration corpus: committed files are what their sources build; its questions can be answered.

HTML and Markdown are compared byte for byte. The bytes of a PDF or DOCX depend on the versions of zlib and of
the library that wrote them, so those are compared by their text: page by page, or block by block.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import docx
import pypdf
import pypdfium2
import pytest
from docx.table import Table
from reportlab.lib.units import mm
from selectolax.lexbor import LexborHTMLParser

from examples.build import (
    FOOT,
    SOURCE,
    TARGET,
    Document,
    Grid,
    Heading,
    Items,
    NewPage,
    Prose,
    build,
    parse,
)

EXAMPLES = TARGET.parent
QUESTIONS: list[dict[str, Any]] = tomllib.loads((EXAMPLES / "questions.toml").read_text(encoding="utf-8"))[
    "question"
]
NAMES = sorted(path.name for path in TARGET.iterdir())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("apollo")
    build(target)
    return target


def test_the_committed_files_are_those_that_the_sources_build(built: Path) -> None:
    assert sorted(path.name for path in built.iterdir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_committed_file_says_what_its_source_builds(built: Path, name: str) -> None:
    assert _comparable(TARGET / name) == _comparable(built / name)


@pytest.mark.parametrize("name", NAMES)
def test_a_second_build_gives_the_same_bytes(
    built: Path, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    again = tmp_path_factory.getbasetemp() / "apollo-again"
    if not again.exists():
        build(again)
    assert (again / name).read_bytes() == (built / name).read_bytes()


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question["text"][:40])
def test_the_evidence_stands_in_the_named_documents(question: dict[str, Any]) -> None:
    assert question["answer"]
    for evidence in question["evidence"]:
        text = _folded(_text(TARGET / evidence["document"]))
        assert _folded(evidence["phrase"]) in text, evidence


def test_most_questions_need_several_documents() -> None:
    several = [q for q in QUESTIONS if len({evidence["document"] for evidence in q["evidence"]}) > 1]
    assert len(several) >= 12


def test_the_readme_lists_the_questions_with_their_documents() -> None:
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for number, question in enumerate(QUESTIONS, start=1):
        documents = dict.fromkeys(f"`{evidence['document']}`" for evidence in question["evidence"])
        assert f"| {number} | {question['text']} | {', '.join(documents)} |" in readme
    assert f"| {len(QUESTIONS) + 1} |" not in readme


def test_the_readme_names_every_document() -> None:
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    table = readme.split("## Questions")[0]
    assert sorted(re.findall(r"`([\w-]+\.\w+)`", table)) == NAMES


def test_the_report_prints_other_page_numbers_than_it_has() -> None:
    reader = pypdf.PdfReader(TARGET / "apollo-15.pdf")
    assert reader.page_labels[:4] == ["i", "ii", "1", "2"]
    for page, label in zip(reader.pages, reader.page_labels, strict=True):
        assert re.search(rf"\b{label}$", page.extract_text().strip(), re.MULTILINE)


@pytest.mark.parametrize("source", sorted(SOURCE.glob("*.md")), ids=lambda source: source.stem)
def test_a_built_document_keeps_every_line_of_its_source_in_order(built: Path, source: Path) -> None:
    document = parse(source.stem, source.read_text(encoding="utf-8"))
    content = _folded(_text(built / f"{document.name}.{document.format}"))
    position = 0
    for line in _lines(document):
        position = content.find(_folded(line), position)
        assert position >= 0, line
        position += len(_folded(line))


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".docx")])
def test_a_word_file_has_explicit_page_breaks(name: str) -> None:
    assert _text(TARGET / name).count("\f") >= 2


def test_a_source_without_a_title_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks title"):
        parse("x", "---\nsubtitle: s\nformat: md\n---\n\nText.\n")


def _lines(document: Document) -> Iterator[str]:
    """Yield every heading, paragraph, list item and table cell."""
    yield from (document.title, document.subtitle)
    for block in document.blocks:
        match block:
            case Heading(_, text) | Prose(text):
                yield text
            case Items(_, texts):
                yield from texts
            case Grid(head, rows):
                yield from chain(head, *rows)
            case NewPage():
                pass


def _folded(text: str) -> str:
    """Fold what a format may change: white space and the marks of bold words."""
    return " ".join(text.replace("**", "").split())


def _comparable(path: Path) -> bytes | str:
    return path.read_bytes() if path.suffix in {".html", ".md"} else _text(path)


def _text(path: Path) -> str:
    match path.suffix:
        case ".pdf":
            return "\f".join(_pdf_pages(path))
        case ".docx":
            return "\n".join(_docx_lines(path))
        case ".html":
            body = LexborHTMLParser(path.read_bytes()).body
            assert body is not None
            return body.text(separator="\n")
        case _:
            return path.read_text(encoding="utf-8")


def _pdf_pages(path: Path) -> Iterator[str]:
    """Yield the text of each page without its footer, which would cut a sentence that crosses pages."""
    with pypdfium2.PdfDocument(path) as file:
        for page in file:
            yield page.get_textpage().get_text_bounded(bottom=FOOT - 3 * mm)


def _docx_lines(path: Path) -> Iterator[str]:
    """Yield paragraphs and table cells in order, and a form feed for an explicit page break."""
    for block in docx.Document(str(path)).iter_inner_content():
        if isinstance(block, Table):
            yield from (cell.text for row in block.rows for cell in row.cells)
        else:
            yield "\f" if 'w:type="page"' in block._p.xml else block.text  # noqa: SLF001 - no public way
