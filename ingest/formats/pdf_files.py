"""The files that a PDF carries along (ISO 32000-1, 7.11.4), through pdfium's raw API."""

from __future__ import annotations

import ctypes
from typing import Any, Final

import pypdfium2_raw as pdfium

from ingest.document import Notice

MAX_NAMES: Final = 10


def attached(document: Any) -> list[Notice]:  # noqa: ANN401 - a C pointer
    """Return a notice that names the attached files, if there are any. They are listed, not read.

    Many a report carries its own data as XML, several times its text, which nobody who uploads it knows of.
    """
    count: int = pdfium.FPDFDoc_GetAttachmentCount(document)
    if count <= 0:
        return []
    named = [_described(document, index) for index in range(min(count, MAX_NAMES))]
    more = f" and {count - MAX_NAMES:,} more" if count > MAX_NAMES else ""
    return [
        Notice(
            "attachments_not_read",
            f"Attached to this PDF and not read: {', '.join(named)}{more}. Save what you want to ask about "
            "from a PDF reader and upload it.",
        )
    ]


def _described(document: Any, index: int) -> str:  # noqa: ANN401 - a C pointer
    attachment = pdfium.FPDFDoc_GetAttachment(document, index)
    if not attachment:
        return f"attachment {index + 1}"
    size = ctypes.c_ulong()
    known = pdfium.FPDFAttachment_GetFile(attachment, None, 0, size)
    name = _name(attachment) or f"attachment {index + 1}"
    return f"{name} ({size.value:,} bytes)" if known else name


def _name(attachment: Any) -> str:  # noqa: ANN401 - a C pointer
    """Return the attachment's name, "" where it has none; pdfium writes UTF-16 and counts bytes."""
    size = pdfium.FPDFAttachment_GetName(attachment, None, 0)
    units = (ctypes.c_ushort * (size // 2 + 1))()
    pdfium.FPDFAttachment_GetName(attachment, units, size)
    name = bytes(units).decode("utf-16-le", "replace")
    return " ".join("".join(char if char.isprintable() else " " for char in name).split())
