"""EPUB: the chapters in the order of the spine, cut into sections that are labelled with their chapter."""

from __future__ import annotations

import codecs
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from ingest.document import Heading, Notice, Unit
from ingest.errors import DamagedDocument, EmptyDocument, EncryptedDocument
from ingest.formats.archive import Archive, Pages, on_one_line
from ingest.formats.codecnames import is_text
from ingest.formats.hypertext import read_hypertext
from ingest.formats.sections import sections

_CONTAINER: Final = "META-INF/container.xml"
_ENCRYPTION: Final = "META-INF/encryption.xml"
_MAX_CHAPTER: Final = 32 * 1024 * 1024
_READABLE: Final = {"application/xhtml+xml", "text/html", "application/x-dtbook+xml"}
# Fonts may be obfuscated without any lock (EPUB 3.3, 4.4).
_OBFUSCATED: Final = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
_DECLARED: Final = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_EMPTY_TAG: Final = re.compile(
    r"<(script|style|title|textarea|iframe|noscript|a|span|div|p)(\s[^<>]*)?/>", re.IGNORECASE
)
_HEADING: Final = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_CDATA: Final = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
_BROKEN: Final = (
    "The book is damaged ({}). Convert it anew, with Calibre for example, and upload the new file."
)


def open_document(path: Path, media_type: str) -> Pages:
    """Open and read an EPUB.

    Raises:
        DamagedDocument: it can't be unpacked, or its list of chapters is missing or broken.
        EncryptedDocument: its chapters are locked.
        TooLarge: it unpacks beyond the limits.
        EmptyDocument: no chapter shows text.
    """
    archive = Archive(path, program="the program that made it")
    try:
        _refuse_locked(archive)
        book = _book(archive)
        texts = [page for chapter in book.chapters() for page in _read(archive, chapter, book.name)]
        missing = [chapter for chapter in book.chapters() if chapter not in archive.names]
    finally:
        archive.close()
    if not texts:
        raise EmptyDocument(
            "The book shows no text. If its pages are pictures, save it as PDF and upload that."
        )
    return Pages(media_type, Unit.SECTION, book.name or None, texts, _told(missing), _outline(texts))


def _outline(texts: Sequence[tuple[str | None, str]]) -> tuple[Heading, ...]:
    """Return the chapters that have a name, each with its first section."""
    before = [None, *(label for label, _ in texts)]
    return tuple(
        Heading(label, 1, number)
        for number, (label, _) in enumerate(texts, start=1)
        if label and label != before[number - 1]
    )


def _told(missing: list[str]) -> list[Notice]:
    if not missing:
        return []
    detail = f"{len(missing):,} of the book's chapters are missing from the file."
    return [Notice("chapters_missing", detail)]


def _refuse_locked(archive: Archive) -> None:
    """Fonts may be hidden; chapters that are encrypted mean a book that only its shop's reader opens."""
    methods: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        if tag == "EncryptionMethod":
            methods.append(attributes.get("Algorithm", ""))

    if _ENCRYPTION in archive.names:
        archive.parse(_ENCRYPTION, start=start)
    if any(method not in _OBFUSCATED for method in methods):
        raise EncryptedDocument(
            "The book is locked (DRM): only its shop's reader opens it. Upload a copy without the lock."
        )


@dataclass(slots=True)
class _Book:
    """What the package document lists (EPUB 3.3, 5).

    Attributes:
        items: id → the part's name, its media type and its properties.
        spine: ids in reading order.
        title: the pieces of the main title.
    """

    folder: str
    items: dict[str, tuple[str, str, set[str]]] = field(default_factory=dict)
    spine: list[str] = field(default_factory=list)
    title: list[str] = field(default_factory=list)
    in_title: bool = False

    @property
    def name(self) -> str:
        """The main title on one line."""
        return on_one_line("".join(self.title))

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Begin an element."""
        if tag == "item":
            link = unquote(attributes.get("href", "").partition("#")[0])
            name = posixpath.normpath(posixpath.join(self.folder, link)).lstrip("/")
            properties = set(attributes.get("properties", "").split())
            self.items[attributes.get("id", "")] = (name, attributes.get("media-type", ""), properties)
        elif tag == "itemref":
            self.spine.append(attributes.get("idref", ""))
        elif tag == "title" and not self.title:
            self.in_title = True

    def end(self, _: str) -> None:
        """End an element."""
        self.in_title = False

    def text(self, text: str) -> None:
        """Take characters."""
        if self.in_title:
            self.title.append(text)

    def chapters(self) -> list[str]:
        """Return the parts to read, in order, without the table of contents."""
        listed = (self.items[idref] for idref in self.spine if idref in self.items)
        names = (name for name, kind, properties in listed if kind in _READABLE and "nav" not in properties)
        return list(dict.fromkeys(names))


def _book(archive: Archive) -> _Book:
    packages: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        if tag == "rootfile":
            packages.append(attributes.get("full-path", "").lstrip("/"))

    if _CONTAINER in archive.names:
        archive.parse(_CONTAINER, start=start)
    package = next((name for name in packages if name in archive.names), None)
    if package is None:
        raise DamagedDocument(_BROKEN.format("its package document is missing"))
    book = _Book(posixpath.dirname(package))
    archive.parse(package, start=book.start, end=book.end, text=book.text)
    if not book.chapters():
        raise DamagedDocument(_BROKEN.format("it lists no chapters"))
    return book


def _read(archive: Archive, chapter: str, book_title: str) -> Iterator[tuple[str | None, str]]:
    """Yield the chapter's sections; a title that no heading says stands above the first."""
    if chapter not in archive.names:
        return
    page = read_hypertext(_markup(archive.read(chapter, limit=_MAX_CHAPTER)))
    heading = _HEADING.search(page.text)
    label = heading[1] if heading else page.title
    text = page.text.replace("\f", "")
    if heading is None and label and label != book_title and text.strip():
        text = f"# {label}\n\n{text}"
    yield from ((label, section) for section in sections([text]))


def _markup(data: bytes) -> str:
    """Return the chapter as HTML: what XML alone may say, empty elements and CDATA, is spelled out."""
    for mark, name in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if data.startswith(mark):
            return _as_html(data[2:].decode(name, "replace"))
    declared = _DECLARED.match(data.removeprefix(codecs.BOM_UTF8).lstrip()[:300])
    name = declared[1].decode("ascii") if declared else "utf-8"
    name = name if is_text(name) else "utf-8"
    return _as_html(data.decode(name, "replace").removeprefix("\ufeff"))


def _as_html(markup: str) -> str:
    markup = _EMPTY_TAG.sub(r"<\1\2></\1>", markup)
    return _CDATA.sub(lambda match: match[1].replace("<", "&lt;"), markup)
