"""The line `From <sender> <date>` that parts the messages of a mailbox (RFC 4155, appendix A)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_FIRST: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*(From \S[^\r\n]{0,300}\d{1,2}:\d\d[^\r\n]{0,60}\r?\n)")
_QUOTED: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*>From \S[^\r\n]{0,300}\d{1,2}:\d\d[^\r\n]{0,60}\r?\n")
_MONTHS: Final = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DATE: Final = (
    rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),?[ ]+"
    rb"(?:" + _MONTHS + rb"[ ]+\d{1,2}|\d{1,2}[ ]+" + _MONTHS + rb"),?(?:[ ]+\d{4})?[ ]+\d{1,2}:\d\d"
)
_KNOWN_FIELD: Final = (
    rb"(?i:x-[!-9;-~]{1,70}|(?:list|resent|content|arc|dkim|authentication|thread|received|return|delivered"
    rb"|envelope|errors|message|mime|in-reply|reply|references)(?:-[!-9;-~]{1,70})?"
    rb"|from|to|cc|bcc|date|subject|sender|status|user-agent|organization|lines|precedence|importance"
    rb"|comments|keywords|newsgroups|path|xref|apparently-to|delivery-date|domainkey-signature)[ \t]*:"
)
# Behind an empty line, or a multipart's end without one.
_NEXT: Final = re.compile(
    rb"(?:\n|--)\r?\n(From [^\r\n]{1,300}?"
    + _DATE
    + rb"[^\r\n]{0,60}\r?\n)(?=>From |(?:[!-9;-~]{1,76}:[^\n]{0,200}\n){0,3}?"
    + _KNOWN_FIELD
    + rb")"
)
REACH: Final = 4
"""Bytes before the line that `later` looks at."""


def first(head: bytes) -> tuple[int, int] | None:
    """Return where the line that begins a mailbox stands in its first bytes; None where they are another's.

    The date may be written in any way. A byte order mark and blank lines may stand before it.
    """
    found = _FIRST.match(head)
    return found.span(1) if found else None


def is_quoted(head: bytes) -> bool:
    """Whether the first line is such a one that a mailbox's writer quoted, as in a mail saved out of it."""
    return _QUOTED.match(head) is not None


def later(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where such lines stand further on.

    There one may be a line of a message's text too: it needs an empty line before it, the date as C's
    asctime writes it, and a header's field behind it.
    """
    for found in _NEXT.finditer(data):
        yield found.span(1)
