"""PDFs made to exhaust, loop or mislead their reader, each in one way."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.support.bombs import GIGABYTE, zlib_zeros
from tests.support.pdfs import one_page_pdf, raw_pdf, stream

CATALOG: Final = b"<</Type /Catalog /Pages 2 0 R>>"
FONT: Final = b"<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>"
SAID: Final = b"BT /F1 12 Tf 72 700 Td (Still here) Tj ET"


def zeros(path: Path, *, gigabytes: int = 4) -> Path:
    """One content stream that unpacks to zeros."""
    return one_page_pdf(path, stream(zlib_zeros(gigabytes * GIGABYTE), b"/Filter /FlateDecode"))


def nested_zeros(path: Path) -> Path:
    """A few hundred bytes that unpack three times over."""
    packed = zlib.compress(zlib.compress(zlib_zeros(4 * GIGABYTE), 9), 9)
    return one_page_pdf(path, stream(packed, b"/Filter [/FlateDecode /FlateDecode /FlateDecode]"))


def predicted_zeros(path: Path) -> Path:
    """A bomb behind a predictor of very long rows."""
    entries = b"/Filter /FlateDecode /DecodeParms <</Predictor 15 /Columns 100000000 /Colors 4>>"
    return one_page_pdf(path, stream(zlib_zeros(2 * GIGABYTE), entries))


def many_filters(path: Path) -> Path:
    """A content stream behind ten thousand filters."""
    return one_page_pdf(path, stream(SAID, b"/Filter [" + b"/ASCIIHexDecode " * 10_000 + b"]"))


def large_image(path: Path, *, filtered: bool = True) -> Path:
    """A page whose image says that it has 60,000 by 60,000 points."""
    data = zlib_zeros(2 * GIGABYTE) if filtered else b"\0"
    entries = b"/Type /XObject /Subtype /Image /Width 60000 /Height 60000 /BitsPerComponent 8"
    entries += b"/ColorSpace /DeviceRGB" + (b"/Filter /FlateDecode" if filtered else b"")
    return _with_object(path, b"q 595 0 0 842 0 0 cm /X Do Q", stream(data, entries))


def _with_object(path: Path, shown: bytes, item: bytes, *more: bytes) -> Path:
    """A page with `SAID` and the operators `shown`, where /X is the object `item` (6 0 R)."""
    resources = b"/Resources <</Font <</F1 5 0 R>> /XObject <</X 6 0 R>>>>"
    page = b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R %s>>" % resources
    pages = b"<</Type /Pages /Kids [3 0 R] /Count 1>>"
    return raw_pdf(path, [CATALOG, pages, page, stream(SAID + b" " + shown), FONT, item, *more])


def _tree(path: Path, pages: bytes, *, parent: bytes = b"2 0 R", more: Sequence[bytes] = ()) -> Path:
    """A page (3 0 R) below the tree's root `pages` (2 0 R); `more` objects count from 6."""
    page = b"<</Type /Page /Parent %s /MediaBox [0 0 595 842] /Contents 4 0 R " % parent
    page += b"/Resources <</Font <</F1 5 0 R>>>>>>"
    return raw_pdf(path, [CATALOG, pages, page, stream(SAID), FONT, *more])


def kids_name_their_parent(path: Path) -> Path:
    """The root of the pages is among its own children."""
    return _tree(path, b"<</Type /Pages /Kids [3 0 R 2 0 R 3 0 R] /Count 3>>")


def kids_name_an_ancestor(path: Path) -> Path:
    """A branch below the root holds the root."""
    branch = b"<</Type /Pages /Parent 2 0 R /Kids [2 0 R 2 0 R 3 0 R] /Count 100>>"
    return _tree(path, b"<</Type /Pages /Kids [3 0 R 6 0 R] /Count 101>>", more=[branch])


def parents_in_a_circle(path: Path) -> Path:
    """The tree has no top: size and resources are looked for among parents that are each other's."""
    other = b"<</Type /Pages /Parent 2 0 R /Kids [2 0 R] /Count 1>>"
    page = b"<</Type /Page /Parent 2 0 R /Contents 4 0 R>>"
    root = b"<</Type /Pages /Parent 6 0 R /Kids [3 0 R] /Count 1>>"
    return raw_pdf(path, [CATALOG, root, page, stream(SAID), FONT, other])


def counted(path: Path, count: int) -> Path:
    """One page, in a tree that says it has so many."""
    return _tree(path, b"<</Type /Pages /Kids [3 0 R] /Count %d>>" % count)


