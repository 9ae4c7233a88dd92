"""Makes the PDFs that the tests read, each with one trait, so that no test needs a file of someone else's."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

from pypdf import PdfWriter
from pypdf.constants import PageLabelStyle
from pypdf.generic import DictionaryObject
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas


def text_pdf(path: Path, pages: Sequence[Iterable[str]], *, title: str | None = None) -> Path:
    """Write one page for each sequence of lines."""
    canvas = Canvas(str(path), pagesize=A4, invariant=True)
    if title is not None:
        canvas.setTitle(title)
    for lines in pages:
        for row, line in enumerate(lines):
            canvas.drawString(72, A4[1] - 72 - 14 * row, line)
        canvas.showPage()
    canvas.save()
    return path


def labelled_pdf(path: Path, pages: int) -> Path:
    """Write a PDF whose first two pages are labelled i and ii, the others from 1."""
    plain = text_pdf(path, [[f"Physical page {n}"] for n in range(1, pages + 1)])
    writer = PdfWriter(clone_from=plain)
    writer.set_page_label(0, 1, style=PageLabelStyle.LOWERCASE_ROMAN)
    writer.set_page_label(2, pages - 1, style=PageLabelStyle.DECIMAL)
    return _saved(writer, path)


def encrypted_pdf(path: Path, *, user: str, owner: str, algorithm: str = "AES-256") -> Path:
    """Write a PDF that needs the password `user` to open; "" makes it open for everyone."""
    writer = PdfWriter(clone_from=text_pdf(path, [["A locked sentence."]]))
    writer.encrypt(user, owner, algorithm=algorithm)
    return _saved(writer, path)


def scanned_pdf(path: Path, *, share: float = 0.9, caption: str = "") -> Path:
    """Write one page whose single image covers `share` of it, inside a form object as scanners do."""
    canvas = Canvas(str(path), pagesize=A4, invariant=True)
    canvas.beginForm("scan")
    side = share**0.5
    canvas.drawInlineImage(_grey_image(), 0, 0, width=A4[0] * side, height=A4[1] * side)
    canvas.endForm()
    canvas.doForm("scan")
    canvas.drawString(20, 20, caption)
    canvas.showPage()
    canvas.save()
    return path


def filled_form(path: Path, value: str, *, with_looks: bool) -> Path:
    """Write a form with one field filled in; without looks only its value is there, as often."""
    canvas = Canvas(str(path), pagesize=A4, invariant=True)
    canvas.drawString(72, 740, "Your name")
    canvas.acroForm.textfield(name="name", value=value, x=72, y=700, width=300, height=24)
    canvas.showPage()
    canvas.save()
    if with_looks:
        return path
    writer = PdfWriter(clone_from=path)
    for note in writer.pages[0].annotations or []:
        del cast("DictionaryObject", note.get_object())["/AP"]
    writer.set_need_appearances_writer()
    return _saved(writer, path)


def attaching_pdf(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write one page with these files embedded."""
    writer = PdfWriter(clone_from=text_pdf(path, [["See the attached files."]]))
    for name, data in files.items():
        writer.add_attachment(name, data)
    return _saved(writer, path)


def raw_pdf(path: Path, objects: Sequence[bytes], *, trailer: bytes = b"") -> Path:
    """Write the objects 1, 2, … as they are; the first is the catalog."""
    out = io.BytesIO()
    out.write(b"%PDF-1.7\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1))
    out.writelines(b"%010d 00000 n \n" % place for place in places)
    out.write(b"trailer\n<</Size %d /Root 1 0 R %s>>\n" % (len(places) + 1, trailer))
    out.write(b"startxref\n%d\n%%%%EOF\n" % start)
    path.write_bytes(out.getvalue())
    return path


def stream(data: bytes, entries: bytes = b"") -> bytes:
    """Return a stream object's body."""
    return b"<</Length %d %s>>\nstream\n%s\nendstream" % (len(data), entries, data)


def one_page_pdf(path: Path, content: bytes, *, font: bytes = b"", extra: Sequence[bytes] = ()) -> Path:
    """Write one page with the content stream object `content`; `extra` objects count from 6."""
    font = font or b"<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>"
    resources = b"/Resources <</Font <</F1 5 0 R>>>>"
    page = b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R %s>>" % resources
    pages = b"<</Type /Pages /Kids [3 0 R] /Count 1>>"
    return raw_pdf(path, [b"<</Type /Catalog /Pages 2 0 R>>", pages, page, content, font, *extra])


def mapped_pdf(path: Path, unicode_hex: str, *, times: int = 1) -> Path:
    """Write a page that shows the letter A, which its font maps to the UTF-16 code units given in hex."""
    cmap = f"""/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def
1 begincodespacerange <00> <FF> endcodespacerange
1 beginbfchar <41> <{unicode_hex}> endbfchar endcmap end end"""
    font = b"<</Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 6 0 R>>"
    shown = b"BT /F1 12 Tf 72 700 Td (B" + b"A" * times + b"C) Tj ET"
    return one_page_pdf(path, stream(shown), font=font, extra=[stream(cmap.encode())])


def flate_bomb(path: Path, *, megabytes: int = 2_000) -> Path:
    """Write a small file whose one content stream unpacks to `megabytes` MB of drawing operators."""
    packer = zlib.compressobj(9)
    block = b"BT /F1 1 Tf (aaaaaaaa) Tj ET " * 36_000
    parts = [packer.compress(block) for _ in range(megabytes)]
    inner = b"".join([*parts, packer.flush()])
    packed = zlib.compress(inner, 9)
    return one_page_pdf(path, stream(packed, b"/Filter [/FlateDecode /FlateDecode]"))


def truncated(path: Path, *, keep: float) -> Path:
    """Cut the file to the share `keep` of its bytes."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    return path


def _grey_image() -> object:
    from PIL import Image  # noqa: PLC0415 - comes with reportlab, needed by one maker

    return Image.new("L", (8, 8), 128)


def _saved(writer: PdfWriter, path: Path) -> Path:
    with path.open("wb") as file:
        writer.write(file)
    return path
