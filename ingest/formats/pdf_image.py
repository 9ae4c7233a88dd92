"""Draws one page of a PDF with a quote marked, through pdfium.

Runs in a guarded process alone (`ingest.drawer`): no PDF engine survives every hostile file.
"""

from __future__ import annotations

import ctypes
import math
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pypdfium2_raw as pdfium

from ingest import highlights, pictured_quotes
from ingest.errors import DamagedDocument
from ingest.formats import pdf_scan
from ingest.raster import Box, Raster, mark, merged, png

MAX_PIXELS: Final = 40_000_000
MAX_SIDE: Final = 20_000
"""Pixels; a page of one point by a mile would otherwise make millions of rows."""

NOT_DRAWN: Final = (
    "The page can't be drawn: the PDF is damaged or locked there. Its text is at the page itself."
)

_FEW_WORDS: Final = 25
"""A scan has fewer: its visible characters alone are fewer."""
_WHITE: Final = 0xFFFFFFFF
_FLATTENED: Final = frozenset({pdfium.FPDF_ANNOT_WIDGET, pdfium.FPDF_ANNOT_FREETEXT})


def draw(
    path: Path, page: int, *, quote: str | None, width: int, languages: tuple[str, ...] = ()
) -> tuple[bytes, bool]:
    """Return a PNG of the page (1-based), at most `width` pixels wide, and whether the quote is on it.

    On a scan, the quote is looked for among what is recognised in these languages.

    Raises:
        DamagedDocument: pdfium can't open the file, or not that page.
    """
    with _opened(path) as document, _loaded(document, page - 1) as (sheet, chars):
        spans = [] if quote is None else _spans(quote, document, page - 1, chars)
        with _rendered(sheet, *_size(sheet, width)) as raster:
            drawn = [box for span in spans for box in merged(_boxes(sheet, chars, span, raster))]
            if quote is not None and not spans and len(_text(chars).split()) < _FEW_WORDS:
                size = {"width": raster.width, "height": raster.height}
                drawn = pictured_quotes.boxes(quote, pdf_scan.bitmap(document, page - 1), languages, **size)
            mark(raster, drawn)
            return png(raster), bool(spans or drawn)


def rasters(path: Path, pages: Iterable[tuple[int, int, int]]) -> Iterator[Raster]:
    """Yield each page (1-based number, width, height) without any mark, stretched to exactly so many pixels.

    A raster's memory is there until the next one is asked for.

    Raises:
        DamagedDocument: pdfium can't open the file, or not that page.
    """
    with _opened(path) as document:
        for number, width, height in pages:
            with _page(document, number - 1) as sheet, _rendered(sheet, width, height) as raster:
                yield raster


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    pdfium.FPDF_InitLibraryWithConfig(pdfium.FPDF_LIBRARY_CONFIG(version=2))
    document = pdfium.FPDF_LoadDocument(os.fsencode(path), None)
    if not document:
        raise DamagedDocument(NOT_DRAWN)
    try:
        yield document
    finally:
        pdfium.FPDF_CloseDocument(document)


@contextmanager
def _loaded(document: Any, index: int) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 - C pointers
    """Lend a page and its characters, filled-in form fields among them."""
    with _page(document, index) as sheet:
        chars = pdfium.FPDFText_LoadPage(sheet)
        if not chars:
            raise DamagedDocument(NOT_DRAWN)
        try:
            yield sheet, chars
        finally:
            pdfium.FPDFText_ClosePage(chars)


@contextmanager
def _page(document: Any, index: int) -> Iterator[Any]:  # noqa: ANN401 - C pointers
    """Lend a page with what was filled into its form."""
    sheet = pdfium.FPDF_LoadPage(document, index)
    if sheet and _shows_fields(sheet):
        _fill(document, sheet)
        pdfium.FPDF_ClosePage(sheet)
        sheet = pdfium.FPDF_LoadPage(document, index)
    if not sheet:
        raise DamagedDocument(NOT_DRAWN)
    try:
        yield sheet
    finally:
        pdfium.FPDF_ClosePage(sheet)


def _shows_fields(sheet: Any) -> bool:  # noqa: ANN401 - a C pointer
    return any(_kind(sheet, index) in _FLATTENED for index in range(pdfium.FPDFPage_GetAnnotCount(sheet)))


def _kind(sheet: Any, index: int) -> int:  # noqa: ANN401 - a C pointer
    note = pdfium.FPDFPage_GetAnnot(sheet, index)
    try:
        return int(pdfium.FPDFAnnot_GetSubtype(note))
    finally:
        pdfium.FPDFPage_CloseAnnot(note)


