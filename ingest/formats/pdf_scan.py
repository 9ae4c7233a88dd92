"""Pages of a PDF as pictures to be recognised, drawn in grey through pdfium."""

from __future__ import annotations

import ctypes
import math
from typing import Any, Final

import pypdfium2_raw as pdfium

from ingest.document import Picture
from ingest.errors import DamagedDocument
from ingest.normalize import normalize
from ingest.quality import is_scan, may_be_stamped, visible
from ingest.raster import Bitmap
from ingest.recognition import DENSITY, MAX_PIXELS, MAX_SIDE

_POINTS: Final = 72
_WHITE: Final = 0xFFFFFFFF


def picture(page: Any, text: str, image_area: float) -> Picture | None:  # noqa: ANN401 - a C pointer
    """Return the page's size as a picture where it may show more than it says: a scan, drawn letters."""
    shown = visible(normalize(text))
    scan = is_scan(shown, image_area) or may_be_stamped(shown, image_area)
    return _size(page) if scan or (shown == 0 and not is_bare(page)) else None


def is_bare(page: Any) -> bool:  # noqa: ANN401 - a C pointer
    """Whether nothing is on the page, drawn or written."""
    return bool(pdfium.FPDFPage_CountObjects(page) == 0 and pdfium.FPDFPage_GetAnnotCount(page) == 0)


def bitmap(document: Any, index: int) -> Bitmap:  # noqa: ANN401 - a C pointer
    """Draw a page (0-based) in grey, turned and cropped as it is shown.

    Raises:
        DamagedDocument: pdfium can't load it.
    """
    page = pdfium.FPDF_LoadPage(document, index)
    size = _size(page) if page else None
    if size is None:
        raise DamagedDocument(f"Page {index + 1} can't be drawn.")
    try:
        return _drawn(page, size)
    finally:
        pdfium.FPDF_ClosePage(page)


def _size(page: Any) -> Picture | None:  # noqa: ANN401 - a C pointer
    """Return the page's size in pixels; None where it has no area."""
    across, down = pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page)
    if not (0 < across < math.inf and 0 < down < math.inf):
        return None
    scale = min(DENSITY / _POINTS, MAX_SIDE / max(across, down), math.sqrt(MAX_PIXELS / across / down))
    return Picture(max(1, int(across * scale)), max(1, int(down * scale)))


def _drawn(page: Any, size: Picture) -> Bitmap:  # noqa: ANN401 - a C pointer
    sheet = pdfium.FPDFBitmap_CreateEx(size.width, size.height, pdfium.FPDFBitmap_Gray, None, 0)
    if not sheet:
        raise MemoryError
    try:
        pdfium.FPDFBitmap_FillRect(sheet, 0, 0, size.width, size.height, _WHITE)
        flags = pdfium.FPDF_ANNOT | pdfium.FPDF_GRAYSCALE
        pdfium.FPDF_RenderPageBitmap(sheet, page, 0, 0, size.width, size.height, 0, flags)
        stride = pdfium.FPDFBitmap_GetStride(sheet)
        rows = ctypes.string_at(pdfium.FPDFBitmap_GetBuffer(sheet), stride * size.height)
    finally:
        pdfium.FPDFBitmap_Destroy(sheet)
    if stride != size.width:
        starts = range(0, len(rows), stride)
        rows = b"".join(rows[start : start + size.width] for start in starts)
    return Bitmap(size.width, size.height, rows)
