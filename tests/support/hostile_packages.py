"""Office files and books made to exhaust, loop or mislead their reader, each in one way."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.support import bombs, compound, office, packages

ODT: Final = "application/vnd.oasis.opendocument.text"
ODS: Final = "application/vnd.oasis.opendocument.spreadsheet"
ODP: Final = "application/vnd.oasis.opendocument.presentation"
SECRET: Final = "/etc/passwd"

BOMB: Final = 5 * bombs.GIGABYTE

MAIN_PARTS: Final = {
    ".docx": "word/document.xml",
    ".xlsx": "xl/s1.xml",
    ".pptx": "ppt/slides/slide1.xml",
    ".odt": "content.xml",
    ".ods": "content.xml",
    ".odp": "content.xml",
    ".epub": "in/one.xhtml",
}
"""Format → the part that holds its text."""


def ordinary(path: Path) -> Path:
    """A small document of the path's format that says `Still here`."""
    makers: dict[str, Callable[[Path], Path]] = {
        ".docx": lambda to: office.raw(to, office.paragraph("Still here")),
        ".xlsx": lambda to: packages.workbook(
            to, {"S": packages.row(1, A='t="inlineStr"><is><t>Still here</t></is>')}
        ),
        ".pptx": lambda to: packages.deck(to, [packages.shape("Still here")]),
        ".odt": lambda to: packages.open_document(to, ODT, "<text:p>Still here</text:p>"),
        ".ods": lambda to: packages.open_document(
            to,
            ODS,
            '<table:table table:name="S"><table:table-row><table:table-cell office:value-type="string">'
            "<text:p>Still here</text:p></table:table-cell></table:table-row></table:table>",
        ),
        ".odp": lambda to: packages.open_document(
            to,
            ODP,
            '<draw:page draw:name="a"><draw:frame><draw:text-box><text:p>Still here</text:p>'
            "</draw:text-box></draw:frame></draw:page>",
        ),
        ".epub": lambda to: packages.book(to, {"one.xhtml": "<html><body><p>Still here</p></body></html>"}),
    }
    return makers[path.suffix](path)


