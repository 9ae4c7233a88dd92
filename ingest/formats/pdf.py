"""PDF through pdfium's raw API: the only importer of pypdfium2.

One raw call a page keeps table rows on one line and costs about 4 ms. pdfium is not thread-safe and no PDF
engine survives every hostile file, so this runs in the reading process alone (`ingest.sandbox`).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pypdfium2_raw as pdfium

from ingest.document import Heading, Unit
from ingest.errors import DamagedDocument
from ingest.formats import RawPage, Reading, pdf_blanks, pdf_comments, pdf_outline, pdf_rescue, pdf_scan
from ingest.formats.pdf_files import attached
from ingest.quality import STAMPED_VISIBLE
from ingest.raster import Bitmap

FEW_VISIBLE: Final = STAMPED_VISIBLE
"""Images are measured only on pages with fewer visible characters: no other page could pass for a scan."""

_ENOUGH: Final = 4 * FEW_VISIBLE
_MAX_OBJECTS: Final = 20_000
"""Page objects looked at when an image is searched; drawings can hold millions."""
_MAX_DEPTH: Final = 4
_EVERYWHERE: Final = (-1e7, 1e7, 1e7, -1e7)
"""Left, top, right, bottom of a box that holds any page, in points."""
_TAIL_BYTES: Final = 8_192
_END_BYTES: Final = 2
"""The size of an empty string, as pdfium tells it: its end mark."""
_FLATTENED: Final = frozenset({pdfium.FPDF_ANNOT_WIDGET, pdfium.FPDF_ANNOT_FREETEXT})


def open_document(path: Path, media_type: str) -> Reading:
    """Open a PDF; files that pdfium refuses get a second opinion.

    Raises:
        ingest.errors.EncryptedDocument: it opens only with a password.
        ingest.errors.DamagedDocument: no reader can make sense of it.
    """
    _start_library()
    document = pdfium.FPDF_LoadDocument(os.fsencode(path), None)
    if document and pdfium.FPDF_GetPageCount(document) > 0:
        return _PdfiumReading(path, document, media_type=media_type)
    locked = not document and pdfium.FPDF_GetLastError() in {
        pdfium.FPDF_ERR_PASSWORD,
        pdfium.FPDF_ERR_SECURITY,
    }
    if document:
        pdfium.FPDF_CloseDocument(document)
    if not locked and not _has_end_mark(path):
        # A rescue would number the pages that are left from 1: citations would name the wrong ones.
        raise DamagedDocument("The PDF is cut off: its end is missing. Upload the whole file again.")
    return pdf_rescue.open_document(path, media_type, locked=locked)


@cache
def _start_library() -> None:
    pdfium.FPDF_InitLibraryWithConfig(pdfium.FPDF_LIBRARY_CONFIG(version=2))


class _PdfiumReading:
    """An open PDF. pdfium reads the file piece by piece; it is never whole in memory."""

    unit = Unit.PAGE

    def __init__(self, path: Path, document: Any, *, media_type: str) -> None:  # noqa: ANN401 - a C pointer
        self.media_type = media_type
        self.total: int = pdfium.FPDF_GetPageCount(document)
        self.title = _string(lambda *into: pdfium.FPDF_GetMetaText(document, b"Title", *into))
        self.notices = [] if _has_end_mark(path) else [pdf_rescue.CUT_OFF]
        self.notices += attached(document)
        self._path = path
        self._document = document
        self._form = _Form(document)

    def pages(self) -> Iterator[RawPage]:
        return self.part(0, self.total)

    def part(self, first: int, stop: int) -> Iterator[RawPage]:
        """Yield the pages from index `first` (0-based) up to and without `stop`."""
        for index in range(first, stop):
            yield self._page(index)

    def bitmap(self, index: int) -> Bitmap:
        """Draw a page (0-based) to be recognised."""
        return pdf_scan.bitmap(self._document, index)

    def outline(self) -> tuple[Heading, ...]:
        return pdf_outline.outline(self._document, self.total)

    def close(self) -> None:
        self._form.close()
        pdfium.FPDF_CloseDocument(self._document)

    def _page(self, index: int) -> RawPage:
        label = self._label(index)
        page = pdfium.FPDF_LoadPage(self._document, index)
        if not page:
            return self._second_opinion(index, label)
        try:
            comments = pdf_comments.comments(page)  # drawing the fields takes them off the page
            page = self._with_fields(page, index)
            text = _text(page)
            if text is None:
                return self._second_opinion(index, label)
            if not _is_sparse(text):
                return RawPage(index + 1, text, label, comments=comments)
            area, bare = _largest_image(page), pdf_scan.is_bare(page)
            seen = pdf_scan.picture(page, text, area)
            return RawPage(index + 1, text, label, area, picture=seen, is_blank=bare, comments=comments)
        finally:
            pdfium.FPDF_ClosePage(page)

    def _label(self, index: int) -> str | None:
        if pdfium.FPDF_GetPageLabel(self._document, index, None, 0) <= _END_BYTES:
            return None
        return _string(lambda *into: pdfium.FPDF_GetPageLabel(self._document, index, *into))

    def _with_fields(self, page: Any, index: int) -> Any:  # noqa: ANN401 - C pointers
        """Draw form fields and text notes into the page: what was filled in is part of what it says."""
        if not _shows_fields(page):
            return page
        self._form.fill(page)
        if pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY) != pdfium.FLATTEN_SUCCESS:
            return page
        again = pdfium.FPDF_LoadPage(self._document, index)
        if not again:
            return page
        pdfium.FPDF_ClosePage(page)
        return again

    def _second_opinion(self, index: int, label: str | None) -> RawPage:
        """Ask the slow reader for one page that pdfium can't load."""
        try:
            text = pdf_rescue.page_text(self._path, index)
        except DamagedDocument:
            return RawPage(index + 1, "", label, notices=(pdf_rescue.unreadable(index + 1),))
        return RawPage(index + 1, text, label)