def deep_tree(path: Path, depth: int = 20_000) -> Path:
    """A page below so many branches."""
    first = 6
    more = [
        b"<</Type /Pages /Parent %d 0 R /Kids [%d 0 R] /Count 1>>"
        % (2 if at == 0 else first + at - 1, first + at + 1 if at < depth - 1 else 3)
        for at in range(depth)
    ]
    return _tree(path, b"<</Type /Pages /Kids [%d 0 R] /Count 1>>" % first, more=more)


def wide_tree(path: Path) -> Path:
    """Branches that each hold the next one a hundred times: 10^12 pages in eight objects."""
    more = [
        b"<</Type /Pages /Parent 2 0 R /Kids [%s] /Count 100000000>>" % (b"%d 0 R " % child * 100)
        for child in (7, 8, 9, 10, 3)
    ]
    return _tree(path, b"<</Type /Pages /Kids [%s] /Count 2000000000>>" % (b"6 0 R " * 100), more=more)


def streams_in_each_other(path: Path) -> Path:
    """Two object streams that say they extend, and stand in, each other."""
    out = io.BytesIO()
    out.write(b"%PDF-1.7\n")
    places = {}
    for number, other in ((10, 11), (11, 10)):
        places[number] = out.tell()
        inner = stream(b"%d 0 <<>>" % other, b"/Type /ObjStm /N 1 /First 5 /Extends %d 0 R" % other)
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, inner))
    start = out.tell()
    # Cross-reference stream: 1 catalog and 2 pages stand in stream 10, 10 in 11 and 11 in 10.
    rows = [(2, 10, 0), (2, 10, 0), (2, 11, 0), (2, 10, 0), (1, start, 0)]
    data = b"".join(kind.to_bytes(1) + place.to_bytes(4) + gen.to_bytes(1) for kind, place, gen in rows)
    entries = b"/Type /XRef /W [1 4 1] /Index [1 2 10 3] /Size 13 /Root 1 0 R"
    out.write(b"12 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF\n" % (stream(data, entries), start))
    path.write_bytes(out.getvalue())
    return path


def tables_in_a_circle(path: Path) -> Path:
    """A cross-reference table whose earlier version is itself."""
    raw = counted(path, 1).read_bytes()
    start = raw.rindex(b"xref\n0")
    path.write_bytes(raw.replace(b"/Root 1 0 R", b"/Root 1 0 R /Prev %d" % start))
    return path


def huge_table(path: Path) -> Path:
    """A cross-reference table that says it has two billion entries."""
    raw = counted(path, 1).read_bytes()
    many = b"2000000000"
    path.write_bytes(raw.replace(b"xref\n0 6", b"xref\n0 " + many).replace(b"/Size 6", b"/Size " + many))
    return path


def deep_arrays(path: Path, depth: int = 500_000) -> Path:
    """An array in an array, and so on, in the page's own dictionary."""
    nest = b"[" * depth + b"]" * depth
    page = b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Nest %s" % nest
    page += b" /Resources <</Font <</F1 5 0 R>>>>>>"
    pages = b"<</Type /Pages /Kids [3 0 R] /Count 1>>"
    return raw_pdf(path, [CATALOG, pages, page, stream(SAID), FONT])


def deep_dictionaries(path: Path, depth: int = 500_000) -> Path:
    """A dictionary in a dictionary, and so on, in the catalog."""
    catalog = CATALOG.removesuffix(b">>") + b"/A " + b"<</A " * depth + b"1" + b">>" * depth + b">>"
    pages = b"<</Type /Pages /Kids [3 0 R] /Count 1>>"
    page = b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 9 9]>>"
    return raw_pdf(path, [catalog, pages, page])


def deep_operands(path: Path, depth: int = 1_000_000) -> Path:
    """Arrays in arrays, and saved states in saved states, in the page's content."""
    return one_page_pdf(path, stream(b"[" * depth + b" TJ " + b"q " * depth + SAID))


def form_in_itself(path: Path) -> Path:
    """A drawing that draws itself twice."""
    entries = b"/Type /XObject /Subtype /Form /BBox [0 0 595 842] /Resources <</XObject <</X 6 0 R>>>>"
    return _with_object(path, b"/X Do", stream(b"/X Do /X Do", entries))


def forms_that_multiply(path: Path, *, levels: int = 12) -> Path:
    """Each drawing draws the next ten times: 10^12 words."""
    entries = b"/Type /XObject /Subtype /Form /BBox [0 0 595 842] /Resources "
    forms = [
        stream(b"/X Do " * 10, entries + b"<</XObject <</X %d 0 R>>>>" % (number + 1))
        for number in range(6, 6 + levels)
    ]
    last = stream(SAID, entries + b"<</Font <</F1 5 0 R>>>>")
    return _with_object(path, b"/X Do", *forms, last)


