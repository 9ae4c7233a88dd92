"""Documents of scans, read in their processes: each page for itself, and none that costs another."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Generator
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pypdf import PdfWriter
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

import ingest
from ingest import Flag, Limits, Page, Picture, crew, reader, sandbox, scans, wire
from ingest.formats import PDF, RawPage, Reading, pdf
from ingest.highlights import fold
from ingest.raster import Bitmap
from tests.support import pdfs, sheets

needs_ocr = pytest.mark.skipif(not sheets.HAS_OCR, reason="Tesseract is not here")

A4_AT_200 = Picture(1653, 2338)
LIMITS = Limits(page_seconds=20)


def read(
    path: Path, *, languages: tuple[str, ...] = ("eng",), limits: Limits = LIMITS
) -> tuple[list[Page], tuple[ingest.Notice, ...]]:
    *events, last = ingest.read(path, filename=path.name, limits=limits, languages=languages)
    assert isinstance(last, ingest.Finished)
    return [event for event in events if isinstance(event, Page)], last.warnings


# What pages turn out to be


@needs_ocr
def test_in_a_mixed_document_each_page_is_what_it_is(tmp_path: Path) -> None:
    native = "This page has had its text all along, all of it."
    images: list[Image.Image | str | None] = [sheets.sheet(), native, None, sheets.noise()]
    pages, notices = read(sheets.scanned_pdf(tmp_path / "a.pdf", images))
    assert [page.flags for page in pages] == [
        (Flag.OCR, Flag.SCAN),
        (),
        (Flag.BLANK,),
        (Flag.NO_TEXT, Flag.SCAN),
    ]
    assert [page.picture for page in pages] == [A4_AT_200, None, None, A4_AT_200]
    assert "revenue of 4,512 pounds had paid for both breakwaters" in pages[0].text
    assert [page.text for page in pages[1:]] == [native, "", ""]
    assert pages[0].tokens == ingest.count_tokens(pages[0].text)
    assert notices == ()


def test_without_languages_scans_stay_without_text(tmp_path: Path) -> None:
    pages, notices = read(sheets.scanned_pdf(tmp_path / "a.pdf", [sheets.sheet(), None]), languages=())
    assert pages == [
        Page(1, "", flags=(Flag.NO_TEXT, Flag.SCAN), picture=A4_AT_200),
        Page(2, "", flags=(Flag.BLANK,)),
    ]
    assert notices == ()


def test_a_language_that_is_not_there_is_like_none(tmp_path: Path) -> None:
    pages, _ = read(sheets.scanned_pdf(tmp_path / "a.pdf", [sheets.sheet()]), languages=("xyz",))
    assert pages[0].flags == (Flag.NO_TEXT, Flag.SCAN)


@needs_ocr
def test_a_stamp_is_kept_where_it_says_something_new(tmp_path: Path) -> None:
    image = sheets.sheet(["The minutes of 12 May", "say nothing more."])
    (stamped,), _ = read(sheets.scanned_pdf(tmp_path / "a.pdf", [image], caption="Exhibit 77"))
    assert "The minutes of 12 May" in stamped.text
    assert stamped.text.count("Exhibit 77") == 1
    hidden = sheets.sheet(["Exhibit 77", "The minutes of 12 May"])
    (twice,), _ = read(sheets.scanned_pdf(tmp_path / "b.pdf", [hidden], caption="Exhibit 77"))
    assert twice.text.count("Exhibit 77") in {1, 2}  # on the picture, and perhaps drawn over it
    assert stamped.flags == twice.flags == (Flag.OCR, Flag.SCAN)


@needs_ocr
@pytest.mark.parametrize("by", [90, 180])
def test_turned_pages_are_read(tmp_path: Path, by: int) -> None:
    path = sheets.scanned_pdf(tmp_path / "a.pdf", [sheets.sheet()])
    writer = PdfWriter(clone_from=path)
    writer.pages[0].rotate(by)
    with path.open("wb") as file:
        writer.write(file)
    (page,), _ = read(path)
    assert "closed for repairs eleven years later" in page.text
    assert page.picture == (A4_AT_200 if by == 180 else Picture(2338, 1653))


@needs_ocr
def test_letters_drawn_as_outlines_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    canvas = Canvas(str(path), pagesize=A4, invariant=True)
    for left in (100, 140):  # HH, of strokes
        canvas.rect(left, 700, 5, 40, fill=1)
        canvas.rect(left + 20, 700, 5, 40, fill=1)
        canvas.rect(left, 718, 25, 5, fill=1)
    canvas.showPage()
    canvas.save()
    (page,), _ = read(path)
    assert (page.text, page.flags, page.picture) == ("HH", (Flag.OCR,), A4_AT_200)


@pytest.mark.parametrize("shade", [255, 238])
def test_a_scan_of_an_empty_sheet_is_blank(tmp_path: Path, shade: int) -> None:
    image = Image.new("L", (200, 283), shade)
    (page,), _ = read(sheets.scanned_pdf(tmp_path / "a.pdf", [image]))
    assert page == Page(1, "", flags=(Flag.BLANK,))


@needs_ocr
@pytest.mark.parametrize("contrast", [8, 20])
def test_faint_letters_are_read(tmp_path: Path, contrast: int) -> None:
    faint = sheets.sheet(width=1100).point(lambda shade: 255 - contrast * (shade < 128))
    (page,), _ = read(sheets.scanned_pdf(tmp_path / "a.pdf", [faint]))
    assert "revenue of 4,512 pounds" in page.text
    assert page.flags == (Flag.OCR, Flag.SCAN)


def test_a_page_of_faint_letters_is_not_blank_though_nobody_reads_it(tmp_path: Path) -> None:
    faint = sheets.sheet(width=1100).point(lambda shade: 255 - 20 * (shade < 128))
    (page,), _ = read(sheets.scanned_pdf(tmp_path / "a.pdf", [faint]), languages=())
    assert page.flags == (Flag.NO_TEXT, Flag.SCAN)
    assert page.picture is not None


@needs_ocr
def test_a_sheet_with_a_shadow_is_blank(tmp_path: Path) -> None:
    shadow = Image.linear_gradient("L").resize((1100, 1556)).point(lambda shade: 235 + shade * 20 // 255)
    (page,), _ = read(sheets.scanned_pdf(tmp_path / "a.pdf", [shadow]))
    assert page.flags == (Flag.BLANK,)


@needs_ocr
def test_a_scan_with_a_text_layer_stays_as_it_is(tmp_path: Path) -> None:
    layer = "Read by someone else, long ago, and kept beneath. " * 5
    (page,), _ = read(sheets.scanned_pdf(tmp_path / "a.pdf", [sheets.sheet()], caption=layer))
    assert (page.text, page.flags, page.picture) == (layer.strip(), (), None)


STAMP = "ACME-000123 CONFIDENTIAL - Produced under protective order"


@needs_ocr
def test_a_scan_under_a_long_stamp_is_read(tmp_path: Path) -> None:
    (page,), _ = read(sheets.scanned_pdf(tmp_path / "a.pdf", [sheets.sheet()], caption=STAMP))
    assert "revenue of 4,512 pounds had paid for both breakwaters" in page.text
    assert fold(STAMP) in fold(page.text)
    assert (page.flags, page.picture) == ((Flag.OCR, Flag.SCAN), A4_AT_200)


def test_a_scan_under_a_long_stamp_is_told_where_nobody_can_read_it(tmp_path: Path) -> None:
    path = sheets.scanned_pdf(tmp_path / "a.pdf", [sheets.sheet()], caption=STAMP)
    (page,), _ = read(path, languages=())
    assert (page.text, page.flags, page.picture) == (STAMP, (Flag.SCAN,), A4_AT_200)


@needs_ocr
@pytest.mark.parametrize(
    "shown", [[], ["Read by someone else, long ago.", "Page 7"]], ids=["picture", "layer"]
)
def test_words_over_a_picture_that_says_no_more_stay_as_they_are(tmp_path: Path, shown: list[str]) -> None:
    image = sheets.sheet(shown) if shown else sheets.noise()
    title = "Read by someone else, long ago. And kept."
    (page,), notices = read(sheets.scanned_pdf(tmp_path / "a.pdf", [image], caption=title))
    assert (page.text, page.flags, page.picture, notices) == (title, (), None, ())


@pytest.mark.parametrize(("across", "up"), [(100_000, 100_000), (1, 90_000), (90_000, 1)])
def test_pictures_stay_small_enough_whatever_the_page_measures(tmp_path: Path, across: int, up: int) -> None:
    path = tmp_path / "a.pdf"
    canvas = Canvas(str(path), pagesize=(across, up), invariant=True)
    canvas.rect(0, 0, across / 2, up / 2, fill=1)
    canvas.showPage()
    canvas.save()
    (page,), _ = read(path, languages=())
    assert page.picture is not None
    assert page.picture.width * page.picture.height <= 20_000_000
    assert max(page.picture.width, page.picture.height) <= 10_000


# What it may cost


@needs_ocr
def test_a_page_that_takes_too_long_stays_without_text_and_says_so(tmp_path: Path) -> None:
    dense = sheets.sheet([" ".join(["considerable"] * 6)] * 40, size=20)
    path = sheets.scanned_pdf(tmp_path / "a.pdf", [sheets.noise(), dense.resize((4000, 6000))])
    pages, notices = read(path, limits=Limits(page_seconds=0))
    assert {page.flags for page in pages} == {(Flag.NO_TEXT, Flag.SCAN)}
    assert [(notice.code, notice.page) for notice in notices] == [
        ("page_not_recognized", 1),
        ("page_not_recognized", 2),
    ]


def test_pages_after_the_time_for_scans_stay_without_text(tmp_path: Path) -> None:
    path = sheets.scanned_pdf(tmp_path / "a.pdf", [sheets.noise(), None])
    pages, notices = read(path, limits=Limits(scan_seconds=0))
    assert [page.flags for page in pages] == [(Flag.NO_TEXT, Flag.SCAN), (Flag.BLANK,)]
    assert [notice.code for notice in notices] == ["page_not_recognized"]


@needs_ocr
def test_scans_are_shared_in_small_ranges(tmp_path: Path) -> None:
    path = sheets.scanned_pdf(tmp_path / "a.pdf", [sheets.sheet(["Short."])] * reader.PROBED_PAGES)
    for languages, step in ((("eng",), reader.SCAN_RANGE_PAGES), ((), reader.RANGE_PAGES)):
        opened = next(iter(reader.events(reader.Request(path, "a.pdf", None, LIMITS, languages=languages))))
        assert isinstance(opened, wire.Opened)
        assert opened.step == step


# The forks


class Broken:
    """A document whose page ends the process that looks at it."""

    def bitmap(self, index: int) -> Bitmap:
        if index:
            raise MemoryError
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


class Sleeping:
    """A document whose page takes for ever."""

    def bitmap(self, index: int) -> Bitmap:
        time.sleep(1_000 + index)
        raise AssertionError


def looked_at(reading: object, raw: RawPage, limits: Limits = LIMITS) -> tuple[list[wire.Beat], RawPage]:
    looking = scans.Scans(cast("Reading", reading), (), limits=limits, until=time.monotonic() + 60)
    beats = []
    steps: Generator[wire.Beat, None, RawPage] = looking.read(raw)
    while True:
        try:
            beats.append(next(steps))
        except StopIteration as end:
            return beats, end.value


@pytest.mark.parametrize("number", [1, 2])
def test_a_fork_that_dies_costs_its_page_alone(number: int) -> None:
    raw = RawPage(number, "", picture=Picture(9, 9))
    beats, page = looked_at(Broken(), raw)
    assert beats
    assert [notice.code for notice in page.notices] == ["page_not_recognized"]
    assert (page.text, page.recognized, page.is_blank) == ("", False, False)


def test_a_fork_that_sleeps_is_ended_and_heard_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scans, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(scans, "WALL_FACTOR", 1)
    before = children()
    beats, page = looked_at(Sleeping(), RawPage(1, "", picture=Picture(9, 9)), Limits(page_seconds=1))
    assert len(beats) > 3
    assert [notice.page for notice in page.notices] == [1]
    assert children() == before


def children() -> set[str]:
    tasks = Path("/proc/self/task").glob("*/children")
    return {pid for task in tasks for pid in task.read_text().split()}


def test_pages_that_are_no_pictures_are_not_looked_at() -> None:
    raw = RawPage(1, "Text.")
    assert looked_at(Broken(), raw) == ([], raw)
    assert looked_at(object(), RawPage(1, "", picture=Picture(9, 9)))[0] == []


def test_the_file_can_be_read_on_after_a_fork_has_read_it(tmp_path: Path) -> None:
    path = sheets.scanned_pdf(tmp_path / "a.pdf", [sheets.noise(), "Some text at the end of it all."] * 10)
    reading = pdf.open_document(path, PDF)
    try:
        seen = [looked_at(reading, raw)[1] for raw in reading.pages()]
    finally:
        reading.close()
    assert [page.text for page in seen[1::2]] == ["Some text at the end of it all."] * 10
    assert not any(page.notices for page in seen)


@given(st.text(max_size=60), st.text("abc \n7", max_size=20))
def test_nothing_of_a_pages_own_text_is_lost(found: str, own: str) -> None:
    page = scans._with_text(RawPage(1, own), found)  # noqa: SLF001 - the rule alone
    assert page.recognized is bool(found.strip())
    folded = fold(page.text)
    assert all(fold(line) in folded for line in own.splitlines())
    assert fold(found) in folded


# Beats


def test_beats_are_no_events() -> None:
    assert wire.unpack(wire.pack(wire.Beat())[wire.HEADER_BYTES :]) == wire.Beat()


def test_time_with_beats_counts_up_to_its_own_bound() -> None:
    counting = crew.Crew(cast("crew.Employer", None), Limits(scan_seconds=10))
    with counting:
        counting._count(8, scanning=True)  # noqa: SLF001 - the rule alone
        counting._count(3, scanning=False)  # noqa: SLF001 - the same
        assert (counting._waited, counting._silent, counting._scanned) == (3, 3, 8)  # noqa: SLF001 - the same
        counting._count(8, scanning=True)  # noqa: SLF001 - the same
        assert (counting._waited, counting._silent) == (3, 0)  # noqa: SLF001 - the same
        counting._count(8, scanning=True)  # noqa: SLF001 - the same
        assert (counting._waited, counting._silent) == (11, 8)  # noqa: SLF001 - the same


def test_no_fork_is_left(tmp_path: Path) -> None:
    read(pdfs.scanned_pdf(tmp_path / "a.pdf"))
    assert sandbox.home.running == 0
