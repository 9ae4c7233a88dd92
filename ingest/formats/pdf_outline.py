"""A PDF's own table of contents, its bookmarks, through pdfium's raw API."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any, Final

import pypdfium2_raw as pdfium

from ingest.document import Heading

MAX_ENTRIES: Final = 2_000
MAX_DEPTH: Final = 10
MAX_TITLE: Final = 500
"""Characters of one title; the rest is left out."""

_MAX_TITLE_BYTES: Final = 1 << 20


def outline(document: Any, total: int) -> tuple[Heading, ...]:  # noqa: ANN401 - a C pointer
    """Return the bookmarks of an open document of `total` pages, in order, down to `MAX_DEPTH`.

    At most `MAX_ENTRIES`; one that comes up again, as in a circle, is passed over with all that follows it.
    """
    return tuple(
        Heading(_title(mark), level, _page(document, mark, total)) for mark, level in _marks(document)
    )


def _marks(document: Any) -> Iterator[tuple[Any, int]]:  # noqa: ANN401 - C pointers
    """Yield each bookmark with its level, parents first."""
    seen: set[int] = set()
    waiting = [pdfium.FPDFBookmark_GetFirstChild(document, None)]  # the next one of each open level
    while waiting and len(seen) < MAX_ENTRIES:
        mark = waiting.pop()
        address = ctypes.cast(mark, ctypes.c_void_p).value
        if address is None or address in seen:
            continue
        seen.add(address)
        yield mark, len(waiting) + 1
        waiting.append(pdfium.FPDFBookmark_GetNextSibling(document, mark))
        if len(waiting) < MAX_DEPTH:
            waiting.append(pdfium.FPDFBookmark_GetFirstChild(document, mark))


def _title(mark: Any) -> str:  # noqa: ANN401 - a C pointer
    size: int = pdfium.FPDFBookmark_GetTitle(mark, None, 0)
    if not 0 < size <= _MAX_TITLE_BYTES:
        return ""
    buffer = ctypes.create_string_buffer(size)
    pdfium.FPDFBookmark_GetTitle(mark, buffer, size)
    return buffer.raw.decode("utf-16-le", "replace").rstrip("\0")[:MAX_TITLE]


def _page(document: Any, mark: Any, total: int) -> int | None:  # noqa: ANN401 - C pointers
    """Return the 1-based page that the bookmark leads to; None where it leads to none of this file."""
    place = pdfium.FPDFBookmark_GetDest(document, mark)
    if not place:
        action = pdfium.FPDFBookmark_GetAction(mark)
        inside = action and pdfium.FPDFAction_GetType(action) == pdfium.PDFACTION_GOTO
        place = pdfium.FPDFAction_GetDest(document, action) if inside else None
    index: int = pdfium.FPDFDest_GetDestPageIndex(document, place) if place else -1
    return index + 1 if 0 <= index < total else None
