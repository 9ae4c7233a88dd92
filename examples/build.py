"""Builds the demonstration corpus: renders each text under source/ into the one format its header names.

Run `python examples/build.py`; it rewrites examples/apollo/. The same libraries give the same bytes.

A source is a small subset of Markdown. A header between two `---` lines names title, subtitle, format and,
for a PDF, the layout. Blocks follow, parted by blank lines: `##` and `###` headings, paragraphs of one line
with `**bold**` words, `- ` and `1. ` lists, tables with a head, and `<!-- page break -->`, for DOCX only.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

import docx
import reportlab.platypus as rl
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor
from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_JUSTIFY
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.platypus.tableofcontents import TableOfContents

Foreign = Any
"""An object of python-docx or reportlab, which ship no types."""

HERE = Path(__file__).parent
SOURCE = HERE / "source"
TARGET = HERE / "apollo"

AUTHOR = "Unabridged examples"
STAMP = datetime(2025, 1, 1, tzinfo=UTC)
"""Every date inside a built file, so that no run differs from the last."""

INK, ACCENT, RULE, BAND = "#1b2a49", "#b5532b", "#c9d0dc", "#eef1f6"
BREAK = "<!-- page break -->"
APOSTROPHE = "\N{RIGHT SINGLE QUOTATION MARK}"
FRONT_PAGES = 2
"""Title page and contents of a report, numbered i and ii."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A section title; level 2 or 3, since level 1 is the document's own."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Prose:
    """One paragraph; `**` may mark bold words."""

    text: str


@dataclass(frozen=True, slots=True)
class Items:
    """A list, numbered or not."""

    numbered: bool
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table; every row has as many cells as the head."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class NewPage:
    """An explicit page break."""


Block = Heading | Prose | Items | Grid | NewPage


@dataclass(frozen=True, slots=True)
class Document:
    """One source, parsed.

    Attributes:
        name: file name without suffix.
        format: `pdf`, `docx`, `html` or `md`; also the built file's suffix.
        layout: `plain`, `columns` or `report`; only a PDF looks at it.
    """

    name: str
    title: str
    subtitle: str
    format: str
    layout: str
    blocks: tuple[Block, ...]


def main() -> None:
    """Rewrite examples/apollo/ and say what was written."""
    for path in build(TARGET):
        print(f"{path.stat().st_size:>8,} bytes  {path.name}")


def build(target: Path) -> list[Path]:
    """Render every source into `target` and return the written files, sorted by name."""
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for source in sorted(SOURCE.glob("*.md")):
        document = parse(source.stem, source.read_text(encoding="utf-8"))
        path = target / f"{document.name}.{document.format}"
        path.write_bytes(RENDERERS[document.format](document))
        written.append(path)
    return written


# Reading a source


def parse(name: str, text: str) -> Document:
    """Parse a source; straight apostrophes become typographic ones.

    Raises:
        ValueError: the header is missing or lacks a field.
    """
    _, header, body = text.replace("'", APOSTROPHE).split("---\n", 2)
    fields = dict(line.split(": ", 1) for line in header.splitlines())
    missing = {"title", "subtitle", "format"} - fields.keys()
    if missing:
        raise ValueError(f"{name}: the header lacks {', '.join(sorted(missing))}.")
    blocks = tuple(_block(chunk) for chunk in re.split(r"\n{2,}", body.strip()))
    layout = fields.get("layout", "plain")
    return Document(name, fields["title"], fields["subtitle"], fields["format"], layout, blocks)


def _block(chunk: str) -> Block:
    if chunk == BREAK:
        return NewPage()
    if chunk.startswith("#"):
        marks, text = chunk.split(" ", 1)
        return Heading(len(marks), text)
    lines = chunk.splitlines()
    if chunk.startswith("|"):
        head, _, *rows = (_cells(line) for line in lines)
        return Grid(head, tuple(rows))
    if re.match(r"- |\d+\. ", chunk):
        return Items(chunk[0] != "-", tuple(line.split(" ", 1)[1] for line in lines))
    return Prose(" ".join(lines))


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.strip("|").split("|"))


def _runs(text: str) -> Iterator[tuple[str, bool]]:
    """Yield pieces of `text`, each with whether it is bold."""
    for index, piece in enumerate(text.split("**")):
        if piece:
            yield piece, index % 2 == 1


def _markup(text: str) -> str:
    """Return `text` as the inline markup that HTML and reportlab share."""
    return "".join(f"<b>{escape(t)}</b>" if bold else escape(t) for t, bold in _runs(text))


# Markdown