def many_operators(path: Path, count: int = 1_000_000) -> Path:
    """A million lines are drawn around two words."""
    data = b"0 0 m 9 9 l S " * count + SAID
    return one_page_pdf(path, stream(zlib.compress(data, 1), b"/Filter /FlateDecode"))


def long_page(path: Path, chars: int = 5_000_000) -> Path:
    """A page with so many characters, on lines of a thousand."""
    lines = chars // 1_000
    data = b"BT /F1 1 Tf 1 TL 10 %d Td " % lines + b"(%s) ' " % (b"word " * 200) * lines + b"ET"
    page = b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 5000 14000] /Contents 4 0 R "
    page += b"/Resources <</Font <</F1 5 0 R>>>>>>"
    pages = b"<</Type /Pages /Kids [3 0 R] /Count 1>>"
    packed = stream(zlib.compress(data, 1), b"/Filter /FlateDecode")
    return raw_pdf(path, [CATALOG, pages, page, packed, FONT])


def absurd_cmap(path: Path) -> Path:
    """A font whose table maps four billion codes, over and over, and a word to a very long one."""
    ranges = b"100 beginbfrange\n" + b"<00000000> <ffffffff> <0041>\n" * 100 + b"endbfrange\n"
    long = b"1 beginbfchar\n<41> <" + b"0042" * 1_000_000 + b">\nendbfchar\n"
    cmap = b"begincmap 1 begincodespacerange <00> <ff> endcodespacerange\n" + ranges * 100 + long + b"endcmap"
    font = FONT.removesuffix(b">>") + b"/ToUnicode 6 0 R>>"
    shown = b"BT /F1 12 Tf 72 700 Td (Still AAAA here) Tj ET"
    return one_page_pdf(path, stream(shown), font=font, extra=[stream(cmap)])


def cmap_in_itself(path: Path) -> Path:
    """A composite font whose encoding is built on itself, with widths for every code there could be."""
    cmap = stream(b"/X usecmap begincmap endcmap", b"/Type /CMap /CMapName /X /UseCMap 6 0 R")
    child = b"<</Type /Font /Subtype /CIDFontType2 /BaseFont /A /CIDSystemInfo <</Registry (A) /Ordering (B)"
    child += b"/Supplement 0>> /W [0 2147483647 500 0 4294967295 1]>>"
    font = b"<</Type /Font /Subtype /Type0 /BaseFont /A /Encoding 6 0 R /DescendantFonts [7 0 R]>>"
    return one_page_pdf(path, stream(SAID), font=font, extra=[cmap, child])


def many_pages(path: Path, count: int) -> Path:
    """So many pages, each with its number, in leaves of five hundred; written in seconds."""
    leaves = -(-count // 500)
    first = 4 + leaves
    kids = b" ".join(b"%d 0 R" % (4 + leaf) for leaf in range(leaves))
    objects = [CATALOG, b"<</Type /Pages /Kids [%s] /Count %d>>" % (kids, count), FONT]
    for leaf in range(leaves):
        numbers = range(leaf * 500, min(count, leaf * 500 + 500))
        listed = b" ".join(b"%d 0 R" % (first + 2 * number) for number in numbers)
        shared = b"/MediaBox [0 0 200 50] /Resources <</Font <</F1 3 0 R>>>>"
        node = b"<</Type /Pages /Parent 2 0 R /Kids [%s] /Count %d %s>>" % (listed, len(numbers), shared)
        objects.append(node)
    for number in range(count):
        leaf = 4 + number // 500
        objects.append(b"<</Type /Page /Parent %d 0 R /Contents %d 0 R>>" % (leaf, first + 2 * number + 1))
        objects.append(stream(b"BT /F1 9 Tf 5 20 Td (Page %d) Tj ET" % (number + 1)))
    return raw_pdf(path, objects)


def outline_in_a_circle(path: Path) -> Path:
    """Bookmarks that follow themselves, hold themselves, and lead nowhere."""
    catalog = CATALOG.removesuffix(b">>") + b"/Outlines 6 0 R>>"
    pages = b"<</Type /Pages /Kids [3 0 R] /Count 1>>"
    page = b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
    page += b"/Resources <</Font <</F1 5 0 R>>>>>>"
    first = b"<</Title (One) /Parent 6 0 R /Next 8 0 R /First 7 0 R /Last 7 0 R /Dest [3 0 R /Fit]>>"
    second = b"<</Title (Two) /Parent 6 0 R /Next 7 0 R /First 6 0 R /Dest [99 0 R /Fit]>>"
    top = b"<</Type /Outlines /First 7 0 R /Last 8 0 R /Count 2>>"
    return raw_pdf(path, [catalog, pages, page, stream(SAID), FONT, top, first, second])
