"""Markdown and HTML: sections that begin at headings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, pairwise
from pathlib import Path
from typing import Final

from ingest.document import Notice, Unit
from ingest.errors import EmptyDocument, TooLarge
from ingest.formats import HTML, RawPage
from ingest.formats.declared import declared_encoding
from ingest.formats.hypertext import SECTION_LEVELS, read_hypertext
from ingest.formats.plain import Encoding, decode, find_encoding
from ingest.formats.sections import sections

MAX_HTML_BYTES: Final = 32 * 1024 * 1024
"""HTML is parsed whole, at some seventeen bytes of memory for each of its own."""

_MAX_LINE: Final = 65_536
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")
_HEADING: Final = re.compile(rf" {{0,3}}#{{1,{SECTION_LEVELS}}}(?:[ \t]+|$)")
_ANY_HEADING: Final = re.compile(r" {0,3}#{1,6}[ \t]+(.*?)[ \t#]*$", re.MULTILINE)
_UNDERLINE: Final = re.compile(r" {0,3}(?:=+|-{2,})[ \t]*$")
_META_CHARSET: Final = re.compile(
    rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([a-zA-Z0-9_:.-]{1,40})", re.IGNORECASE
)


@dataclass(slots=True)
class MarkupReading:
    """The sections of a Markdown or HTML file."""

    media_type: str
    title: str | None
    texts: Iterable[str]
    total: int
    unit: Unit = Unit.SECTION
    notices: list[Notice] = field(default_factory=list)

    def pages(self) -> Iterator[RawPage]:
        """Yield the sections in order."""
        for number, text in enumerate(self.texts, start=1):
            yield RawPage(number, text)

    def close(self) -> None:
        """Nothing stays open between pages."""


@dataclass(frozen=True, slots=True)
class _MarkdownSections:
    """Cut anew at each iteration, so that no more than a section is in memory."""

    path: Path
    encoding: Encoding

    def __iter__(self) -> Iterator[str]:
        return sections(_marked_headings(_lines(decode(self.path, self.encoding))))


def open_document(path: Path, media_type: str) -> MarkupReading:
    """Open a Markdown or HTML file.

    Raises:
        EmptyDocument: it shows no text.
        TooLarge: HTML over `MAX_HTML_BYTES`.
    """
    reading = _open_html(path) if media_type == HTML else _open_markdown(path, media_type)
    if not reading.total:
        raise EmptyDocument("The file shows no text. Check that it was saved whole and upload it again.")
    return reading


def _open_markdown(path: Path, media_type: str) -> MarkupReading:
    encoding = find_encoding(path)
    texts = _MarkdownSections(path, encoding)
    total, title = 0, None
    for text in texts:
        total += 1
        title = title or _first_heading(text)
    return MarkupReading(media_type, title, texts, total, notices=encoding.notices())


def _open_html(path: Path) -> MarkupReading:
    if path.stat().st_size > MAX_HTML_BYTES:
        limit = MAX_HTML_BYTES // 2**20
        raise TooLarge(
            f"The HTML file is over {limit} MB. Split it, or save it as text, and upload it again."
        )
    encoding = declared_encoding(path, _META_CHARSET) or find_encoding(path)
    page = read_hypertext("".join(decode(path, encoding)))
    texts = list(sections([page.text]))
    return MarkupReading(HTML, page.title, texts, len(texts), notices=encoding.notices())


def _lines(pieces: Iterable[str]) -> Iterator[str]:
    r"""Lines with their `\n`; one over `_MAX_LINE` characters comes in parts."""
    rest = ""
    for piece in pieces:
        *whole, rest = (rest + piece).split("\n")
        for line in whole:
            yield line + "\n"
        if len(rest) > _MAX_LINE:
            yield rest
            rest = ""
    if rest:
        yield rest


def _marked_headings(lines: Iterable[str]) -> Iterator[str]:
    """Put a form feed before each heading of the first levels that has text before it since the last."""
    fence, previous, says_something = "", "", False
    for line, following in pairwise(chain(lines, [""])):
        if fence:
            fence = "" if line.strip().startswith(fence) and not line.strip(" \t\n`~") else fence
            heading = False
        else:
            heading = _is_heading(line, previous, following)
            fence = opened[1] if (opened := _FENCE.match(line)) else ""
        if heading and says_something:
            yield "\f"
        says_something = not heading and (says_something or bool(line.strip(" \t\n=-")))
        yield line
        previous = line


def _is_heading(line: str, previous: str, following: str) -> bool:
    """A `#` line of the first levels, or a paragraph of one line with an underline (CommonMark 4.2, 4.3)."""
    if _HEADING.match(line):
        return True
    return bool(line.strip(" \t\n=-") and not previous.strip() and _UNDERLINE.match(following))


def _first_heading(text: str) -> str | None:
    found = _ANY_HEADING.search(text)
    return (found[1].strip() or None) if found else None