def markdown(document: Document) -> bytes:
    """Return the document as a Markdown file."""
    blocks = [_markdown(block) for block in document.blocks if not isinstance(block, NewPage)]
    return ("\n\n".join([f"# {document.title}", f"*{document.subtitle}*", *blocks]) + "\n").encode()


def _markdown(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * level} {text}"
        case Items(numbered, texts):
            return "\n".join(
                f"{f'{n}.' if numbered else '-'} {text}" for n, text in enumerate(texts, start=1)
            )
        case Grid(head, rows):
            lines = [head, ("---",) * len(head), *rows]
            return "\n".join(f"| {' | '.join(line)} |" for line in lines)
        case Prose(text):
            return text
        case NewPage():
            return ""


# HTML


def html(document: Document) -> bytes:
    """Return the document as one self-contained HTML page."""
    body = "\n".join(_html(block) for block in document.blocks if not isinstance(block, NewPage))
    title, subtitle = escape(document.title), escape(document.subtitle)
    css = (SOURCE / "page.css").read_text(encoding="utf-8")
    head = f'<meta charset="utf-8">\n<title>{title}: {subtitle}</title>\n<style>\n{css}</style>'
    top = f"<header>\n<h1>{title}</h1>\n<p>{subtitle}</p>\n</header>"
    page = f"<head>\n{head}\n</head>\n<body>\n{top}\n<main>\n{body}\n</main>\n</body>"
    return f'<!doctype html>\n<html lang="en">\n{page}\n</html>\n'.encode()


