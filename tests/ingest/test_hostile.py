"""Hostile files, each through the real reading process: read, or refused in words, within the limits."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import ingest
from ingest import (
    DamagedDocument,
    EmptyDocument,
    Finished,
    IngestError,
    Limits,
    Page,
    ReaderCrashed,
    Started,
    TimedOut,
    TooLarge,
    UnsupportedFormat,
)
from ingest.tokens import encode
from tests.support import hostile_packages, hostile_pdfs, hostile_texts, packages

Maker = Callable[[Path], Path]

SAID = "Still here"
PATIENCE = Limits(silent_seconds=4.0)
"""For files that the clock may end."""

WITHIN = 60.0
"""Seconds: many times what any of them takes on a quiet machine."""

XML_FORMATS = sorted(set(hostile_packages.MAIN_PARTS) - {".epub"})
ALL_FORMATS = sorted(hostile_packages.MAIN_PARTS)


def pages_of(path: Path, limits: Limits | None = None) -> list[Page]:
    events = ingest.read(path, filename=path.name, limits=limits or Limits())
    return [event for event in events if isinstance(event, Page)]


def text_of(path: Path, limits: Limits | None = None) -> str:
    return "\n".join(page.text for page in pages_of(path, limits))


def refusal(path: Path, limits: Limits | None = None) -> IngestError:
    """Return the error that the reading ends with, once its sentence is found to be one that helps."""
    began = time.monotonic()
    with pytest.raises(IngestError) as caught:
        pages_of(path, limits)
    assert time.monotonic() - began < WITHIN
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "upload" in sentence.lower() or "save it as PDF" in sentence, "it says what to do"
    assert not any(word in sentence for word in (str(path.parent), "Traceback", "Error", "Exception"))
    return caught.value


def named(value: object) -> str:
    """The id of a parameter: a maker's name with what it is given, a file's name, or nothing."""
    if isinstance(value, partial):
        return "-".join([value.func.__name__, *map(str, value.keywords.values())])
    if isinstance(value, str):
        return value if value.startswith((".", "a.")) else ""
    return getattr(value, "__name__", "")


# PDF


@pytest.mark.parametrize(
    "make",
    [
        hostile_pdfs.many_filters,
        hostile_pdfs.large_image,
        partial(hostile_pdfs.large_image, filtered=False),
        hostile_pdfs.kids_name_their_parent,
        hostile_pdfs.kids_name_an_ancestor,
        hostile_pdfs.parents_in_a_circle,
        *(partial(hostile_pdfs.counted, count=count) for count in (2_000_000_000, -1, 0, 2**31, 2**63)),
        hostile_pdfs.tables_in_a_circle,
        hostile_pdfs.huge_table,
        hostile_pdfs.deep_arrays,
        hostile_pdfs.many_operators,
    ],
    ids=named,
)
def test_a_pdf_that_is_odd_is_read_all_the_same(tmp_path: Path, make: Maker) -> None:
    assert SAID in text_of(make(tmp_path / "a.pdf"))


@pytest.mark.parametrize(
    "make",
    [
        hostile_pdfs.predicted_zeros,
        hostile_pdfs.deep_tree,
        hostile_pdfs.deep_dictionaries,
        hostile_pdfs.deep_operands,
        hostile_pdfs.cmap_in_itself,
    ],
    ids=named,
)
def test_a_pdf_beyond_reading_shows_its_page_as_empty_or_is_refused(tmp_path: Path, make: Maker) -> None:
    path = make(tmp_path / "a.pdf")
    try:
        assert len(pages_of(path)) == 1
    except DamagedDocument:
        refusal(path)


@pytest.mark.parametrize(
    ("make", "kinds"),
    [
        (hostile_pdfs.zeros, (ReaderCrashed, TimedOut)),
        (hostile_pdfs.nested_zeros, (ReaderCrashed, TimedOut)),
        (hostile_pdfs.form_in_itself, (ReaderCrashed, TimedOut)),
        (hostile_pdfs.forms_that_multiply, (ReaderCrashed, TimedOut)),
        (hostile_pdfs.absurd_cmap, (ReaderCrashed, TimedOut)),
        (hostile_pdfs.wide_tree, (TimedOut, TooLarge)),
        (hostile_pdfs.streams_in_each_other, (DamagedDocument,)),
        (hostile_pdfs.long_page, (TooLarge, ReaderCrashed)),
        (partial(hostile_pdfs.long_page, chars=4_100_000), (TooLarge,)),
        (partial(hostile_pdfs.many_pages, count=200_001), (TooLarge,)),
    ],
    ids=named,
)
def test_a_pdf_that_takes_too_much_is_refused(
    tmp_path: Path, make: Maker, kinds: tuple[type[IngestError], ...]
) -> None:
    limits = PATIENCE if TimedOut in kinds else Limits()
    assert isinstance(refusal(make(tmp_path / "a.pdf"), limits), kinds)


def test_two_hundred_thousand_pages_are_read(tmp_path: Path) -> None:
    path = hostile_pdfs.many_pages(tmp_path / "a.pdf", 200_000)
    number = 0
    for event in ingest.read(path, filename=path.name):
        if isinstance(event, Page):
            number += 1
            assert (event.number, event.text) == (number, f"Page {number}")
    assert number == 200_000


# ZIPs of XML


@pytest.mark.parametrize("suffix", ALL_FORMATS)
def test_a_part_of_five_gigabytes_is_refused_at_once(tmp_path: Path, suffix: str) -> None:
    error = refusal(hostile_packages.zero_part(tmp_path / f"a{suffix}"))
    assert type(error) is TooLarge
    assert "unpacks to" in str(error)


@pytest.mark.parametrize("suffix", ALL_FORMATS)
def test_a_directory_that_lies_about_a_size_is_damage(tmp_path: Path, suffix: str) -> None:
    assert type(refusal(hostile_packages.lying_part(tmp_path / f"a{suffix}"))) is DamagedDocument


@pytest.mark.parametrize("suffix", ALL_FORMATS)
def test_a_bomb_that_is_no_text_is_never_unpacked(tmp_path: Path, suffix: str) -> None:
    assert text_of(hostile_packages.zero_member(tmp_path / f"a{suffix}")).endswith(SAID)


@pytest.mark.parametrize("suffix", XML_FORMATS)
@pytest.mark.parametrize(
    "make",
    [
        hostile_packages.laughing,
        hostile_packages.blown_up,
        hostile_packages.reaching_out,
        hostile_packages.asking_abroad,
    ],
    ids=named,
)
def test_declared_entities_are_refused(tmp_path: Path, make: Maker, suffix: str) -> None:
    assert type(refusal(make(tmp_path / f"a{suffix}"))) is DamagedDocument


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (hostile_packages.laughing, f"{SAID}&l9;"),
        (hostile_packages.reaching_out, f"{SAID}&a;"),
        (hostile_packages.asking_abroad, SAID),
    ],
    ids=named,
)
def test_a_chapters_entities_are_neither_expanded_nor_followed(
    tmp_path: Path, make: Maker, said: str
) -> None:
    assert text_of(make(tmp_path / "a.epub")) == said


def test_a_pages_entities_are_neither_expanded_nor_followed(tmp_path: Path) -> None:
    assert text_of(hostile_texts.markup_entities(tmp_path / "a.xhtml")) == f"{SAID} &l9; &f;"


@pytest.mark.parametrize(
    ("make", "name", "said"),
    [
        (hostile_packages.far_cells, "a.xlsx", "# S\n1\n | 2\n |  | 3"),
        (hostile_packages.many_strings, "a.xlsx", "# S\ntext 999999"),
        (hostile_packages.styles_in_a_circle, "a.docx", SAID),
        (hostile_packages.relations_in_a_circle, "a.pptx", SAID),
        (hostile_packages.many_members, "a.docx", SAID),
    ],
    ids=named,
)
def test_an_office_file_that_is_odd_is_read_all_the_same(
    tmp_path: Path, make: Maker, name: str, said: str
) -> None:
    assert text_of(make(tmp_path / name)) == said


@pytest.mark.parametrize(
    ("make", "name"),
    [(hostile_packages.repeated_string, "a.xlsx"), (hostile_packages.repeated_slide, "a.pptx")],
    ids=named,
)
def test_what_is_shown_over_and_over_is_too_large(tmp_path: Path, make: Maker, name: str) -> None:
    assert type(refusal(make(tmp_path / name))) is TooLarge


def test_a_note_is_given_once_however_often_it_is_referred_to(tmp_path: Path) -> None:
    pages = pages_of(hostile_packages.repeated_note(tmp_path / "a.docx"))
    text = "\n".join(page.text for page in pages)
    assert text.count(f"{SAID}[^1]") == 100_000
    assert text.count("word") == 200_000


def test_names_that_climb_out_are_never_written(tmp_path: Path) -> None:
    folder = tmp_path / "one" / "two"
    folder.mkdir(parents=True)
    assert text_of(hostile_packages.climbing_names(folder / "a.docx")) == SAID
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["a.docx"]


@pytest.mark.parametrize("suffix", [".doc", ".ppt"])
@pytest.mark.parametrize(
    ("make", "kinds"),
    [
        (hostile_packages.chain_in_a_circle, (EmptyDocument, DamagedDocument)),
        (hostile_packages.chain_to_itself, (EmptyDocument, DamagedDocument)),
        (hostile_packages.tables_in_a_circle, (DamagedDocument,)),
        (hostile_packages.entries_in_a_circle, (DamagedDocument,)),
        (hostile_packages.endless_streams, (TooLarge, DamagedDocument)),
    ],
    ids=named,
)
def test_an_old_file_whose_sectors_go_in_circles_ends(
    tmp_path: Path, make: Maker, kinds: tuple[type[IngestError], ...], suffix: str
) -> None:
    path = make(tmp_path / f"a{suffix}")
    try:
        assert len(pages_of(path)) == 1
    except kinds:
        refusal(path)


@pytest.mark.parametrize("suffix", [".doc", ".ppt", ".xls"])
def test_an_old_file_with_a_very_deep_directory_is_damage(tmp_path: Path, suffix: str) -> None:
    error = refusal(hostile_packages.many_entries(tmp_path / f"a{suffix}"))
    assert type(error) in {DamagedDocument, UnsupportedFormat}


# Text, tables, RTF and HTML


@pytest.mark.parametrize(
    ("make", "name", "begins", "count"),
    [
        (hostile_texts.spaces, "a.txt", "before", 2),
        (hostile_texts.line_ends, "a.txt", "before", 2),
        (hostile_texts.one_word, "a.txt", "abcdefghij", 500),
        (hostile_texts.one_letter, "a.txt", "aaaa", 250),
        (hostile_texts.marks, "a.txt", SAID, 26),
        (hostile_texts.directions, "a.txt", SAID, 51),
        (hostile_texts.surrogates, "a.txt", SAID, 11),
        (hostile_texts.nuls, "a.txt", f"{SAID}, and here", 213),
        (hostile_texts.utf7, "a.txt", f"{SAID} +ADw-script+AD4-", 18),
        (hostile_texts.lying_binary, "a.rtf", SAID, 1),
        (hostile_texts.deep_markup, "a.html", SAID, 1),
        (hostile_texts.open_comments, "a.html", SAID, 1),
        (hostile_texts.multiplying_table, "a.html", f"{SAID} | ", 200),
        (hostile_texts.long_line, "a.csv", f"{SAID},cell", 2_501),
        (hostile_texts.one_cell, "a.csv", f'a,b\n1,"{SAID} line\nline', 1_667),
        (hostile_texts.many_columns, "a.csv", f"{SAID},x", 301),
        (hostile_texts.empty_columns, "a.csv", SAID, 1),
        (hostile_texts.quotes, "a.csv", f'{SAID},"""', 501),
    ],
    ids=named,
)
def test_a_text_that_is_odd_is_read_and_counted_exactly(
    tmp_path: Path, make: Maker, name: str, begins: str, count: int
) -> None:
    began = time.monotonic()
    pages = pages_of(make(tmp_path / name))
    assert time.monotonic() - began < WITHIN
    assert pages[0].text.startswith(begins)
    assert len(pages) == count
    for page in (pages[0], pages[-1]):
        assert page.tokens == len(encode(page.text))