def without(path: Path, part: str) -> Path:
    """The same ZIP without one part."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist() if name != part}
    return packages.zipped(path, parts)


def zero_part(path: Path) -> Path:
    """The part with the text unpacks to 5 GB."""
    part = MAIN_PARTS[path.suffix]
    return bombs.add_member(without(ordinary(path), part), part, BOMB)


def lying_part(path: Path) -> Path:
    """The part with the text says that it has 1,000 bytes, and unpacks to 5 GB."""
    part = MAIN_PARTS[path.suffix]
    return bombs.add_member(without(ordinary(path), part), part, BOMB, claimed=1_000)


def zero_member(path: Path) -> Path:
    """Beside an ordinary document lies a member that unpacks to 5 GB."""
    return bombs.add_member(ordinary(path), "media/image1.png", BOMB)


def laughing(path: Path) -> Path:
    """Nine entities, each ten times the last: a billion."""
    steps = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return _declaring(path, f'<!ENTITY l0 "ha">{steps}', "&l9;")


def blown_up(path: Path) -> Path:
    """One entity of 100 KB, a hundred thousand times."""
    return _declaring(path, f'<!ENTITY a "{"a" * 100_000}">', "&a;" * 100_000)


def reaching_out(path: Path) -> Path:
    """An entity whose text is a file of the machine that reads it."""
    return _declaring(path, f'<!ENTITY a SYSTEM "file://{SECRET}">', "&a;")


def asking_abroad(path: Path) -> Path:
    """A document type, and parameters of it, that lie on another machine."""
    outside = '<!ENTITY % a SYSTEM "http://192.0.2.1/a.dtd"> %a;'
    return _declaring(path, outside, "", system=' SYSTEM "http://192.0.2.1/b.dtd"')


def _declaring(path: Path, entities: str, said: str, *, system: str = "") -> Path:
    """The ordinary document, whose text's part declares entities and has `said` in place of `Still here`."""
    part = MAIN_PARTS[path.suffix]
    with zipfile.ZipFile(ordinary(path)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    markup = parts[part].decode()
    root = markup[1 : min(markup.index(end) for end in (" ", ">") if end in markup)]
    markup = markup.replace("Still here", f"Still here{said}")
    parts[part] = f'<?xml version="1.0"?><!DOCTYPE {root}{system} [{entities}]>{markup}'.encode()
    return packages.zipped(path, parts)


# One format each ------------------------------------------------------------------------------------------


def far_cells(path: Path) -> Path:
    """The first and the last cell that a sheet can have, and one on the way."""
    rows = packages.row(1, A="1") + packages.row(500_000, ZZ="2") + packages.row(1_048_576, XFD="3")
    return packages.workbook(path, {"S": rows})


def many_strings(path: Path) -> Path:
    """A million texts, of which the sheet shows one."""
    texts = [f"text {number}" for number in range(1_000_000)]
    return packages.workbook(path, {"S": packages.row(1, A='t="s"><v>999999</v>')}, texts=texts)


def repeated_string(path: Path) -> Path:
    """One text of a megabyte, shown by half a million cells."""
    cells = '<c t="s"><v>0</v></c>' * 500
    rows = f"<row>{cells}</row>" * 1_000
    return packages.workbook(path, {"S": rows}, texts=["word " * 200_000])


def repeated_slide(path: Path) -> Path:
    """One slide of a megabyte, listed a hundred thousand times."""
    packages.deck(path, [packages.shape("word " * 200_000)])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    main = parts["ppt/presentation.xml"].decode()
    entry = main[main.index("<p:sldId ") : main.index("</p:sldIdLst>")]
    parts["ppt/presentation.xml"] = main.replace(entry, entry * 100_000).encode()
    return packages.zipped(path, parts)


def repeated_note(path: Path) -> Path:
    """A footnote of a megabyte that the text refers to a hundred thousand times."""
    said = office.paragraph("word " * 200_000)
    note = f'<w:footnotes><w:footnote w:id="1">{said}</w:footnote></w:footnotes>'
    body = '<w:p><w:r><w:t>Still here</w:t><w:footnoteReference w:id="1"/></w:r></w:p>' * 100_000
    return office.raw(path, body, {"footnotes": note})


def styles_in_a_circle(path: Path) -> Path:
    """Two styles, each based on the other, and a list whose levels are defined by themselves."""
    styles = (
        '<w:styles><w:style w:type="paragraph" w:styleId="A"><w:basedOn w:val="B"/></w:style>'
        '<w:style w:type="paragraph" w:styleId="B"><w:basedOn w:val="A"/></w:style></w:styles>'
    )
    numbering = (
        '<w:numbering><w:abstractNum w:abstractNumId="1"><w:numStyleLink w:val="A"/></w:abstractNum>'
        '<w:num w:numId="1"><w:abstractNumId w:val="1"/></w:num></w:numbering>'
    )
    listed = '<w:numPr><w:ilvl w:val="2000000000"/><w:numId w:val="1"/></w:numPr>'
    body = office.paragraph("Still here", f'<w:pPr><w:pStyle w:val="A"/>{listed}</w:pPr>')
    return office.raw(path, body, {"styles": styles, "numbering": numbering})


def relations_in_a_circle(path: Path) -> Path:
    """A slide whose notes are the slide itself, with notes and charts that are one another."""
    packages.deck(path, [packages.shape("Still here")])
    targets = {
        "r1": ("notesSlide", "slide1.xml"),
        "r2": ("chart", "slide1.xml"),
        "r3": ("slide", "slide1.xml"),
    }
    return packages.with_part(path, "ppt/slides/_rels/slide1.xml.rels", packages.relations(targets))


def many_members(path: Path) -> Path:
    """A ZIP of sixty thousand empty members beside the document's."""
    ordinary(path)
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(60_000):
            archive.writestr(f"word/media/{number}", b"")
    return path


def climbing_names(path: Path) -> Path:
    """Members whose names lead out of the folder, beside an ordinary document."""
    ordinary(path)
    for name in ("../../../tmp/escaped", "/etc/passwd", "..\\..\\escaped", "word/../../escaped"):
        packages.with_part(path, name, "escaped")
    return path


# Old Office -----------------------------------------------------------------------------------------------

_SECTOR: Final = 512


def old(path: Path) -> Path:
    """A small DOC or PPT that says `Still here`."""
    if path.suffix == ".doc":
        return compound.word(path, [("Still here\r", b""), ("And here\r", b"")])
    return compound.deck(path, [{"title": "Still here"}])


def chain_in_a_circle(path: Path) -> Path:
    """Every sector's successor is the first one."""
    return _with_table(path, 0)


def chain_to_itself(path: Path) -> Path:
    """Every sector's successor is itself."""
    return _with_table(path, None)


def _with_table(path: Path, successor: int | None) -> Path:
    raw = bytearray(old(path).read_bytes())
    for place in range(_SECTOR, 2 * _SECTOR, 4):
        number = (place - _SECTOR) // 4 if successor is None else successor
        raw[place : place + 4] = number.to_bytes(4, "little")
    path.write_bytes(raw)
    return path


def tables_in_a_circle(path: Path) -> Path:
    """The list of allocation tables goes on in itself, and says that it is endless."""
    raw = bytearray(old(path).read_bytes())
    raw[0x2C:0x30] = (0x7FFFFFFF).to_bytes(4, "little")  # how many allocation tables
    raw[0x44:0x4C] = (0).to_bytes(4, "little") + (0x7FFFFFFF).to_bytes(4, "little")
    path.write_bytes(raw)
    return path


def entries_in_a_circle(path: Path) -> Path:
    """Each entry of the directory is the left, the right and the child of each other."""
    raw = bytearray(old(path).read_bytes())
    start = _SECTOR * (1 + int.from_bytes(raw[0x30:0x34], "little"))
    for entry in range(3):
        place = start + 128 * entry + 0x44
        raw[place : place + 12] = b"".join(other.to_bytes(4, "little") for other in (1, 2, 0))
    path.write_bytes(raw)
    return path


def endless_streams(path: Path) -> Path:
    """Each stream says that it has four gigabytes."""
    raw = bytearray(old(path).read_bytes())
    start = _SECTOR * (1 + int.from_bytes(raw[0x30:0x34], "little"))
    for entry in (1, 2):
        raw[start + 128 * entry + 0x78 : start + 128 * entry + 0x7C] = b"\xff\xff\xff\x7f"
    path.write_bytes(raw)
    return path


def many_entries(path: Path) -> Path:
    """Fifteen hundred streams before the document's own, each the right-hand neighbour of the last."""
    names = {".doc": "WordDocument", ".ppt": "PowerPoint Document", ".xls": "Workbook"}
    streams = {f"stream {number}": b"" for number in range(1_500)}
    return compound.container(path, {**streams, names[path.suffix]: b"text"})
