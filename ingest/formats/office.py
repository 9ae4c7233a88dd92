"""DOCX: pages where Word noted them, sections elsewhere; nothing that a reader sees is lost silently."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final

from ingest.document import Notice, Unit
from ingest.errors import DamagedDocument, EmptyDocument
from ingest.formats import RawPage
from ingest.formats.numbering import read_numbering
from ingest.formats.ooxml import DAMAGED, Package
from ingest.formats.sections import sections
from ingest.formats.unread import pictures_not_read
from ingest.formats.wordprocessing import BREAK, Note, WordEvents, visible

_MAIN: Final = "word/document.xml"
_PROPERTIES: Final = "docProps/core.xml"
_MAX_BY_HAND: Final = 6_000
"""Characters up to which a part between page breaks made by hand can be one page."""
_NO_BODY: Final = ("#", "[header: ", "[footer: ")
# Parts that hold text which is not read, and what the user is told of them.
_NOT_READ: Final = (
    ("word/charts/", "charts_not_read", "The document holds charts; the text inside them is not read."),
    ("word/diagrams/", "diagrams_not_read", "The document holds SmartArt; the text inside it is not read."),
    ("word/embeddings/", "embedded_files_not_read", "The document holds embedded files, which are not read."),
    ("word/afchunk", "embedded_files_not_read", "The document merges in other files, which are not read."),
)


@dataclass(slots=True)
class WordReading:
    """A Word document, read whole: its XML as a stream, its text in memory."""

    media_type: str
    unit: Unit
    title: str | None
    texts: list[str]
    total: int
    notices: list[Notice] = field(default_factory=list)

    def pages(self) -> Iterator[RawPage]:
        """Yield the pages or sections in order."""
        for number, text in enumerate(self.texts, start=1):
            yield RawPage(number, text)

    def close(self) -> None:
        """Nothing stays open between pages."""


def open_document(path: Path, media_type: str) -> WordReading:
    """Open and read a DOCX.

    Raises:
        DamagedDocument: it can't be unpacked, its XML is broken, or it declares a document type.
        EncryptedDocument: it needs a password.
        TooLarge: a part unpacks beyond the limits.
        EmptyDocument: it holds no text.
    """
    package = Package(path)
    try:
        return _read(package, media_type)
    finally:
        package.close()


def _read(package: Package, media_type: str) -> WordReading:
    if _MAIN not in package.names:
        raise DamagedDocument(DAMAGED.format("its main part is missing"))
    document = _Document(package)
    unit, texts = document.texts()
    if not any(text.strip() for text in texts):
        raise EmptyDocument(_no_text(len(document.main.pictures)))
    title = _title(package) or document.main.first_heading
    return WordReading(media_type, unit, title, texts, total=len(texts), notices=document.notices())


def _no_text(pictures: int) -> str:
    if not pictures:
        return "The Word document holds no text. If it holds scanned pages, save it as PDF first."
    held = "a picture" if pictures == 1 else f"{pictures:,} pictures"
    return (
        f"The Word document holds no text, only {held}. Save it as PDF to have scanned pages recognised, "
        "or upload the pictures by themselves."
    )


class _Document:
    """The main part with its notes, headers and footers in their places."""

    def __init__(self, package: Package) -> None:
        self.package = package
        self.relations = package.relations(_MAIN)
        self.numbering = read_numbering(package, styles=self._part("styles"), lists=self._part("numbering"))
        notes = {kind: self._notes(f"{kind}s") for kind in ("footnote", "endnote", "comment")}
        self.main = self._events(_MAIN, notes)
        headers = self._headers_and_footers()
        self.pages = [
            [each for block in page for each in (block, *headers.get(block, ()))] for page in self.main.pages
        ]

    def texts(self) -> tuple[Unit, list[str]]:
        """Pages by Word's own page ends, or by breaks made by hand that leave nothing longer than a page."""
        pages = ["\n".join(visible(page)) for page in self.pages]
        by_hand = self.main.explicit_breaks and max(map(len, pages)) <= _MAX_BY_HAND
        if self.main.rendered or by_hand:
            return Unit.PAGE, pages
        blocks = (block for page in self.pages for block in [*page, BREAK])
        return Unit.SECTION, list(sections(_joined(blocks)))

    def notices(self) -> list[Notice]:
        """What the document holds beyond the text that was read."""
        told = {
            code: Notice(code, detail)
            for folder, code, detail in _NOT_READ
            if any(name.startswith(folder) for name in self.package.names)
        }
        if self.main.changed:
            detail = "The document has tracked changes: what was inserted is read, what was deleted is not."
            told["tracked_changes"] = Notice("tracked_changes", detail)
        if self.main.unreadable:
            detail = (
                f"{self.main.unreadable:,} symbols of decorative fonts are no characters and were left out."
            )
            told["symbols_left_out"] = Notice("symbols_left_out", detail)
        return [*told.values(), *pictures_not_read(len(self.main.pictures))]

    def _headers_and_footers(self) -> dict[str, list[str]]:
        """By the block that begins a section: those that stand there first. Each is given once."""
        said: dict[str, str] = {}
        for number, parts in enumerate(self.main.sections):
            for place, relation in parts:
                text = self._header_or_footer(relation)
                if any(map(str.isalpha, text)):  # a page number alone says nothing
                    said.setdefault(f"[{place}: {text}]", f"{BREAK}{number}")
        return {begin: [block for block, where in said.items() if where == begin] for begin in said.values()}

    def _header_or_footer(self, relation: str) -> str:
        part = self.relations.get(relation, ("", ""))[1]
        if part not in self.package.names:
            return ""
        return " ".join(" ".join(visible(chain(*self._events(part).pages))).split())

    def _notes(self, kind: str) -> dict[str, Note]:
        part = self._part(kind)
        return self._events(part).notes if part else {}

    def _part(self, kind: str) -> str | None:
        """The name of the one part of this kind, if the file has it."""
        names = (name for of, name in self.relations.values() if of == kind and name in self.package.names)
        return next(names, None)

    def _events(self, part: str, notes: dict[str, dict[str, Note]] | None = None) -> WordEvents:
        events = WordEvents(self.numbering, notes)
        self.package.parse(part, start=events.start, end=events.end, text=events.text)
        events.finish()
        return events


def _joined(blocks: Iterable[str]) -> Iterator[str]:
    """Blocks as lines. A section that would hold headings alone goes on with the next."""
    says_something = False
    for block in blocks:
        if not block.startswith(BREAK):
            says_something = says_something or not block.startswith(_NO_BODY)
            yield block + "\n"
        elif says_something:
            says_something = False
            yield BREAK


def _title(package: Package) -> str | None:
    """The title among the file's properties."""
    inside, pieces = False, list[str]()

    def start(tag: str, _: dict[str, str]) -> None:
        nonlocal inside
        inside = tag == "title"

    def end(_: str) -> None:
        nonlocal inside
        inside = False

    if _PROPERTIES in package.names:
        package.parse(
            _PROPERTIES, start=start, end=end, text=lambda text: pieces.append(text) if inside else None
        )
    return "".join(pieces).strip() or None