@pytest.mark.parametrize(
    ("make", "name", "kind"),
    [
        (hostile_texts.utf16_unmarked, "a.txt", UnsupportedFormat),
        (hostile_texts.deep_groups, "a.rtf", DamagedDocument),
        (hostile_texts.open_groups, "a.rtf", DamagedDocument),
        (hostile_texts.deep_inline, "a.html", TimedOut),
        (hostile_texts.many_attributes, "a.html", TimedOut),
    ],
    ids=named,
)
def test_a_text_beyond_reading_is_refused(
    tmp_path: Path, make: Maker, name: str, kind: type[IngestError]
) -> None:
    assert type(refusal(make(tmp_path / name), Limits(silent_seconds=3.0))) is kind


def test_a_million_rows_of_one_cell_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"x\n" * 1_000_000)
    first, *pages, last = ingest.read(path, filename=path.name)
    assert isinstance(first, Started)
    assert isinstance(last, Finished)
    assert sum(page.text.count("x") for page in pages if isinstance(page, Page)) == 1_000_000


SPECIAL = ["<|endoftext|>", "<|fim_prefix|>", "<|endofprompt|>", "<|im_start|>system", "<|start|>"]


@pytest.mark.parametrize("special", SPECIAL)
def test_special_tokens_are_text_in_every_format(tmp_path: Path, special: str) -> None:
    said = f"Before {special} after."
    shown = said.replace("<", "&lt;").replace(">", "&gt;")
    plain = tmp_path / "a.txt"
    plain.write_text(f"{said}\n" * 3, encoding="utf-8")
    book = packages.book(tmp_path / "a.epub", {"one.xhtml": f"<html><body><p>{shown}</p></body></html>"})
    table = tmp_path / "a.csv"
    table.write_text(f"a,{special}\nb,c\n", encoding="utf-8")
    for path in (plain, book, table):
        for page in pages_of(path):
            assert special in page.text
            assert page.tokens == len(encode(page.text)) > 5
