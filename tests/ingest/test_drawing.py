"""Drawing a page: yellow where the quote stands and nowhere else, and no file that can do harm."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pypdf import PdfWriter
from pypdf.generic import RectangleObject
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

import ingest
from ingest import Limits, drawing, highlights
from ingest.formats import DOCX, PDF, PNG, TIFF
from ingest.raster import Box, Raster, mark, merged, png
from tests.support import pdfs, sheets

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample documents are not here")

SIZE = 12
CROP = (40.0, 500.0, 440.0, 800.0)
WHOLE = (0.0, 0.0, *A4)

Pixels = set[tuple[int, int]]
Rectangle = tuple[float, float, float, float]
"""Left, bottom, right, top, in points."""


def draw(path: Path, quote: str | None, *, page: int = 1, **more: int) -> drawing.Drawing:
    return drawing.draw(path, page, media_type=PDF, quote=quote, **more)  # type: ignore[arg-type]


def picture(drawn: drawing.Drawing) -> Image.Image:
    return Image.open(io.BytesIO(drawn.png)).convert("RGB")


def yellow(drawn: drawing.Drawing) -> Pixels:
    """The places whose blue is far below their red, on pages that are black and white."""
    image = picture(drawn)
    data = image.tobytes()
    width = image.width
    return {
        (at // 3 % width, at // 3 // width) for at in range(0, len(data), 3) if data[at] - data[at + 2] > 90
    }


def written(path: Path, texts: Iterable[tuple[float, float, str]]) -> Path:
    """Write one page of texts, each at its place in points."""
    canvas = Canvas(str(path), pagesize=A4, invariant=True)
    canvas.setFont("Helvetica", SIZE)
    for left, up, text in texts:
        canvas.drawString(left, up, text)
    canvas.showPage()
    canvas.save()
    return path


def turned(path: Path, *, by: int, crop: Rectangle = WHOLE) -> Path:
    writer = PdfWriter(clone_from=path)
    writer.pages[0].cropbox = RectangleObject(crop)
    writer.pages[0].rotate(by)
    with path.open("wb") as file:
        writer.write(file)
    return path


def place(left: float, up: float, line: str, words: str) -> Rectangle:
    """Where words of a line stand that begins at a place."""
    begin = left + stringWidth(line[: line.index(words)], "Helvetica", SIZE)
    return begin, up - 3, begin + stringWidth(words, "Helvetica", SIZE), up + 11


def shown(rectangle: Rectangle, width: int, *, by: int = 0, crop: Rectangle = WHOLE) -> Rectangle:
    """The same place in the picture, in pixels: left, top, right, bottom."""
    across, down = crop[2] - crop[0], crop[3] - crop[1]
    scale = width / (down if by in {90, 270} else across)
    left, right = rectangle[0] - crop[0], rectangle[2] - crop[0]
    top, bottom = crop[3] - rectangle[3], crop[3] - rectangle[1]
    corners = {
        0: (left, top, right, bottom),
        90: (down - bottom, left, down - top, right),
        180: (across - right, down - bottom, across - left, down - top),
        270: (top, across - right, bottom, across - left),
    }[by]
    first, second, third, fourth = (scale * side for side in corners)
    return first, second, third, fourth


def inside(pixel: tuple[int, int], box: Rectangle, *, slack: float) -> bool:
    x, y = pixel
    return box[0] - slack <= x <= box[2] + slack and box[1] - slack <= y <= box[3] + slack


def covers(marked: Pixels, boxes: Sequence[Rectangle], *, slack: float = 4) -> None:
    """Check that the boxes are marked, nearly all of each, and nothing outside of them."""
    assert marked
    stray = [pixel for pixel in marked if not any(inside(pixel, box, slack=slack) for box in boxes)]
    assert not stray, f"marked outside: {sorted(stray)[:5]}"
    for left, top, right, bottom in boxes:
        across, down = range(int(left) + 2, int(right) - 1), range(int(top) + 4, int(bottom) - 3)
        kernel = {(x, y) for x in across for y in down}
        assert len(kernel & marked) > 0.6 * len(kernel) > 0  # the letters themselves stay dark


# Where the quote stands


LINE = "Revenue rose to 4,512 million in the harbour."


def test_a_page_without_a_quote_is_just_drawn(tmp_path: Path) -> None:
    drawn = draw(written(tmp_path / "a.pdf", [(72, 700, LINE)]), None)
    assert picture(drawn).size == (1000, int(1000 * A4[1] / A4[0]))
    assert not drawn.found
    assert not yellow(drawn)
    assert picture(drawn).convert("L").getextrema()[0] < 60  # type: ignore[operator]


@pytest.mark.parametrize("crop", [WHOLE, CROP], ids=["whole", "cropped"])
@pytest.mark.parametrize("by", [0, 90, 180, 270])
def test_the_words_are_yellow_and_nothing_else(tmp_path: Path, by: int, crop: Rectangle) -> None:
    texts = [(72.0, 700.0, LINE), (72.0, 680.0, "Another line in between."), (72.0, 660.0, "And a third.")]
    path = turned(written(tmp_path / "a.pdf", texts), by=by, crop=crop)
    drawn = draw(path, "rose to 4,512 MILLION", width=800)
    assert drawn.found
    words = place(72, 700, LINE, "rose to 4,512 million")
    covers(yellow(drawn), [shown(words, 800, by=by, crop=crop)])


@pytest.mark.parametrize("width", [100, 640, 3000])
def test_the_width_is_as_asked(tmp_path: Path, width: int) -> None:
    drawn = draw(written(tmp_path / "a.pdf", [(72, 700, LINE)]), "harbour", width=width)
    assert picture(drawn).width == width
    box = shown(place(72, 700, LINE, "harbour"), width)
    assert yellow(drawn)
    assert all(inside(pixel, box, slack=max(2, width / 250)) for pixel in yellow(drawn))


def test_a_quote_runs_over_hyphens_and_columns(tmp_path: Path) -> None:
    left = [(72.0, 700.0, "The agency serves an inter-"), (72.0, 684.0, "national public and keeps")]
    right = [(330.0, 700.0, "its records for de-"), (330.0, 684.0, "cades in many places.")]
    drawn = draw(
        written(tmp_path / "a.pdf", [*left, *right]), "international public and keeps its records for decades"
    )
    assert drawn.found
    boxes = [
        place(*left[0], "inter-"),
        place(*left[1], "national public and keeps"),
        place(*right[0], "its records for de-"),
        place(*right[1], "cades"),
    ]
    covers(yellow(drawn), [shown(box, 1000) for box in boxes])


def test_a_table_row_drawn_letter_by_letter(tmp_path: Path) -> None:
    cells = [(72.0, 700.0, "Operating income"), (300.0, 700.0, "1,234"), (400.0, 700.0, "(987)")]
    others = [(72.0, 680.0, "Operating loss"), (300.0, 680.0, "5,678"), (400.0, 680.0, "(12)")]
    letters = [
        (left + stringWidth(text[:at], "Helvetica", SIZE), up, letter)
        for left, up, text in cells + others
        for at, letter in enumerate(text)
        if letter != " "
    ]
    drawn = draw(written(tmp_path / "a.pdf", letters), "Operating income 1,234 (987")
    boxes = [place(*cells[0], "Operating income"), place(*cells[1], "1,234"), place(*cells[2], "(987")]
    covers(yellow(drawn), [shown(box, 1000) for box in boxes])


def test_every_place_is_marked_but_no_part_of_a_word(tmp_path: Path) -> None:
    lines = [(72.0, 700.0, "The port and the report"), (72.0, 660.0, "portal, or any port.")]
    drawn = draw(written(tmp_path / "a.pdf", lines), "port")
    left, bottom, right, top = place(72, 660, lines[1][2], "port.")
    dot = stringWidth(".", "Helvetica", SIZE)
    boxes = [place(72, 700, "The port and", "port"), (left, bottom, right - dot, top)]
    covers(yellow(drawn), [shown(box, 1000) for box in boxes])


def test_pieces_around_an_ellipsis_are_marked(tmp_path: Path) -> None:
    drawn = draw(written(tmp_path / "a.pdf", [(72, 700, LINE)]), "Revenue rose … in the harbour")
    boxes = [place(72, 700, LINE, "Revenue rose"), place(72, 700, LINE, "in the harbour")]
    covers(yellow(drawn), [shown(box, 1000) for box in boxes])


def test_a_quote_over_a_page_break_is_marked_on_both_pages(tmp_path: Path) -> None:
    head = "Annual report of the harbour"
    pages = [
        ["It began", "and the vessel sailed", "Page 1 of 3"],
        [head, "towards the north.", "More."],
        ["End."],
    ]
    path = pdfs.text_pdf(tmp_path / "a.pdf", pages)
    quote = "the vessel sailed towards the north"
    first, second, third = (draw(path, quote, page=page) for page in (1, 2, 3))
    assert (first.found, second.found, third.found) == (True, True, False)
    up = A4[1] - 72 - 14
    covers(yellow(first), [shown(place(72, up, "and the vessel sailed", "the vessel sailed"), 1000)])
    covers(yellow(second), [shown(place(72, up, "towards the north.", "towards the north"), 1000)])
    assert not yellow(third)


def test_a_page_break_without_anything_between(tmp_path: Path) -> None:
    path = pdfs.text_pdf(tmp_path / "a.pdf", [["One half is here"], ["and one is there"]])
    quote = "half is here and one is"
    covers(
        yellow(draw(path, quote)), [shown(place(72, A4[1] - 72, "One half is here", "half is here"), 1000)]
    )
    marked = yellow(draw(path, quote, page=2))
    covers(marked, [shown(place(72, A4[1] - 72, "and one is there", "and one is"), 1000)])


@pytest.mark.parametrize(
    ("unicode_hex", "quote"), [("FB01", "BfiC"), ("00660069", "BﬁC"), ("00E9", "be\u0301c"), ("0065", "béc")]
)
def test_ligatures_and_accents_make_no_difference(tmp_path: Path, unicode_hex: str, quote: str) -> None:
    assert draw(pdfs.mapped_pdf(tmp_path / "a.pdf", unicode_hex), quote).found


def test_scripts_without_spaces_have_no_words_to_cut() -> None:
    assert highlights.on_page("海港", "这个海港很大") == [(2, 4)]


def test_long_quotes_may_cut_words_and_short_ones_not() -> None:
    page = "Grand totals of harbour dues"
    assert highlights.on_page("harb", page) == []
    assert highlights.on_page("otals of harbou", page) == [(7, 22)]


@pytest.mark.parametrize("with_looks", [True, False])
def test_what_was_filled_into_a_form_is_shown_and_found(tmp_path: Path, *, with_looks: bool) -> None:
    drawn = draw(pdfs.filled_form(tmp_path / "a.pdf", "Ada Lovelace", with_looks=with_looks), "Ada Lovelace")
    assert drawn.found
    marked = yellow(drawn)
    assert len(marked) > 1000
    assert all(inside(pixel, shown((72, 700, 150, 724), 1000), slack=2) for pixel in marked)


def test_a_quote_that_is_not_there_changes_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "a.pdf", [(72, 700, LINE)])
    drawn = draw(path, "Revenue fell to 4,512 million")
    assert not drawn.found
    assert drawn.png == draw(path, None).png


@pytest.mark.parametrize(
    "quote",
    [
        "",
        "…",
        "\0",
        "\0harbour\0x",
        ".*",
        "(((((",
        "[a-",
        "\\",
        "\ud800",
        "\ufffe",
        "x" * 200_000,
        "the " * 50_000,
    ],
    ids=range(12),
)
def test_a_hostile_quote_is_a_quote_that_is_not_there(tmp_path: Path, quote: str) -> None:
    path = written(tmp_path / "a.pdf", [(72, 700, LINE)])
    assert not draw(path, quote).found


# Pictures


needs_ocr = pytest.mark.skipif(not sheets.HAS_OCR, reason="Tesseract is not here")
ENGLISH = ("eng",)


@needs_ocr
def test_a_quote_is_found_on_a_scan_and_yellow_there_alone(tmp_path: Path) -> None:
    path = sheets.scanned_pdf(tmp_path / "a.pdf", [sheets.sheet()], caption="p. 1")
    quote = "captains asked for winter quarters"
    drawn = drawing.draw(path, 1, media_type=PDF, quote=quote, width=1100, languages=ENGLISH)
    assert drawn.found
    marked = yellow(drawn)
    assert len(marked) > 4_000
    assert all(inside(pixel, (250, 355, 800, 400), slack=0) for pixel in marked)
    again = drawing.draw(path, 1, media_type=PDF, quote=quote, width=1100)
    assert not again.found
    assert not yellow(again)


@needs_ocr
@pytest.mark.parametrize("width", [400, 1100])
def test_an_image_is_drawn_with_the_quote_on_it(tmp_path: Path, width: int) -> None:
    path = tmp_path / "a"
    sheets.sheet().save(path, "PNG")
    quote = "4,512 pounds had paid for both breakwaters while the lighthouse"  # two lines
    drawn = drawing.draw(path, 1, media_type=PNG, quote=quote, width=width, languages=ENGLISH)
    assert drawn.found
    assert picture(drawn).width == width
    scale = width / 1100
    lines = [(0, 170, 1100, 220), (0, 230, 1100, 280)]
    marked = yellow(drawn)
    for line in lines:
        box = tuple(scale * side for side in line)
        assert any(inside(pixel, box, slack=0) for pixel in marked)  # type: ignore[arg-type]
    assert all(160 * scale <= down <= 290 * scale for _, down in marked)


def test_every_frame_is_drawn_with_or_without_recognition(tmp_path: Path) -> None:
    path = tmp_path / "a"
    tall = sheets.noise().resize((300, 700))
    sheets.noise().save(path, "TIFF", save_all=True, append_images=[tall])
    sizes = [
        picture(drawing.draw(path, page, media_type=TIFF, quote="harbour", width=300)).size for page in (1, 2)
    ]
    assert sizes == [(300, 300), (300, 700)]
    with pytest.raises(ingest.DamagedDocument):
        drawing.draw(path, 3, media_type=TIFF)


# What ends it


def sized(path: Path, across: str, up: str) -> Path:
    page = f"<</Type /Page /Parent 2 0 R /MediaBox [0 0 {across} {up}]>>".encode()
    pages = b"<</Type /Pages /Kids [3 0 R] /Count 1>>"
    return pdfs.raw_pdf(path, [b"<</Type /Catalog /Pages 2 0 R>>", pages, page])


@pytest.mark.parametrize(
    ("across", "up"), [("100000", "100000"), ("1", "90000"), ("90000", "1"), ("0.001", "9999")]
)
def test_pictures_stay_small_enough_whatever_the_page_measures(tmp_path: Path, across: str, up: str) -> None:
    image = picture(draw(sized(tmp_path / "a.pdf", across, up), "x", width=3000))
    assert 1 <= image.width <= 3000
    assert 1 <= image.height <= 20_000
    assert image.width * image.height <= 40_000_000


def unfinished(path: Path) -> Path:
    path.write_bytes(b"%PDF-1.7\nnothing more")
    return path


@pytest.mark.parametrize("make", [unfinished, partial(pdfs.encrypted_pdf, user="a", owner="b")])
def test_a_file_that_cannot_be_drawn_says_so(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    with pytest.raises(ingest.DamagedDocument, match="can't be drawn"):
        draw(make(tmp_path / "a.pdf"), None)


@pytest.mark.parametrize("page", [-1, 0, 2, 2**31 - 1])
def test_a_page_that_is_not_there(tmp_path: Path, page: int) -> None:
    with pytest.raises(ingest.DamagedDocument, match="can't be drawn"):
        draw(written(tmp_path / "a.pdf", [(72, 700, LINE)]), None, page=page)


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(ingest.DamagedDocument):
        draw(tmp_path / "none.pdf", None)


def test_other_formats_are_not_drawn(tmp_path: Path) -> None:
    with pytest.raises(ingest.UnsupportedFormat, match="can't be drawn"):
        drawing.draw(tmp_path / "a.docx", 1, media_type=DOCX)


def test_a_bomb_ends_at_its_processor_time_or_memory(tmp_path: Path) -> None:
    path = pdfs.flate_bomb(tmp_path / "a.pdf", megabytes=400)
    with pytest.raises(ingest.TimedOut):
        drawing.draw(path, 1, media_type=PDF, limits=Limits(cpu_seconds=1))
    with pytest.raises(ingest.ReaderCrashed):
        drawing.draw(path, 1, media_type=PDF, limits=Limits(memory_bytes=160 << 20, cpu_seconds=60))


def test_waiting_ends_too_and_nothing_stays_behind(tmp_path: Path) -> None:
    path = pdfs.flate_bomb(tmp_path / "a.pdf", megabytes=400)
    before = len(os.listdir("/proc/self/fd")), children()  # noqa: PTH208 - Path.iterdir holds one of them open itself
    with pytest.raises(ingest.TimedOut):
        drawing.draw(path, 1, media_type=PDF, limits=Limits(wall_seconds=0.5))
    draw(written(tmp_path / "b.pdf", [(72, 700, LINE)]), None)
    assert (len(os.listdir("/proc/self/fd")), children()) == before  # noqa: PTH208 - the same


def children() -> set[str]:
    tasks = Path("/proc/self/task").glob("*/children")
    return {pid for task in tasks for pid in task.read_text().split()}


@pytest.mark.parametrize(
    "reply",
    [
        b"x",
        b"[]\n",
        b"{}\n",
        b"1\n",
        b'{"bytes": 3, "found": true}\nxx',
        b'{"error": "OSError", "message": ""}\n',
        b'{"bytes": 0}\n',
        b"[" * 100_000,
        b"\xff\n",
    ],
)
def test_an_answer_that_no_honest_process_gives(reply: bytes) -> None:
    with pytest.raises(ingest.ReaderCrashed):
        drawing.unpacked(reply)


@needs_samples
def test_real_pages_hold_what_reading_them_gave() -> None:
    for name, page in (("multicolumn.pdf", 1), ("pdflatex-4-pages.pdf", 2), ("google-doc-document.pdf", 1)):
        path = SAMPLES / "pdf" / name
        pages = [event for event in ingest.read(path, filename=name) if isinstance(event, ingest.Page)]
        words = pages[page - 1].text.split()
        drawn = draw(path, " ".join(words[len(words) // 2 :][:25]), page=page)
        assert drawn.found, name
        assert yellow(drawn), name


@needs_samples
def test_a_file_that_only_its_rescue_reads_has_no_picture() -> None:
    with pytest.raises(ingest.DamagedDocument):
        draw(SAMPLES / "pdf/unreadablemetadata.pdf", None)


# The rules


WORDS = st.lists(st.text("abcdefgé1ﬁßд漢", min_size=1, max_size=8), min_size=1, max_size=30)
GAPS = st.sampled_from([" ", "\r\n", " - ", "\u00ad\n", "\x02\r\n", ", ", "  ", "; "])


@given(WORDS, st.data())
def test_a_quote_is_found_whatever_lies_between_its_letters(words: list[str], data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(words) - 1))
    end = data.draw(st.integers(begin + 1, len(words)))
    gaps = data.draw(st.lists(GAPS, min_size=len(words), max_size=len(words)))
    parts = [word + gap for word, gap in zip(words, gaps, strict=True)]
    page = "".join(parts)
    start = len("".join(parts[:begin]))
    stop = len("".join(parts[:end])) - len(gaps[end - 1])
    assert (start, stop) in highlights.on_page(" ".join(words[begin:end]).upper(), page)


@given(st.text(max_size=200), st.text(max_size=40))
def test_places_hold_the_letters_of_the_quote(page: str, quote: str) -> None:
    for start, stop in highlights.on_page(quote, page):
        assert 0 <= start < stop <= len(page)
        if "…" not in quote and "..." not in quote.replace(" ", ""):
            assert highlights.fold(quote) in highlights.fold(page[start:stop])


@given(st.lists(st.text("abc .", max_size=60), min_size=3, max_size=3), st.text("abc .", max_size=40))
def test_places_over_page_breaks_lie_on_the_page(pages: list[str], quote: str) -> None:
    before, page, after = pages
    for start, stop in highlights.across(quote, before, page, after):
        assert 0 <= start < stop <= len(page)


SIDES = st.integers(-5, 30)
BOXES = st.lists(st.builds(Box, SIDES, SIDES, SIDES, SIDES), max_size=8)


def raster(width: int, height: int, *, value: int = 255, spare: int = 0) -> Raster:
    stride = 3 * width + spare
    return Raster(width, height, stride, memoryview(bytearray([value]) * (stride * height)))


@given(BOXES)
def test_marking_stays_in_the_boxes_and_marks_once(boxes: list[Box]) -> None:
    whole = [box for box in boxes if box.left >= 0 and box.top >= 0]
    drawn = raster(20, 20, spare=2)
    mark(drawn, whole)
    once = raster(1, 1)
    mark(once, [Box(0, 0, 1, 1)])
    for y in range(20):
        row = bytes(drawn.row(y))
        for x in range(20):
            held = any(box.left <= x < box.right and box.top <= y < box.bottom for box in whole)
            assert row[3 * x : 3 * x + 3] == (bytes(once.row(0)) if held else b"\xff" * 3)


def test_marked_text_stays_readable() -> None:
    shades = [raster(1, 1, value=value) for value in (0, 255)]
    for shade in shades:
        mark(shade, [Box(0, 0, 1, 1)])
    dark, light = (tuple(shade.row(0)) for shade in shades)
    assert min(light[:2]) - max(dark) > 150


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 3), st.randoms(use_true_random=False))
def test_a_png_holds_the_pixels(width: int, height: int, spare: int, chance: Random) -> None:
    pixels = chance.randbytes((3 * width + spare) * height)
    drawn = Raster(width, height, 3 * width + spare, memoryview(pixels))
    image = Image.open(io.BytesIO(png(drawn)))
    assert (image.mode, image.size) == ("RGB", (width, height))
    assert image.tobytes() == b"".join(bytes(drawn.row(y)) for y in range(height))


def test_boxes_of_a_line_join_and_lines_stay_apart() -> None:
    line = [Box(0, 0, 8, 10), Box(8, 1, 15, 11), Box(20, 0, 28, 10)]
    below = [Box(0, 12, 8, 22), Box(9, 12, 16, 22)]
    far = [Box(200, 12, 208, 22)]
    assert merged(line + below + far) == [Box(0, 0, 28, 11), Box(0, 12, 16, 22), Box(200, 12, 208, 22)]
    upright = [Box(0, 20, 10, 28), Box(0, 10, 10, 18), Box(1, 0, 11, 9)]
    assert merged(upright) == [Box(0, 0, 11, 28)]
    under = [Box(0, 0, 8, 10), Box(8, 0, 16, 10), Box(8, 11, 16, 21), Box(16, 11, 24, 21)]
    assert merged(under) == [Box(0, 0, 16, 10), Box(8, 11, 24, 21)]
