"""Real office files: every word that an independent reading finds is there, in its order."""

from __future__ import annotations

import html
import re
import zipfile
from collections import Counter
from difflib import SequenceMatcher
from pathlib import Path

import pytest

from ingest.formats import open_document
from ingest.normalize import normalize
from ingest.sniff import sniff

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples/office"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the real documents are not here")

# Each file's parts with text, the elements that are its paragraphs or cells, and the tags of their text.
PATTERNS = {
    "powerpoint_bad_text.pptx": (r"ppt/slides/slide\d+\.xml", "a:p", r"<a:t>([^<]*)"),
    "powerpoint_sample.pptx": (
        r"ppt/(?:slides/slide|notesSlides/notesSlide)\d+\.xml",
        "a:p",
        r"<a:t>([^<]*)",
    ),
    "test.pptx": (r"ppt/slides/slide\d+\.xml", "a:p", r"<a:t>([^<]*)"),
    "test.xlsx": (r"xl/sharedStrings\.xml", "si", r"<t[^>]*>([^<]*)"),
    "xlsx_01.xlsx": (r"xl/sharedStrings\.xml", "si", r"<t[^>]*>([^<]*)"),
    "odf_presentation_01.odp": (r"content\.xml", "text:p", r">([^<]+)"),
    "odf_table_with_title_01.ods": (r"content\.xml", "text:p", r">([^<]+)"),
    "text_document_01.odt": (r"content\.xml", "text:[ph]", r">([^<]+)"),
    "epub_purvis_poetry.epub": (r"epub/text/(?!toc).*\.xhtml", "body", r">([^<]+)"),
    "test.epub": (r"EPUB/chap.*\.xhtml", "body", r">([^<]+)"),
}
ORDERED = {name for name in PATTERNS if not name.endswith((".xlsx", ".epub"))} - {"powerpoint_sample.pptx"}


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def read(name: str) -> list[str]:
    path = SAMPLES / name
    reading = open_document(path, sniff(path, name))
    return [normalize(page.text) for page in reading.pages()]


def independent(name: str) -> list[str]:
    """The words by plain patterns over the XML, in the order of the file's parts."""
    parts, element, tag = PATTERNS[name]
    found = []
    with zipfile.ZipFile(SAMPLES / name) as archive:
        for part in sorted(filter(re.compile(parts).fullmatch, archive.namelist())):
            whole = archive.read(part).decode()
            body = whole.partition("</office:automatic-styles>")[2] or whole
            markup = re.sub(r"<text:(?:s|tab|line-break)\b[^>]*/>", " ", body)
            markup = re.sub(r"<a:br>.*?</a:br>|<a:br/>", "<a:t> </a:t>", markup, flags=re.DOTALL)
            for inner in re.findall(f"<{element}[ >].*?</{element}>", markup, re.DOTALL):
                if "sldNum" not in inner and "text:page-number" not in inner:
                    glue = " " if element == "body" else ""
                    found += words(html.unescape(glue.join(re.findall(tag, inner))))
    return found


@needs_samples
@pytest.mark.parametrize("name", PATTERNS)
def test_every_word_is_read(name: str) -> None:
    wanted, found = independent(name), words("\n".join(read(name)))
    assert wanted
    recall = sum((Counter(wanted) & Counter(found)).values()) / len(wanted)
    assert recall >= 0.99
    if name in ORDERED:
        matcher = SequenceMatcher(None, wanted, found, autojunk=False)
        assert sum(block.size for block in matcher.get_matching_blocks()) / len(wanted) >= 0.97


@needs_samples
@pytest.mark.parametrize(
    ("old", "new"),
    [("legacy_sample.ppt", "powerpoint_sample.pptx"), ("test.xls", "test.xlsx")],
)
def test_an_old_file_says_what_its_successor_says(old: str, new: str) -> None:
    wanted, found = Counter(words("\n".join(read(new)))), Counter(words("\n".join(read(old))))
    assert sum((wanted & found).values()) / wanted.total() >= 0.99


@needs_samples
def test_an_old_letter_and_rich_text_are_whole() -> None:
    letter = "\n".join(read("legacy_sample.doc"))
    assert letter.startswith("Summer activities\nSwimming in the lake\nDuck\n")
    assert "\n# Let\u2019s swim!\nTo get started with swimming, first lay down" in letter
    assert " | Food | Calories per portion\nLeaves | Ash, Elm, Maple | 50\n" in letter
    assert letter.endswith("Leaves\nBerries\nGrain")
    assert read("accent.rtf") == ["le café où on ne fume pas"]
    assert read("bookmark.rtf") == ["Bookmark_1\nclick me"]
    assert read("test.rtf")[0].startswith("# This is a Sample RTF File\nIt is included to test")
