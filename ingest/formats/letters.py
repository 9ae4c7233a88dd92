"""What a mail says as text, whatever file it comes in: its header in a few lines, and its body."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from ingest.formats.hypertext import read_hypertext

SHOWN: Final = ("From", "To", "Cc", "Bcc", "Date", "Subject")
"""The fields that a reader sees, in their order."""
TINY_PICTURE: Final = 1_024
"""Bytes; an unnamed or inline picture up to here marks that a mail was opened, or fills a corner."""
MAX_BODY_BYTES: Final = 1024 * 1024
"""Text of one message up to here is its text; what is beyond is read as a file of its own."""

_SIGNATURE: Final = "-- "
_TYPES: Final = mimetypes.MimeTypes()
_WORDS: Final = {"image": "picture", "message": "message", "text": "text"}


def header(values: Mapping[str, str], attached: Iterable[str] = ()) -> str:
    """Return the header's lines; a field without a value has none."""
    lines = [f"{name}: {values[name]}" for name in SHOWN if values.get(name)]
    if names := ", ".join(attached):
        lines.append(f"Attachments: {names}")
    return "\n".join(lines)


def from_html(markup: str) -> str:
    """Return the text of a body in HTML."""
    return read_hypertext(markup).text.replace("\f", "")


def unflowed(text: str, *, delsp: bool) -> str:
    """Return text whose lines were broken for transfer in whole paragraphs (`format=flowed`, RFC 3676).

    `delsp` says that the blank before such a break is no part of the text.
    """
    lines, open_depth = list[str](), -1
    for raw in text.replace("\r\n", "\n").split("\n"):
        line = raw.lstrip(">")
        depth = len(raw) - len(line)
        line = line.removeprefix(" ")
        if depth == open_depth and line != _SIGNATURE:
            lines[-1] += line
        else:
            lines.append(f"{'>' * depth} {line}" if depth else line)
        flows = line.endswith(" ") and line != _SIGNATURE
        open_depth = depth if flows else -1
        if flows and delsp:
            lines[-1] = lines[-1][:-1]
    return "\n".join(lines)


def day_of(date: str) -> str | None:
    """Return a field's date as 2024-06-20, None where it is none."""
    try:
        return parsedate_to_datetime(date).date().isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def made_up_name(media_type: str, number: int) -> str:
    """Return a name for an attachment that has none, by its type."""
    suffix = {"message/rfc822": ".eml", "text/plain": ".txt", "text/calendar": ".ics"}.get(media_type)
    suffix = suffix or _TYPES.guess_extension(media_type) or ""
    return f"{_WORDS.get(media_type.partition('/')[0], 'attachment')} {number}{suffix}"