class _Form:
    """The document's form where it has one: many files hold a field's value without its looks."""

    def __init__(self, document: Any) -> None:  # noqa: ANN401 - a C pointer
        self._info = pdfium.FPDF_FORMFILLINFO(version=2)  # pdfium keeps a pointer to it
        self._handle = None
        if pdfium.FPDF_GetFormType(document) != pdfium.FORMTYPE_NONE:
            self._handle = pdfium.FPDFDOC_InitFormFillEnvironment(document, self._info)

    def fill(self, page: Any) -> None:  # noqa: ANN401 - a C pointer
        """Have pdfium make the looks of the page's fields."""
        if self._handle:
            pdfium.FORM_OnAfterLoadPage(page, self._handle)
            pdfium.FORM_OnBeforeClosePage(page, self._handle)

    def close(self) -> None:
        """Free it, before the document."""
        if self._handle:
            pdfium.FPDFDOC_ExitFormFillEnvironment(self._handle)


def _text(page: Any) -> str | None:  # noqa: ANN401 - a C pointer
    """Return the page's text as pdfium gives it; None where it can't tell."""
    text_page = pdfium.FPDFText_LoadPage(page)
    if not text_page:
        return None
    try:
        return _whole_text(text_page)
    finally:
        pdfium.FPDFText_ClosePage(text_page)


def _whole_text(text_page: Any) -> str:  # noqa: ANN401 - a C pointer
    """Return all text of the page, whatever pdfium's character list and its text disagree on.

    `FPDFText_GetText` cuts its result to the number of listed characters, which is fewer than the text has
    where a character became several; the other call misses some line ends but nothing else.
    """
    count: int = max(0, pdfium.FPDFText_CountChars(text_page))
    units = (ctypes.c_ushort * (2 * count + 2))()
    written: int = pdfium.FPDFText_GetText(text_page, 0, count, units)
    if written - 1 < _text_length(text_page, count):
        return _bounded_text(text_page)
    text = _decoded(units, written - 1)
    return pdf_blanks.restored(text_page, text) if len(text) == written - 1 else text


def _text_length(text_page: Any, count: int) -> int:  # noqa: ANN401 - a C pointer
    """Return the length of the text behind the character list, in UTF-16 units."""
    for index in range(count - 1, -1, -1):
        place: int = pdfium.FPDFText_GetTextIndexFromCharIndex(text_page, index)
        if place >= 0:
            return place + 1
    return 0


