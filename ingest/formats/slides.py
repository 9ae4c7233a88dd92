"""PPTX: one page a slide, its title first, its tables as rows; charts, comments and notes stand after."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ingest.document import Notice, Unit
from ingest.errors import DamagedDocument, EmptyDocument
from ingest.formats.archive import Archive, Pages, on_one_line
from ingest.formats.charts import chart_lines
from ingest.formats.unread import pictures_not_read

_MAIN: Final = "ppt/presentation.xml"
_PROPERTIES: Final = "docProps/core.xml"
_MAX_MAIN: Final = 16 * 1024 * 1024
# `id` is the slide's number, an id with a prefix is its relation (ECMA-376 19.2.1.33).
_SLIDE: Final = re.compile(rb"<(?:\w+:)?sldId\b[^>]*?\s\w+:id\s*=\s*[\"']([^\"']+)[\"']")
_TITLES: Final = {"title", "ctrTitle"}
_FURNITURE: Final = {"sldNum", "dt", "ftr", "hdr", "sldImg"}
"""Placeholders that every slide repeats."""
_EMBEDDED: Final = ("oleObject", "package")
NO_TEXT: Final = (
    "The presentation holds no text. If its slides are pictures, save it as PDF and upload that file."
)


def open_document(path: Path, media_type: str) -> Pages:
    """Open and read a PPTX.

    Raises:
        DamagedDocument: it can't be unpacked, or its XML is broken.
        EncryptedDocument: it needs a password.
        TooLarge: it unpacks beyond the limits.
        EmptyDocument: no slide holds text.
    """
    archive = Archive(path, program="PowerPoint")
    try:
        deck = _Deck(archive)
        texts = [(f"slide {number}", text) for number, text in enumerate(deck.slides(), start=1)]
        title = next(iter(archive.texts_of(_PROPERTIES, "title")), "") or deck.first_title
    finally:
        archive.close()
    if not any(text.strip() for _, text in texts):
        raise EmptyDocument(NO_TEXT)
    notices = [*deck.notices.values(), *pictures_not_read(len(deck.pictures))]
    return Pages(media_type, Unit.PAGE, title, list(texts), notices)


class _Deck:
    """The slides in the order in which they are shown.

    Attributes:
        first_title: of the first slide that has one.
        notices: by their codes, what was not read.
        pictures: the parts of pictures that have no description.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self.first_title: str | None = None
        self.notices: dict[str, Notice] = {}
        self.pictures: set[str] = set()

    def slides(self) -> Iterator[str]:
        """Yield each slide's text."""
        for part in self._parts():
            relations = self._archive.relations(part)
            shapes = self._shapes(part)
            self.first_title = self.first_title or shapes.title
            self.pictures |= {relations.get(link, ("", link))[1] for link in shapes.pictures}
            extras = [line for kind, name in relations.values() for line in self._extras(kind, name)]
            hidden = ["[hidden slide]"] if shapes.hidden else []
            yield "\n".join([*hidden, *shapes.lines(), *extras])

    def _parts(self) -> Iterator[str]:
        relations = self._archive.relations(_MAIN)
        self._archive.parse(_MAIN, start=lambda _, __: None)  # it must be sound before it is searched
        for found in _SLIDE.findall(self._archive.read(_MAIN, limit=_MAX_MAIN)):
            kind, name = relations.get(found.decode("utf-8", "replace"), ("", ""))
            if name not in self._archive.names:
                raise DamagedDocument(
                    "The presentation is damaged: a slide is missing. "
                    "Open it in PowerPoint, save it under a new name and upload that file."
                )
            if kind == "slide":
                yield name

    def _extras(self, kind: str, name: str) -> Iterator[str]:
        """What belongs to the slide and stands in a part of its own."""
        if name not in self._archive.names:
            return
        if kind == "chart":
            yield from chart_lines(self._archive, name)
        elif kind == "diagramData":
            yield from self._shapes(name).lines()
        elif kind == "comments":
            yield from (f"[comment: {on_one_line(text)}]" for text in self._comments(name) if text)
        elif kind == "notesSlide":
            notes = "\n".join(self._shapes(name, only="body").lines())
            yield from [f"[notes: {notes}]"] if notes else []
        elif kind in _EMBEDDED:
            detail = "The slides hold embedded files, which are not read."
            self.notices["embedded_files_not_read"] = Notice("embedded_files_not_read", detail)

    def _comments(self, name: str) -> list[str]:
        old = self._archive.texts_of(name, "text")
        return old or self._archive.texts_of(name, "txBody")

    def _shapes(self, part: str, only: str | None = None) -> _Shapes:
        shapes = _Shapes(only)
        self._archive.parse(part, start=shapes.start, end=shapes.end, text=shapes.text)
        return shapes


