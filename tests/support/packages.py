"""Files that are ZIPs of XML for the tests: written by hand, so that every part of them is known."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

_TYPES: Final = {"[Content_Types].xml": "<Types/>"}
_KINDS: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_A: Final = "http://schemas.openxmlformats.org/drawingml/2006/main"
_P: Final = "http://schemas.openxmlformats.org/presentationml/2006/main"
_S: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_ODF: Final = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{kind}:1.0"'
    for name, kind in (
        ("office", "office"),
        ("text", "text"),
        ("table", "table"),
        ("draw", "drawing"),
        ("style", "style"),
        ("presentation", "presentation"),
        ("svg", "svg-compatible"),
        ("fo", "xsl-fo-compatible"),
    )
)


def zipped(path: Path, parts: Mapping[str, str | bytes]) -> Path:
    """A ZIP of these parts, in this order."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


def with_part(path: Path, name: str, data: str) -> Path:
    """The same ZIP with one more part."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, data)
    return path


def relations(targets: Mapping[str, tuple[str, str]]) -> str:
    """A part of relations: id → kind and target."""
    rows = (
        f'<Relationship Id="{name}" Type="{_KINDS}/{kind}" Target="{target}"/>'
        for name, (kind, target) in targets.items()
    )
    return f"<Relationships>{''.join(rows)}</Relationships>"


# Slides ---------------------------------------------------------------------------------------------------


def deck(path: Path, slides: Sequence[str], parts: Mapping[str, str] | None = None) -> Path:
    """A PPTX with these slides, each the inside of its `p:sld`, the last first in the ZIP."""
    listed = "".join(
        f'<p:sldId r:id="r{number}" id="{255 + number}"/>' for number in range(1, len(slides) + 1)
    )
    names = f'xmlns:p="{_P}" xmlns:r="{_KINDS}"'
    main = f"<p:presentation {names}><p:sldIdLst>{listed}</p:sldIdLst></p:presentation>"
    made = {
        f"ppt/slides/slide{number}.xml": slide if slide.startswith("<p:sld ") else a_slide(slide)
        for number, slide in reversed(list(enumerate(slides, start=1)))
    }
    targets = {f"r{number}": ("slide", f"slides/slide{number}.xml") for number in range(1, len(slides) + 1)}
    rels = {"ppt/_rels/presentation.xml.rels": relations(targets)}
    return zipped(path, {**_TYPES, "ppt/presentation.xml": main, **rels, **made, **(parts or {})})


def a_slide(inside: str, attributes: str = "") -> str:
    """A slide's part."""
    names = f'xmlns:p="{_P}" xmlns:a="{_A}" xmlns:r="{_KINDS}"'
    return f"<p:sld {names} {attributes}><p:cSld><p:spTree>{inside}</p:spTree></p:cSld></p:sld>"


def shape(*paragraphs: str, kind: str = "") -> str:
    """A shape with these paragraphs, in a placeholder of this kind."""
    holder = f'<p:nvPr><p:ph type="{kind}"/></p:nvPr>' if kind else ""
    made = "".join(
        text if text.startswith("<a:p>") else f"<a:p><a:r><a:t>{text}</a:t></a:r></a:p>"
        for text in paragraphs
    )
    return f"<p:sp><p:nvSpPr>{holder}</p:nvSpPr><p:txBody>{made}</p:txBody></p:sp>"


# Sheets ---------------------------------------------------------------------------------------------------


def workbook(
    path: Path,
    sheets: Mapping[str, str],
    *,
    formats: Sequence[str] = (),
    texts: Sequence[str] = (),
    hidden: Sequence[str] = (),
    parts: Mapping[str, str] | None = None,
) -> Path:
    """An XLSX: each sheet's rows by its name; cell style 1 shows numbers by the first format, and so on."""
    listed = "".join(
        f'<sheet name="{name}" sheetId="{number}" r:id="s{number}" '
        f'state="{"hidden" if name in hidden else "visible"}"/>'
        for number, name in enumerate(sheets, start=1)
    )
    targets = {f"s{number}": ("worksheet", f"s{number}.xml") for number in range(1, len(sheets) + 1)}
    targets |= {"t": ("sharedStrings", "texts.xml"), "f": ("styles", "styles.xml")}
    codes = "".join(
        f'<numFmt numFmtId="{200 + number}" formatCode="{code}"/>' for number, code in enumerate(formats)
    )
    styles = "".join(f'<xf numFmtId="{200 + number}"/>' for number in range(len(formats)))
    made = {
        f"xl/s{number}.xml": f'<worksheet xmlns="{_S}"><sheetData>{rows}</sheetData></worksheet>'
        for number, rows in enumerate(sheets.values(), start=1)
    }
    shared = "".join(f"<si>{text if text.startswith('<') else f'<t>{text}</t>'}</si>" for text in texts)
    return zipped(
        path,
        {
            **_TYPES,
            "xl/workbook.xml": f'<workbook xmlns="{_S}" xmlns:r="{_KINDS}">'
            f"<sheets>{listed}</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": relations(targets),
            "xl/texts.xml": f'<sst xmlns="{_S}">{shared}</sst>',
            "xl/styles.xml": f'<styleSheet xmlns="{_S}"><numFmts>{codes}</numFmts>'
            f'<cellXfs><xf numFmtId="0"/>{styles}</cellXfs></styleSheet>',
            **made,
            **(parts or {}),
        },
    )


def row(number: int, **cells: str) -> str:
    """A row of cells by their columns: a number, or an element's inside with its attributes before a `>`."""
    made = (
        f'<c r="{column}{number}" {text}</c>' if ">" in text else f'<c r="{column}{number}"><v>{text}</v></c>'
        for column, text in cells.items()
    )
    return f'<row r="{number}">{"".join(made)}</row>'


# OpenDocument and EPUB ------------------------------------------------------------------------------------


def open_document(
    path: Path, media_type: str, body: str, *, styles: str = "", parts: Mapping[str, str] | None = None
) -> Path:
    """An OpenDocument file with this inside of its body's one element."""
    kind = media_type.rpartition(".")[2]
    content = (
        f"<office:document-content {_ODF}><office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document-content>"
    )
    return zipped(path, {"mimetype": media_type, "content.xml": content, **(parts or {})})


def page_styles(inside: str) -> str:
    """A part of styles that has this master page."""
    return (
        f"<office:document-styles {_ODF}><office:master-styles><style:master-page>{inside}"
        "</style:master-page></office:master-styles></office:document-styles>"
    )


def book(
    path: Path, chapters: Mapping[str, str | bytes], *, more: str = "", spine: Sequence[str] = ()
) -> Path:
    """An EPUB with these chapters, by name in reading order; `more` are items, `spine` ids after them."""
    items = "".join(
        f'<item id="c{number}" href="{name}" media-type="application/xhtml+xml"'
        f' properties="{"nav" if name == "nav.xhtml" else ""}"/>'
        for number, name in enumerate(chapters)
    )
    order = [*(f"c{number}" for number in range(len(chapters))), *spine]
    listed = "".join(f'<itemref idref="{name}"/>' for name in order)
    package = (
        f'<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<metadata><dc:title>A Book</dc:title></metadata>"
        f"<manifest>{items}{more}</manifest><spine>{listed}</spine></package>"
    )
    container = '<container><rootfiles><rootfile full-path="in/book.opf"/></rootfiles></container>'
    made = {f"in/{name}".replace("%20", " "): data for name, data in chapters.items()}
    fixed = {"mimetype": "application/epub+zip", "META-INF/container.xml": container, "in/book.opf": package}
    return zipped(path, {**fixed, **made})