def _html(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"<h{level}>{_markup(text)}</h{level}>"
        case Items(numbered, texts):
            tag = "ol" if numbered else "ul"
            return f"<{tag}>\n" + "\n".join(f"<li>{_markup(text)}</li>" for text in texts) + f"\n</{tag}>"
        case Grid(head, rows):
            body = "\n".join(_html_row("td", row) for row in rows)
            return f"<table>\n<thead>{_html_row('th', head)}</thead>\n<tbody>\n{body}\n</tbody>\n</table>"
        case Prose(text):
            return f"<p>{_markup(text)}</p>"
        case NewPage():
            return ""


def _html_row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{_markup(cell)}</{tag}>' for cell in cells)}</tr>"


# DOCX


def word(document: Document) -> bytes:
    """Return the document as a Word file with headings, tables, page numbers and explicit page breaks."""
    file = docx.Document()
    _word_styles(file)
    _word_sheet(file.sections[0])
    _word_properties(file, document)
    file.add_paragraph(document.title, style="Title")
    file.add_paragraph(document.subtitle, style="Subtitle")
    for block in document.blocks:
        _word(file, block)
    _word_footer(file, document)
    buffer = io.BytesIO()
    file.save(buffer)
    return _fixed_zip(buffer.getvalue())


def _word(file: Foreign, block: Block) -> None:
    match block:
        case Heading(level, text):
            file.add_heading(text, level - 1)
        case Items(numbered, texts):
            for text in texts:
                _word_runs(file.add_paragraph(style="List Number" if numbered else "List Bullet"), text)
        case Grid():
            _word_table(file, block)
        case Prose(text):
            _word_runs(file.add_paragraph(), text)
        case NewPage():
            file.add_page_break()


def _word_runs(paragraph: Foreign, text: str) -> None:
    for piece, bold in _runs(text):
        paragraph.add_run(piece).bold = bold or None


def _word_table(file: Foreign, grid: Grid) -> None:
    table = file.add_table(rows=0, cols=len(grid.head), style="Light List Accent 1")
    table.alignment = WD_TABLE_ALIGNMENT.CENTER
    for row in (grid.head, *grid.rows):
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.paragraphs[0].paragraph_format.space_after = Pt(2)
            _word_runs(cell.paragraphs[0], text)
    file.add_paragraph().paragraph_format.space_after = Pt(0)


def _word_styles(file: Foreign) -> None:
    for name, size, color in (
        ("Title", 26, INK),
        ("Subtitle", 13, ACCENT),
        ("Heading 1", 15, INK),
        ("Heading 2", 12, INK),
    ):
        font = file.styles[name].font
        font.size, font.color.rgb = Pt(size), RGBColor.from_string(color[1:].upper())
    normal = file.styles["Normal"]
    normal.font.name, normal.font.size = "Georgia", Pt(10.5)
    normal.paragraph_format.space_after, normal.paragraph_format.line_spacing = Pt(7), 1.15


def _word_sheet(section: Foreign) -> None:
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin = section.right_margin = Mm(24)
    section.top_margin = section.bottom_margin = Mm(22)


def _word_properties(file: Foreign, document: Document) -> None:
    properties = file.core_properties
    properties.title, properties.subject = document.title, document.subtitle
    properties.author = properties.last_modified_by = AUTHOR
    properties.comments, properties.revision = "", 1
    properties.created = properties.modified = STAMP


def _word_footer(file: Foreign, document: Document) -> None:
    paragraph = file.sections[0].footer.paragraphs[0]
    paragraph.add_run(f"{document.title} · page ")
    field = OxmlElement("w:fldSimple")
    field.set(qn("w:instr"), "PAGE")
    paragraph._p.append(field)  # noqa: SLF001 - python-docx has no call for fields


def _fixed_zip(data: bytes) -> bytes:
    """Return the ZIP archive `data` with the same members, but one fixed date and system for all."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            member = zipfile.ZipInfo(name, STAMP.timetuple()[:6])
            member.compress_type, member.create_system = zipfile.ZIP_DEFLATED, 3
            new.writestr(member, old.read(name))
    return buffer.getvalue()


# PDF

WIDTH, HEIGHT = A4
MARGIN, FOOT, GUTTER = 24 * mm, 22 * mm, 8 * mm
INNER = WIDTH - 2 * MARGIN
COLUMN = (INNER - GUTTER) / 2
BANNER = 32 * mm
"""Height of the title above the two columns of a first page."""

_HEAD_FONT, _TEXT_FONT = "Helvetica-Bold", "Times-Roman"
_TEXT = ParagraphStyle(
    "text", fontName=_TEXT_FONT, fontSize=11, leading=15.5, spaceAfter=7, alignment=TA_JUSTIFY, allowOrphans=0
)
_CELL = ParagraphStyle("cell", fontName=_TEXT_FONT, fontSize=9.5, leading=12)
_CELL_HEAD = ParagraphStyle("cell head", fontName=_HEAD_FONT, fontSize=9, leading=12, textColor="white")
_ITEM = ParagraphStyle("item", parent=_TEXT, leftIndent=15, bulletIndent=3, spaceAfter=3, alignment=0)
_TITLE = ParagraphStyle("title", fontName=_HEAD_FONT, fontSize=28, leading=33, textColor=INK)
_SUBTITLE = ParagraphStyle("subtitle", fontName="Times-Italic", fontSize=14, leading=19, textColor=ACCENT)
_HEADING = ParagraphStyle("heading", fontName=_HEAD_FONT, textColor=INK, spaceAfter=4, keepWithNext=1)
_HEADINGS = {
    2: ParagraphStyle("h2", parent=_HEADING, fontSize=13, leading=17, spaceBefore=10),
    3: ParagraphStyle("h3", parent=_HEADING, fontSize=10.5, leading=14, spaceBefore=6, textColor=ACCENT),
}
_CONTENTS = ParagraphStyle("contents", fontName=_TEXT_FONT, fontSize=11.5, leading=21)
_GRID_STYLE = [
    ("BACKGROUND", (0, 0), (-1, 0), HexColor(INK)),
    ("ROWBACKGROUNDS", (0, 1), (-1, -1), [HexColor("#ffffff"), HexColor(BAND)]),
    ("LINEBELOW", (0, 0), (-1, -1), 0.4, HexColor(RULE)),
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("TOPPADDING", (0, 0), (-1, -1), 2.5),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 3.5),
]


def pdf(document: Document) -> bytes:
    """Return the document as a PDF with an outline; a `report` also gets the page labels i, ii, 1, 2."""
    buffer = io.BytesIO()
    title = f"{document.title}: {document.subtitle}"
    template = rl.BaseDocTemplate(buffer, pagesize=A4, title=title, author=AUTHOR, lang="en", invariant=1)
    template.afterFlowable = lambda flowable: _note_heading(template, flowable, document)
    template.addPageTemplates(_page_templates(document))
    width = COLUMN if document.layout == "columns" else INNER
    body = [flowable for block in document.blocks for flowable in _flowables(block, width)]
    template.multiBuild([*_opening(document), *body])
    return buffer.getvalue()


def _opening(document: Document) -> list[Foreign]:
    title, subtitle = rl.Paragraph(document.title, _TITLE), rl.Paragraph(document.subtitle, _SUBTITLE)
    rule = rl.HRFlowable(width="100%", thickness=2, color=HexColor(ACCENT), spaceBefore=8, spaceAfter=12)
    if document.layout == "report":
        contents = TableOfContents(levelStyles=[_CONTENTS], dotsMinLevel=0)
        front = [rl.Spacer(1, 75 * mm), title, rl.Spacer(1, 3 * mm), subtitle, rule, rl.PageBreak()]
        return [*front, rl.Paragraph("Contents", _TITLE), rl.Spacer(1, 8 * mm), contents, rl.PageBreak()]
    if document.layout == "columns":
        return [rl.NextPageTemplate("later"), title, subtitle, rule, rl.FrameBreak()]
    return [title, subtitle, rule]


def _page_templates(document: Document) -> list[Foreign]:
    def decorate(canvas: Foreign, template: Foreign) -> None:
        _decorate(canvas, template, document)

    if document.layout != "columns":
        return [rl.PageTemplate("all", [_frame(MARGIN, INNER, HEIGHT - FOOT - MARGIN)], onPage=decorate)]
    full = HEIGHT - FOOT - MARGIN
    banner = rl.Frame(MARGIN, FOOT + full - BANNER, INNER, BANNER, 0, 0, 0, 0)
    return [
        rl.PageTemplate("first", [banner, *_columns(full - BANNER)], onPage=decorate),
        rl.PageTemplate("later", _columns(full), onPage=decorate),
    ]


def _frame(left: float, width: float, height: float) -> Foreign:
    return rl.Frame(left, FOOT, width, height, 0, 0, 0, 0)


def _columns(height: float) -> list[Foreign]:
    return [_frame(left, COLUMN, height) for left in (MARGIN, MARGIN + COLUMN + GUTTER)]


def _decorate(canvas: Foreign, template: Foreign, document: Document) -> None:
    """Draw the footer and, on a report, set the label that viewers show for the page."""
    number = str(template.page)
    if document.layout == "report":
        front = template.page <= FRONT_PAGES
        number = "i" * template.page if front else str(template.page - FRONT_PAGES)
        style, start = ("ROMAN_LOWER", template.page) if front else ("ARABIC", int(number))
        canvas.addPageLabel(template.page - 1, style, start)
    canvas.setStrokeColor(HexColor(RULE))
    canvas.line(MARGIN, FOOT - 5 * mm, WIDTH - MARGIN, FOOT - 5 * mm)
    canvas.setFont("Helvetica", 8)
    canvas.setFillColor(HexColor(INK))
    canvas.drawString(MARGIN, FOOT - 9.5 * mm, f"{document.title} · {document.subtitle}")
    canvas.drawRightString(WIDTH - MARGIN, FOOT - 9.5 * mm, number)


def _note_heading(template: Foreign, flowable: Foreign, document: Document) -> None:
    """Put a section heading into the outline and, by its printed number, into a report's contents."""
    if getattr(flowable, "style", None) is not _HEADINGS[2]:
        return
    text = flowable.getPlainText()
    key = f"{template.page}-{text}"
    template.canv.bookmarkPage(key)
    template.canv.addOutlineEntry(text, key, 0)
    if document.layout == "report":
        template.notify("TOCEntry", (0, escape(text), template.page - FRONT_PAGES, key))


def _flowables(block: Block, width: float) -> list[Foreign]:
    match block:
        case Heading(level, text):
            return [rl.Paragraph(_markup(text), _HEADINGS[level])]
        case Items(numbered, texts):
            items = enumerate(texts, start=1)
            marked = ((f"{n}." if numbered else "•", text) for n, text in items)
            return [rl.Paragraph(_markup(text), _ITEM, bulletText=mark) for mark, text in marked]
        case Grid():
            return [_table(block, width), rl.Spacer(1, 9)]
        case Prose(text):
            return [rl.Paragraph(_markup(text), _TEXT)]
        case NewPage():
            return []


def _table(grid: Grid, width: float) -> Foreign:
    head = [rl.Paragraph(_markup(cell), _CELL_HEAD) for cell in grid.head]
    rows = [[rl.Paragraph(_markup(cell), _CELL) for cell in row] for row in grid.rows]
    return rl.Table([head, *rows], colWidths=_widths(grid, width), repeatRows=1, style=_GRID_STYLE)


def _widths(grid: Grid, width: float) -> list[float]:
    """Return column widths in points that fill `width`.

    Spare room goes to the last column. Where room is wanting, the columns above an equal share give it up.
    """
    natural = [max(_natural(cell) for cell in column) for column in zip(grid.head, *grid.rows, strict=True)]
    excess = sum(natural) - width
    if excess <= 0:
        return [*natural[:-1], natural[-1] - excess]
    share = width / len(natural)
    wide = sum(column for column in natural if column > share)
    return [column - (excess * column / wide if column > share else 0) for column in natural]


def _natural(cell: str) -> float:
    """Return the width in points of a cell's text on one line, with its padding."""
    return float(stringWidth(cell.replace("**", ""), _HEAD_FONT, _CELL.fontSize)) + 14


RENDERERS: dict[str, Callable[[Document], bytes]] = {"pdf": pdf, "docx": word, "html": html, "md": markdown}


if __name__ == "__main__":
    main()
