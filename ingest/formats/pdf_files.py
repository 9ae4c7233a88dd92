"""Files embedded in a PDF (ISO 32000-1, 7.11.4), through pdfium's raw API; on an open document alone."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any, Final

import pypdfium2_raw as pdfium

from ingest.document import Enclosed, Notice, Piece, Sealed
from ingest.formats.enclosed import PIECE_BYTES, Names, damaged

MAX_BYTES: Final = 256 * 1024 * 1024
"""pdfium gives an embedded file whole or not at all."""


def embedded_files(document: Any, notices: list[Notice]) -> Iterator[Enclosed | Piece | Sealed]:  # noqa: ANN401 - a C pointer
    """Yield each embedded file in the order of the document's list; what is odd of a name is told."""
    names = Names(notices)
    for index in range(pdfium.FPDFDoc_GetAttachmentCount(document)):
        attachment = pdfium.FPDFDoc_GetAttachment(document, index)
        if not attachment:
            continue
        name = names.take(_name(attachment) or f"attachment {index + 1}")
        yield Enclosed(name)
        yield from _content(attachment, name)


def _content(attachment: Any, name: str) -> Iterator[Piece | Sealed]:  # noqa: ANN401 - a C pointer
    size = ctypes.c_ulong()
    if not pdfium.FPDFAttachment_GetFile(attachment, None, 0, size):
        yield damaged(name, "it can't be unpacked")
        return
    if size.value > MAX_BYTES:
        detail = f"{name} has over {MAX_BYTES / 2**20:,.0f} MB, more than is taken out of a PDF."
        yield Sealed(Notice("file_too_large", detail))
        return
    buffer = ctypes.create_string_buffer(size.value)
    if not pdfium.FPDFAttachment_GetFile(attachment, buffer, size.value, size):
        yield damaged(name, "it can't be unpacked")
        return
    data = memoryview(buffer).cast("B")
    for start in range(0, len(data), PIECE_BYTES):
        yield Piece(bytes(data[start : start + PIECE_BYTES]))
    yield Sealed()


def _name(attachment: Any) -> str:  # noqa: ANN401 - a C pointer
    """Return the attachment's name, "" where it has none; pdfium writes UTF-16 and counts bytes."""
    size = pdfium.FPDFAttachment_GetName(attachment, None, 0)
    units = (ctypes.c_ushort * (size // 2 + 1))()
    pdfium.FPDFAttachment_GetName(attachment, units, size)
    return bytes(units).decode("utf-16-le", "replace").strip("\0 ")
