"""What readers noted on a PDF's page: annotations that say something, which pdfium leaves out of the text."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any, Final

import pypdfium2_raw as pdfium

MAX_COMMENTS: Final = 200
"""Kept of one page."""
MAX_CHARS: Final = 4_000
"""Kept of one comment; what is longer ends with an ellipsis."""

_MAX_BYTES: Final = 1 << 20
"""Of one string; a comment has no more."""
_END_BYTES: Final = 2
"""The size of an empty string, as pdfium tells it: its end mark."""
_COMMENTS: Final = frozenset(
    {
        pdfium.FPDF_ANNOT_TEXT,
        pdfium.FPDF_ANNOT_LINE,
        pdfium.FPDF_ANNOT_SQUARE,
        pdfium.FPDF_ANNOT_CIRCLE,
        pdfium.FPDF_ANNOT_POLYGON,
        pdfium.FPDF_ANNOT_POLYLINE,
        pdfium.FPDF_ANNOT_HIGHLIGHT,
        pdfium.FPDF_ANNOT_UNDERLINE,
        pdfium.FPDF_ANNOT_SQUIGGLY,
        pdfium.FPDF_ANNOT_STRIKEOUT,
        pdfium.FPDF_ANNOT_STAMP,
        pdfium.FPDF_ANNOT_CARET,
        pdfium.FPDF_ANNOT_INK,
    }
)
"""Their `/Contents` is what somebody wrote (ISO 32000-1, table 170); that of a link only describes it."""


def comments(page: Any) -> tuple[str, ...]:  # noqa: ANN401 - a C pointer
    """Return the comments in their order, such as `[comment by Ann: Is this right?]`."""
    found: list[str] = []
    for index in range(pdfium.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium.FPDFPage_GetAnnot(page, index)
        try:
            found.extend(_comment(annotation))
        finally:
            pdfium.FPDFPage_CloseAnnot(annotation)
        if len(found) == MAX_COMMENTS:
            break
    return tuple(found)


def _comment(annotation: Any) -> Iterator[str]:  # noqa: ANN401 - a C pointer
    kind = pdfium.FPDFAnnot_GetSubtype(annotation)
    if kind not in _COMMENTS and not (kind == pdfium.FPDF_ANNOT_FREETEXT and not _has_looks(annotation)):
        return
    if pdfium.FPDFAnnot_GetFlags(annotation) & pdfium.FPDF_ANNOT_FLAG_HIDDEN:
        return
    if says := _on_one_line(annotation, b"Contents"):
        yield f"[comment by {_on_one_line(annotation, b'T') or 'unknown'}: {says}]"


def _has_looks(annotation: Any) -> bool:  # noqa: ANN401 - a C pointer
    """Whether pdfium can draw it: then it becomes part of the page's text."""
    size: int = pdfium.FPDFAnnot_GetAP(annotation, pdfium.FPDF_ANNOT_APPEARANCEMODE_NORMAL, None, 0)
    return size > _END_BYTES


def _on_one_line(annotation: Any, key: bytes) -> str:  # noqa: ANN401 - a C pointer
    size: int = pdfium.FPDFAnnot_GetStringValue(annotation, key, None, 0)
    if not _END_BYTES < size <= _MAX_BYTES:
        return ""
    units = (ctypes.c_ushort * (size // 2))()
    pdfium.FPDFAnnot_GetStringValue(annotation, key, units, size)
    line = " ".join(bytes(units).decode("utf-16-le", "replace").rstrip("\0").split())
    return line if len(line) <= MAX_CHARS else f"{line[: MAX_CHARS - 1]}…"
