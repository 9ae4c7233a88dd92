"""Jupyter notebooks: their cells in order, code and what it printed in fences, sections at headings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ingest.document import Notice, Unit
from ingest.errors import DamagedDocument, EmptyDocument, TooLarge
from ingest.formats.archive import Pages, unlabelled
from ingest.formats.sections import sections

MAX_BYTES: Final = 128 * 1024 * 1024
"""A notebook is parsed whole; its pictures are most of it."""

_SECTION_LEVELS: Final = 2
_HEADING: Final = re.compile(r"\s{0,3}(#{1,6})[ \t]+(.*)")
_TERMINAL: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
"""Colours and other commands to a terminal (ECMA-48, section 5.4; OSC strings)."""
_INLINE_PICTURE: Final = re.compile(r"data:image/[\w.+-]+;base64,[A-Za-z0-9+/=\s]{200,}")
_TEXTS: Final = ("text/plain", "text/markdown", "text/latex", "text", "latex")
"""What an output can say in words, the best first; the names without a slash are those of version 3."""
_PICTURES: Final = ("image/", "png", "jpeg", "svg", "application/pdf")


def open_document(path: Path, media_type: str) -> Pages:
    """Open a notebook of format 3 or 4.

    Raises:
        DamagedDocument: it is no JSON, or no notebook.
        EmptyDocument: no cell says anything.
        TooLarge: over `MAX_BYTES`.
    """
    notebook = _Notebook(_parsed(path))
    texts = list(sections(notebook.pieces()))
    if not texts:
        raise EmptyDocument(
            "No cell of the notebook says anything. Check that it was saved and upload it again."
        )
    return Pages(media_type, Unit.SECTION, notebook.title(), unlabelled(texts), notebook.notices())


def _parsed(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MAX_BYTES:
        raise TooLarge(
            f"The notebook is over {MAX_BYTES // 2**20} MB. Clear its outputs and upload it again."
        )
    try:
        parsed = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DamagedDocument(_damaged("its JSON can't be read")) from error
    if not isinstance(parsed, dict) or not any(
        isinstance(parsed.get(at), list) for at in ("cells", "worksheets")
    ):
        raise DamagedDocument(_damaged("it has no list of cells"))
    return parsed


def _damaged(why: str) -> str:
    return f"The notebook is damaged ({why}). Open it in Jupyter, save it anew and upload that file."


@dataclass(slots=True)
class _Notebook:
    """A parsed notebook of whatever shape.

    Attributes:
        heading: the first one met.
        pictures, others: outputs left out that show what no text says.
        language: what its code is written in; "" where it doesn't say.
    """

    content: dict[str, Any]
    heading: str | None = None
    pictures: int = 0
    others: int = 0
    language: str = field(init=False)

    def __post_init__(self) -> None:
        metadata = _mapping(self.content.get("metadata"))
        info, kernel = _mapping(metadata.get("language_info")), _mapping(metadata.get("kernelspec"))
        self.language = _text(info.get("name")) or _text(kernel.get("language"))

    def title(self) -> str | None:
        """Its own, else the first heading; known once all pieces were taken."""
        metadata = _mapping(self.content.get("metadata"))
        return _text(metadata.get("title")).strip() or self.heading

    def notices(self) -> list[Notice]:
        """What was left out; known once all pieces were taken."""
        said = [(self.pictures, "picture"), (self.others, "interactive output")]
        parts = [f"{count:,} {noun}{'s' if count > 1 else ''}" for count, noun in said if count]
        if not parts:
            return []
        detail = f"Of the outputs {' and '.join(parts)} can't be read as text and were left out."
        return [Notice("outputs_left_out", detail)]

    def pieces(self) -> Iterator[str]:
        """Yield the cells' texts, with a form feed where a section starts."""
        says_something = False
        for cell in self._cells():
            text = "\n\n".join(filter(None, (part.strip("\n") for part in self._parts(cell))))
            if not text.strip():
                continue
            level = self._heading_level(cell, text)
            if says_something and 0 < level <= _SECTION_LEVELS:
                yield "\f"
                says_something = False
            says_something = says_something or not level or "\n" in text.strip()
            yield text.replace("\f", "\n") + "\n\n"

    def _cells(self) -> Iterator[dict[str, Any]]:
        """Yield the cells; in version 3 they are in worksheets."""
        sheets = self.content.get("worksheets")
        for sheet in [self.content, *(sheets if isinstance(sheets, list) else ())]:
            cells = _mapping(sheet).get("cells")
            yield from filter(None, map(_mapping, cells if isinstance(cells, list) else ()))

    def _heading_level(self, cell: dict[str, Any], text: str) -> int:
        """The level of the heading that the cell begins with; 0 for none."""
        if cell.get("cell_type") not in ("markdown", "heading"):
            return 0
        if (found := _HEADING.search(text)) is None:
            return 0
        self.heading = self.heading or found[2].rstrip(" \t#").strip() or None
        return len(found[1]) if not text[: found.start()].strip() else 0

    def _parts(self, cell: dict[str, Any]) -> Iterator[str]:
        """Yield what the cell says and what came out of it."""
        source = _text(cell.get("source", cell.get("input")))
        if cell.get("cell_type") == "code":
            yield _fenced(source, _text(cell.get("language")) or self.language)
            outputs = cell.get("outputs")
            for output in outputs if isinstance(outputs, list) else ():
                yield _fenced(self._output(_mapping(output)), "")
        elif cell.get("cell_type") == "heading":
            level = cell.get("level")
            yield "#" * (level if isinstance(level, int) and 1 <= level <= 6 else 1) + " " + source.strip()  # noqa: PLR2004 - of HTML
        else:
            source, pictures = _INLINE_PICTURE.subn("", source)
            self.pictures += pictures
            yield source

    def _output(self, output: dict[str, Any]) -> str:
        """Return what an output says in words, and count what it shows."""
        kind = output.get("output_type")
        if kind == "stream":
            return _as_shown(_text(output.get("text")))
        if kind in {"error", "pyerr"}:
            trace = output.get("traceback")
            lines = [_text(line) for line in trace] if isinstance(trace, list) else []
            return _as_shown(
                "\n".join(lines or [f"{_text(output.get('ename'))}: {_text(output.get('evalue'))}"])
            )
        data = _mapping(output.get("data", output))
        is_picture = any(name.startswith(_PICTURES) for name in data)
        said = next(filter(None, (_text(data.get(name)) for name in _TEXTS)), "")
        self.pictures += is_picture
        self.others += not is_picture and not said and bool(data)
        return _as_shown(said)


def _fenced(text: str, language: str) -> str:
    """Return the text between lines of backticks, more of them than it holds itself; "" for blanks."""
    text = text.strip("\n")
    if not text.strip():
        return ""
    ticks = "`" * max([2, *map(len, re.findall(r"`{3,}", text))])
    return f"{ticks}`{language}\n{text}\n{ticks}`"


def _as_shown(text: str) -> str:
    """Return the text as a terminal leaves it: without commands, and of an overwritten line only its end."""
    lines = _TERMINAL.sub("", text).replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)


def _text(value: object) -> str:
    """Return a notebook's string, which may be a list of its lines."""
    if isinstance(value, list):
        return "".join(line for line in value if isinstance(line, str))
    return value if isinstance(value, str) else ""


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