@dataclass(slots=True)
class _Shape:
    """One shape's lines."""

    kind: str = ""  # of the placeholder; "" for none
    lines: list[str] = field(default_factory=list)


class _Shapes:
    """Takes the events of a slide's XML: no tree, no recursion.

    Attributes:
        hidden: the slide is left out when the presentation is shown.
        pictures: relation ids of pictures that have no description.
    """

    def __init__(self, only: str | None) -> None:
        """`only` is the kind of placeholder that is read alone."""
        self.hidden = False
        self.pictures: set[str] = set()
        self._described = False  # the shape that is open, or a picture that is a bullet
        self._only = only
        self._shapes = [_Shape()]
        self._left_out = 0
        self._pieces: list[str] = []
        self._in_text = False
        self._prefix = ""
        self._row: list[str] | None = None
        self._cell: list[str] | None = None
        self._skipped_cell = False

    @property
    def title(self) -> str | None:
        """The slide's title on one line."""
        lines = (line for shape in self._shapes if shape.kind in _TITLES for line in shape.lines)
        return on_one_line(" ".join(lines)) or None

    def lines(self) -> Iterator[str]:
        """Yield the title, then every other line in the order of the file, which is the reading order."""
        if self.title and self._only is None:
            yield f"# {self.title}"
        for shape in self._shapes:
            if (shape.kind == self._only) if self._only else (shape.kind not in _TITLES | _FURNITURE):
                yield from shape.lines

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Begin an element."""
        if self._left_out or tag == "Fallback":
            self._left_out += 1
            return
        match tag:
            case "t":
                self._in_text = True
            case "p":
                self._prefix = ""
            case "pPr":
                level = attributes.get("lvl", "0")
                self._prefix = "  " * min(int(level), 8) if level.isdecimal() and level.isascii() else ""
            case "buChar" | "buAutoNum":
                self._prefix = self._prefix.removesuffix("- ") + "- "
            case "br":
                self._pieces.append("\n")
            case "tr":
                self._row = []
            case "tc":
                self._cell = []
                self._skipped_cell = "hMerge" in attributes or "vMerge" in attributes
            case _:
                self._start_shape(tag, attributes)

    def end(self, tag: str) -> None:
        """End an element."""
        if self._left_out:
            self._left_out -= 1
        elif tag == "t":
            self._in_text = False
        elif tag == "p":
            self._end_paragraph()
        elif tag == "tc" and self._cell is not None and self._row is not None:
            self._row.append("" if self._skipped_cell else on_one_line(" ".join(self._cell)))
            self._cell = None
        elif tag == "tr" and self._row is not None:
            if any(self._row):
                self._shapes[-1].lines.append(" | ".join(self._row).rstrip(" |"))
            self._row = None

    def text(self, text: str) -> None:
        """Take characters."""
        if self._in_text and not self._left_out:
            self._pieces.append(text)

    def _start_shape(self, tag: str, attributes: dict[str, str]) -> None:
        match tag:
            case "sld":
                self.hidden = attributes.get("show") in {"0", "false"}
            case "sp" | "pic" | "graphicFrame" | "cxnSp":
                self._shapes.append(_Shape())
            case "ph":
                self._shapes[-1].kind = attributes.get("type", "obj")
            case "cNvPr":
                self._described = bool(description := on_one_line(attributes.get("descr", "")))
                self._shapes[-1].lines += [f"[image: {description}]"] if description else []
            case "buBlip":
                self._described = True
            case "blip" if not self._described:
                self.pictures |= {attributes[name] for name in ("embed", "link") if attributes.get(name)}

    def _end_paragraph(self) -> None:
        text = "".join(self._pieces).strip()
        self._pieces.clear()
        if not text:
            return
        if self._cell is not None:
            self._cell.append(text)
        else:
            self._shapes[-1].lines.append(self._prefix + text.replace("\n", "\n" + self._prefix))
