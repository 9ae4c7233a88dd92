"""DOCX files for the tests: made with python-docx, and made to break the reader."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from docx import Document
from docx.enum.text import WD_BREAK
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

W: Final = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
M: Final = "http://schemas.openxmlformats.org/officeDocument/2006/math"
_RELATION: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
OLE: Final = bytes.fromhex("d0cf11e0a1b11ae1")


def empty() -> Any:  # noqa: ANN401 - python-docx ships no types
    """A new document of python-docx."""
    return Document()


def rich(path: Path) -> Path:
    """A contract with a heading, a list that goes on, a table, a header, tracked changes and three pages."""
    document = Document()
    document.sections[0].header.paragraphs[0].text = "Strictly confidential"
    document.sections[0].footer.paragraphs[0].text = "Page"
    document.add_heading("Master Agreement", 0)
    document.add_heading("Fees", 1)
    fee = document.add_paragraph("The fee is ")
    fee.add_run("USD 1").bold = True
    fee.add_run("00.00 a unit.")
    document.add_paragraph("First", style="List Number")
    document.add_paragraph("Between")
    document.add_paragraph("Second", style="List Number")
    table = document.add_table(2, 2)
    for number, text in enumerate(("Item", "Price\nin USD", "Bolt", "0.20")):
        table.cell(*divmod(number, 2)).text = text
    broken = document.add_paragraph("before the break")
    broken.add_run().add_break(WD_BREAK.PAGE)
    broken.add_run("after the break")
    document.add_paragraph("On its own page").paragraph_format.page_break_before = True
    append(document, "tracked ", '<w:ins w:id="1" w:author="a"><w:r><w:t>in</w:t></w:r></w:ins>')
    append(document, "", '<w:del w:id="2" w:author="a"><w:r><w:delText>deleted</w:delText></w:r></w:del>')
    document.save(str(path))
    return path


def append(document: Any, text: str, markup: str) -> None:  # noqa: ANN401 - as above
    """Add a paragraph with this text and one element of WordprocessingML, `w:` and `m:` being known."""
    names = f'{nsdecls("w")} xmlns:m="{M}"'
    markup = re.sub(r"(?=[ >])", f" {names}", markup, count=1)
    document.add_paragraph(text)._p.append(parse_xml(markup))  # noqa: SLF001 - the way in


def raw(path: Path, body: str, parts: Mapping[str, str] | None = None) -> Path:
    """A DOCX with this body, `w:` being known, and these parts, such as `footnotes`."""
    document = (
        f'<w:document xmlns:w="{W}" xmlns:r="{_RELATION}" xmlns:m="{M}"><w:body>{body}</w:body></w:document>'
    )
    relations = "".join(
        f'<Relationship Id="{name}" Type="{_RELATION}/{name.rstrip("0123456789")}" Target="{name}.xml"/>'
        for name in parts or ()
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", document)
        archive.writestr("word/_rels/document.xml.rels", f"<Relationships>{relations}</Relationships>")
        for name, inner in (parts or {}).items():
            archive.writestr(f"word/{name}.xml", inner.replace(">", f' xmlns:w="{W}">', 1))
    return path


def paragraph(text: str, inside: str = "") -> str:
    """One paragraph's markup; `inside` comes before its text."""
    return f"<w:p>{inside}<w:r><w:t>{text}</w:t></w:r></w:p>"


def encrypted(path: Path) -> Path:
    """The container that Office writes around a file with a password, as far as telling it needs."""
    header = bytearray(OLE.ljust(512, b"\0"))
    header[30:32] = (9).to_bytes(2, "little")  # sectors of 512 bytes, the directory in the first
    path.write_bytes(bytes(header) + "EncryptedPackage".encode("utf-16-le").ljust(512, b"\0"))
    return path
