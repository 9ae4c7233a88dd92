"""Source code, JSON and XML: text as it is, cut between its own parts, never whole in memory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from ingest.errors import EmptyDocument
from ingest.formats.declared import declared_encoding
from ingest.formats.plain import PlainReading, decode, find_encoding
from ingest.formats.sections import MAX_CHARS, RUNNING_TEXT, WISHED_CHARS, Cuts, sections
from ingest.formats.textkinds import JSON, XML

_XML_ENCODING: Final = re.compile(
    rb"\A\s*<\?xml[^>]{0,200}?\sencoding\s*=\s*[\"']([A-Za-z][A-Za-z0-9._-]{0,40})[\"']"
)

# As for running text: the gentlest cut first, and how far beyond the wished length it is looked for.
_CODE: Final[Cuts] = (
    (re.compile(r"\n(?:[ \t]*\n)+(?=[^\s)\]}])"), 3 * WISHED_CHARS),
    (re.compile(r"\n(?=[^\s)\]}])"), 3 * WISHED_CHARS),
    *RUNNING_TEXT,
)
"""Before a line that is not indented, behind a blank one rather: between functions, not inside."""
_JSON: Final[Cuts] = (
    (re.compile(r"\n(?= {0,4}[{\[])"), 2 * WISHED_CHARS),
    (re.compile(r"\n(?= {0,4}\")"), 2 * WISHED_CHARS),
    (re.compile(r"\n"), 3 * WISHED_CHARS),
    (re.compile(r",(?<=[}\]],)(?=\s*[{\[\"])"), 2 * WISHED_CHARS),
    (re.compile(r",(?=\s*\")"), 3 * WISHED_CHARS),
    (re.compile(r"[,\s]+"), MAX_CHARS),
)
"""Before a record, at a line's end, behind an object, behind a value."""
_XML: Final[Cuts] = (
    (re.compile(r"\n(?= {0,4}<\w)"), 2 * WISHED_CHARS),
    (re.compile(r"\n"), 3 * WISHED_CHARS),
    (re.compile(r">(?=\s*<\w)"), 2 * WISHED_CHARS),
    (re.compile(r"[>\s]+"), MAX_CHARS),
)
"""Before an element, at a line's end, between two elements, behind a tag."""
_CUTS: Final = {JSON: _JSON, XML: _XML}


def open_document(path: Path, media_type: str) -> PlainReading:
    """Open a file of source code, JSON or XML. Nothing in it is parsed, so nothing in it can expand.

    Raises:
        EmptyDocument: blanks alone.
    """
    named = declared_encoding(path, _XML_ENCODING) if media_type == XML else None
    encoding = named or find_encoding(path)
    cuts = _CUTS.get(media_type, _CODE)
    total = sum(1 for _ in sections(decode(path, encoding), cuts))
    if not total:
        raise EmptyDocument("The file holds only blanks. Check that it was saved and upload it again.")
    return PlainReading(path, media_type, encoding, total, notices=encoding.notices(), cuts=cuts)