def _bounded_text(text_page: Any) -> str:  # noqa: ANN401 - a C pointer
    length: int = pdfium.FPDFText_GetBoundedText(text_page, *_EVERYWHERE, None, 0)
    units = (ctypes.c_ushort * (length + 1))()
    return _decoded(units, pdfium.FPDFText_GetBoundedText(text_page, *_EVERYWHERE, units, length))


def _decoded(units: ctypes.Array[ctypes.c_ushort], length: int) -> str:
    """Return UTF-16 units as text; broken pairs become U+FFFD."""
    return bytes(memoryview(units).cast("B")[: 2 * max(0, length)]).decode("utf-16-le", "replace")


def _string(read: Callable[[Any, int], int]) -> str | None:
    """Return a UTF-16 string of pdfium that is asked for its size first; None where it is blank."""
    size = read(None, 0)
    buffer = ctypes.create_string_buffer(size)
    read(buffer, size)
    return buffer.raw.decode("utf-16-le", "replace").rstrip("\0").strip() or None


def _is_sparse(text: str) -> bool:
    start = text[:_ENOUGH]  # which nearly always holds enough to tell
    return _visible(start) < FEW_VISIBLE and _visible(text) < FEW_VISIBLE


def _visible(text: str) -> int:
    return sum(map(len, text.split()))


def _shows_fields(page: Any) -> bool:  # noqa: ANN401 - a C pointer
    return any(
        _annotation_kind(page, index) in _FLATTENED for index in range(pdfium.FPDFPage_GetAnnotCount(page))
    )


def _annotation_kind(page: Any, index: int) -> int:  # noqa: ANN401 - a C pointer
    annotation = pdfium.FPDFPage_GetAnnot(page, index)
    try:
        return int(pdfium.FPDFAnnot_GetSubtype(annotation))
    finally:
        pdfium.FPDFPage_CloseAnnot(annotation)


def _largest_image(page: Any) -> float:  # noqa: ANN401 - a C pointer
    """Return the share of the page that its largest image covers, 0.0 to 1.0."""
    whole = pdfium.FPDF_GetPageWidthF(page) * pdfium.FPDF_GetPageHeightF(page)
    areas = (
        _box_area(item) * scale
        for item, scale in _objects(page)
        if pdfium.FPDFPageObj_GetType(item) == pdfium.FPDF_PAGEOBJ_IMAGE
    )
    return min(1.0, max(areas, default=0.0) / whole) if whole > 0 else 0.0


def _objects(page: Any) -> Iterator[tuple[Any, float]]:  # noqa: ANN401 - C pointers
    """Yield each object of the page with the factor that its area grows by, forms' contents included."""
    for index in range(min(pdfium.FPDFPage_CountObjects(page), _MAX_OBJECTS)):
        yield from _with_contents(pdfium.FPDFPage_GetObject(page, index), 1.0, depth=0)


def _with_contents(item: Any, scale: float, *, depth: int) -> Iterator[tuple[Any, float]]:  # noqa: ANN401
    yield item, scale
    if depth == _MAX_DEPTH or pdfium.FPDFPageObj_GetType(item) != pdfium.FPDF_PAGEOBJ_FORM:
        return
    inner = scale * _growth(item)
    for index in range(min(pdfium.FPDFFormObj_CountObjects(item), _MAX_OBJECTS)):
        yield from _with_contents(pdfium.FPDFFormObj_GetObject(item, index), inner, depth=depth + 1)


def _growth(item: Any) -> float:  # noqa: ANN401 - a C pointer
    """Return the factor by which the object's matrix grows areas: its determinant."""
    matrix = pdfium.FS_MATRIX()
    if not pdfium.FPDFPageObj_GetMatrix(item, matrix):
        return 1.0
    return float(abs(matrix.a * matrix.d - matrix.b * matrix.c))


def _box_area(item: Any) -> float:  # noqa: ANN401 - a C pointer
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    if not pdfium.FPDFPageObj_GetBounds(item, left, bottom, right, top):
        return 0.0
    return max(0.0, right.value - left.value) * max(0.0, top.value - bottom.value)


def _has_end_mark(path: Path) -> bool:
    """Whether the file ends as a whole PDF does; pdfium repairs one that was cut off without a word."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        return b"%%EOF" in file.read()