def _fill(document: Any, sheet: Any) -> None:  # noqa: ANN401 - C pointers
    """Draw form fields and text notes into the page, as reading it does: quotes may come from there."""
    info = pdfium.FPDF_FORMFILLINFO(version=2)  # pdfium keeps a pointer to it
    form = None
    if pdfium.FPDF_GetFormType(document) != pdfium.FORMTYPE_NONE:
        form = pdfium.FPDFDOC_InitFormFillEnvironment(document, info)
    if form:
        pdfium.FORM_OnAfterLoadPage(sheet, form)
        pdfium.FORM_OnBeforeClosePage(sheet, form)
    pdfium.FPDFPage_Flatten(sheet, pdfium.FLAT_NORMALDISPLAY)
    if form:
        pdfium.FPDFDOC_ExitFormFillEnvironment(form)


def _spans(quote: str, document: Any, index: int, chars: Any) -> list[highlights.Span]:  # noqa: ANN401 - C pointers
    """Where the quote stands on the page; the pages beside it are read only where it may run over to them."""
    text = _text(chars)
    found = highlights.on_page(quote, text)
    if found:
        return found
    return highlights.across(quote, _text_at(document, index - 1), text, _text_at(document, index + 1))


def _text_at(document: Any, index: int) -> str:  # noqa: ANN401 - a C pointer
    """Return a page's characters; "" where there is no such page or none that can be read."""
    if not 0 <= index < pdfium.FPDF_GetPageCount(document):
        return ""
    try:
        with _loaded(document, index) as (_, chars):
            return _text(chars)
    except DamagedDocument:
        return ""


def _text(chars: Any) -> str:  # noqa: ANN401 - a C pointer
    """Return the page's characters, one for each place in pdfium's list."""
    codes = (pdfium.FPDFText_GetUnicode(chars, index) for index in range(pdfium.FPDFText_CountChars(chars)))
    return "".join(chr(code) if code <= sys.maxunicode else " " for code in codes)


def _size(sheet: Any, width: int) -> tuple[int, int]:  # noqa: ANN401 - a C pointer
    """Return the picture's width and height in pixels, turned and cropped as the page is shown.

    Raises:
        DamagedDocument: the page has no area.
    """
    across, down = pdfium.FPDF_GetPageWidthF(sheet), pdfium.FPDF_GetPageHeightF(sheet)
    if not (0 < across < math.inf and 0 < down < math.inf):
        raise DamagedDocument(NOT_DRAWN)
    scale = min(width / across, MAX_SIDE / max(across, down), math.sqrt(MAX_PIXELS / across / down))
    return max(1, int(across * scale)), max(1, int(down * scale))


@contextmanager
def _rendered(sheet: Any, width: int, height: int) -> Iterator[Raster]:  # noqa: ANN401 - a C pointer
    bitmap = pdfium.FPDFBitmap_CreateEx(width, height, pdfium.FPDFBitmap_BGR, None, 0)
    if not bitmap:
        raise MemoryError
    try:
        pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, width, height, _WHITE)
        flags = pdfium.FPDF_ANNOT | pdfium.FPDF_REVERSE_BYTE_ORDER  # red first, as PNG wants it
        pdfium.FPDF_RenderPageBitmap(bitmap, sheet, 0, 0, width, height, 0, flags)
        stride = pdfium.FPDFBitmap_GetStride(bitmap)
        place = ctypes.cast(pdfium.FPDFBitmap_GetBuffer(bitmap), ctypes.c_void_p).value
        pixels = (ctypes.c_ubyte * (stride * height)).from_address(place or 0)
        yield Raster(width, height, stride, memoryview(pixels).cast("B"))
    finally:
        pdfium.FPDFBitmap_Destroy(bitmap)


def _boxes(sheet: Any, chars: Any, span: highlights.Span, raster: Raster) -> Iterator[Box]:  # noqa: ANN401 - C pointers
    """Yield the box of each character that shows, in pixels."""
    box = pdfium.FS_RECTF()
    for index in range(*span):
        shows = not chr(min(pdfium.FPDFText_GetUnicode(chars, index), sys.maxunicode)).isspace()
        if shows and pdfium.FPDFText_GetLooseCharBox(chars, index, box) and box.left != box.right:
            yield _in_pixels(sheet, box, raster)


def _in_pixels(sheet: Any, box: Any, raster: Raster) -> Box:  # noqa: ANN401 - C pointers
    first = _pixel(sheet, box.left, box.top, raster)
    second = _pixel(sheet, box.right, box.bottom, raster)
    left, right = sorted((first[0], second[0]))
    top, bottom = sorted((first[1], second[1]))
    return Box(left, top, max(right, left + 1), max(bottom, top + 1))


def _pixel(sheet: Any, across: float, up: float, raster: Raster) -> tuple[int, int]:  # noqa: ANN401 - a C pointer
    """Return where a point of the page lies in the picture, however the page is turned and cropped."""
    x, y = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDF_PageToDevice(sheet, 0, 0, raster.width, raster.height, 0, across, up, x, y)
    return x.value, y.value
