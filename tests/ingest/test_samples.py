"""Every real file of the samples: read, or refused for a known reason; none crashes or hangs."""

from __future__ import annotations

import email
import email.policy
import html
import json
import re
import zipfile
from collections import Counter
from contextlib import suppress
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as ET

import olefile
import pytest
import xlrd

import ingest
from ingest import EncryptedDocument, Finished, Page

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples"
pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample documents are not here")

REPORTS = "us-agency-reports"
"""Read whole by the tests of the service; here their first pages, for as long as they come."""
A_FEW = 10

LOCKED = {"libreoffice-writer-password.pdf"}
PICTURES_ALONE = {
    *("cmyk-image.pdf", "grayscale-image.pdf", "imagemagick-ASCII85Decode.pdf"),
    *("imagemagick-CCITTFaxDecode.pdf", "imagemagick-lzw.pdf"),
}
"""Files that need no word of text on any page."""

FILES = sorted(path for path in SAMPLES.glob("*/*") if path.is_file())


def some_pages(path: Path) -> list[Page]:
    """The pages of the file; of a report the first few."""
    pages = []
    events = ingest.read(path, filename=path.name)
    for event in events:
        if isinstance(event, Page):
            pages.append(event)
        if isinstance(event, Finished) or (path.parent.name == REPORTS and len(pages) == A_FEW):
            break
    events.close()  # type: ignore[attr-defined]
    return pages


@cache
def text_of(path: Path) -> str:
    return "\n".join(page.text for page in some_pages(path))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_file_is_read_or_refused_for_a_reason(path: Path) -> None:
    allowed: list[type[Exception]] = [EncryptedDocument] * (path.name in LOCKED)
    with suppress(*allowed):
        assert text_of(path).strip() or path.name in PICTURES_ALONE


# What each office format says, found by other means than the reader's

OFFICE = sorted(path for path in FILES if path.parent.name == "office")
LEAST_FOUND, MOST_ADDED = 0.98, 0.02

ASIDE = re.compile(
    r"\[(?:image|chart)\b[^\]]*\]|\[comment by [^:]*:|\[hidden \w+\]|, rows |^Notes?:$"
    r"|^Date: .*$|^(?:From|To|Cc|Bcc|Subject|Attachments): |^```\w*$",
    re.MULTILINE,
)
"""What the reader sets around what it found, or found elsewhere: descriptions, charts, authors, dates."""
IN_FORMULAS = {"equations.docx"}
"""Files whose words are letters of formulas, which may be joined in another way."""

PARTS = {
    ".docx": r"word/(document|footnotes|endnotes|comments|header\d*|footer\d*)\.xml",
    ".pptx": r"ppt/(slides/slide|notesSlides/notesSlide|comments/\w+)\d*\.xml",
    ".odt": r"(content|styles)\.xml",
    ".ods": r"(content|styles)\.xml",
    ".odp": r"(content|styles)\.xml",
    ".epub": r".*\.(xhtml|html|opf)",
}
MAIN = {
    ".docx": r"word/document\.xml",
    ".pptx": r"ppt/slides/slide\d+\.xml",
    **dict.fromkeys((".odt", ".ods", ".odp"), r"content\.xml"),
    ".epub": r"(?!.*\b(nav|toc)\b).*\.xhtml",
}
BROKEN_AT = {"p", "h", "br", "tab", "tc", "td", "th", "li", "si", "title", "table-cell", "line-break", "s"}
"""Elements that part words; all others may stand within one."""
SILENT = {
    "instrText",
    "delText",
    "script",
    "style",
    "title",
    "head",
    "tracked-changes",
    "rPh",
    "author",
    "tableStyleId",
}


def words(text: str, *, each: str) -> Counter[str]:
    """The words without digits: numbers are shown in the format of their cell."""
    return Counter(re.findall(each, ASIDE.sub(" ", text).casefold()))


def in_zip(path: Path, parts: str) -> str:
    """The text of these parts, element by element."""
    pieces: list[str] = []
    with zipfile.ZipFile(path) as archive:
        for name in filter(re.compile(parts).fullmatch, archive.namelist()):
            data = re.sub(rb"<!DOCTYPE[^>]*>", b"", archive.read(name))
            data = re.sub(
                rb"&(?!amp|lt|gt|quot|apos|#)\w+;", lambda m: html.unescape(m[0].decode()).encode(), data
            )
            _say(_parsed(data), pieces, keeps_titles=name.endswith(".opf"))
    return "".join(pieces)


def _parsed(data: bytes) -> ET.Element:
    return ET.fromstring(data)  # noqa: S314 - the samples are known


def _say(element: ET.Element, pieces: list[str], *, keeps_titles: bool) -> None:
    name = str(element.tag).rpartition("}")[2]
    if name not in SILENT or (keeps_titles and name == "title"):
        named = [value for key, value in element.attrib.items() if key.rpartition("}")[2] in {"name", "t"}]
        pieces += [" ", *named, " "] if name in {"sheet", "table"} else []
        pieces.append(element.text or "")
        for child in element:
            _say(child, pieces, keeps_titles=keeps_titles)
    pieces.append((" " if name in BROKEN_AT or name.startswith("h") else "") + (element.tail or ""))


def in_workbook(path: Path) -> str:
    """Every cell and name of an old workbook."""
    book = xlrd.open_workbook(str(path))
    cells = (str(cell.value) for sheet in book.sheets() for row in sheet.get_rows() for cell in row)
    return "\n".join([*book.sheet_names(), *cells])


def in_new_workbook(path: Path) -> str:
    """Every cell and name of a workbook; a cell may name one of the shared texts by its number."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: _parsed(archive.read(name)) for name in archive.namelist() if _is_xml(name)}
    shared = ["".join(text.itertext()) for text in parts["xl/sharedStrings.xml"]]
    found = [
        sheet.attrib["name"] for sheet in parts["xl/workbook.xml"].iter() if sheet.tag.endswith("}sheet")
    ]
    for name, part in parts.items():
        if name.startswith("xl/worksheets/sheet"):
            for cell in part.iter("{http://schemas.openxmlformats.org/spreadsheetml/2006/main}c"):
                value = "".join(cell.itertext())
                found.append(shared[int(value)] if cell.get("t") == "s" else value)
    return "\n".join(found)


def _is_xml(name: str) -> bool:
    return name.startswith("xl/") and name.endswith(".xml")


def in_streams(path: Path) -> str:
    """All that could be text in an old document, in eight bits and in sixteen at either place."""
    with olefile.OleFileIO(str(path)) as container:
        name = next(each for each in ("WordDocument", "PowerPoint Document") if container.exists(each))
        data = container.openstream(name).read()
    return "\n".join(
        (data.decode("cp1252", "replace"), *(data[at:].decode("utf-16-le", "replace") for at in (0, 1)))
    )


def in_rich_text(path: Path) -> str:
    """RTF without groups of machinery and control words."""
    text = path.read_text("cp1252")
    text = re.sub(r"\\'([0-9a-f]{2})", lambda match: bytes.fromhex(match[1]).decode("cp1252"), text)
    text = re.sub(r"\\u(\d+) ?\??", lambda match: chr(int(match[1])), text)
    inside = r"(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*"
    kinds = r"fonttbl|colortbl|stylesheet|info|pict|listtable|mmathPr"
    text = re.sub(r"\\(par|line|tab|cell|row)\b", "\n", text)
    text = re.sub(rf"\{{(?:\\\*|\\(?:{kinds})){inside}\}}", " ", text)
    return re.sub(r"\\[a-z]+-?\d* ?", "", text)


def in_mail(path: Path) -> str:
    """The fields that people read, and the body."""
    mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    body = mail.get_body(("plain", "html"))
    assert body is not None
    text = body.get_content()
    shown = as_shown(text) if body.get_content_subtype() == "html" else text
    fields = ("From", "To", "Cc", "Bcc", "Date", "Subject")
    return "\n".join([*(f"{name}: {mail[name]}" for name in fields if mail[name]), shown])


SUBJECT_AND_BODY = ("0037", "1000")


def in_outlook(path: Path, properties: tuple[str, ...] = ()) -> str:
    """Every text property of the message, or these ([MS-OXPROPS])."""
    with olefile.OleFileIO(str(path)) as container:
        entries = [entry for entry in container.listdir() if entry[-1].endswith("001F")]
        own = [entry for entry in entries if len(entry) == 1 and entry[0][-8:-4] in properties]
        wanted = own if properties else entries
        return "\n".join(container.openstream(entry).read().decode("utf-16-le") for entry in wanted)


def in_notebook(path: Path) -> str:
    """The cells' sources, and what they printed."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    printed = [output.get("text") or output.get("data", {}).get("text/plain", []) for output in outputs]
    return "\n".join("".join(lines) for lines in [*(cell["source"] for cell in cells), *printed])


def in_page(path: Path) -> str:
    """HTML as it is shown."""
    return as_shown(path.read_text("utf-8"))


def as_shown(text: str) -> str:
    """HTML without what is never shown; words are parted at every tag that is not within a line."""
    text = re.sub(r"(?s)<!--.*?-->|<(script|style|head|svg|noscript|template)\b.*?</\1>", " ", text)
    text = re.sub(r"</?(?:a|b|i|em|strong|span|sup|sub|small|code|bdi|abbr|cite|q|u|wbr)\b[^>]*>", "", text)
    return html.unescape(re.sub(r"<[^>]*>", " ", text))


def independent(path: Path, parts: dict[str, str]) -> str:
    if path.suffix in parts:
        return in_zip(path, parts[path.suffix])
    if path.suffix == ".msg":
        return in_outlook(path, SUBJECT_AND_BODY if parts is MAIN else ())
    others = {".xls": in_workbook, ".xlsx": in_new_workbook, ".rtf": in_rich_text, ".html": in_page}
    others |= {".eml": in_mail, ".ipynb": in_notebook}
    if path.suffix in others:
        return others[path.suffix](path)
    return path.read_text("cp932") if path.suffix == ".csv" else in_streams(path)


@pytest.mark.parametrize("path", OFFICE, ids=lambda path: path.name)
def test_no_word_is_lost_or_invented(path: Path) -> None:
    each = r"[^\W\d_]" if path.name in IN_FORMULAS else r"[^\W\d_]+"
    texts = (text_of(path), independent(path, MAIN), independent(path, PARTS))
    ours, least, most = (words(text, each=each) for text in texts)
    assert ours
    assert least
    if path.suffix not in {".doc", ".ppt"}:  # whose streams say what is there, but not what of it is text
        lost = least - ours
        assert lost.total() <= (1 - LEAST_FOUND) * least.total(), lost
    added = ours - most
    assert added.total() <= MOST_ADDED * ours.total(), added
