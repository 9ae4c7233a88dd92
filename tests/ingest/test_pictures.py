"""Images as documents: each frame a page, as it is meant to be seen, and none that can do harm."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest
from PIL import Image

import ingest
from ingest import DamagedDocument, Flag, Page, Picture, TooLarge, Unit
from ingest.formats import BMP, GIF, JPEG, PNG, TIFF, WEBP, picture_render, pictures
from ingest.sniff import sniff
from tests.support import sheets

needs_ocr = pytest.mark.skipif(not sheets.HAS_OCR, reason="Tesseract is not here")

KINDS = {PNG: "PNG", JPEG: "JPEG", WEBP: "WEBP", TIFF: "TIFF", GIF: "GIF", BMP: "BMP"}
SENTENCE = "The harbour was opened in 1871."


def saved(image: Image.Image, path: Path, media_type: str = PNG, **options: object) -> Path:
    image.save(path, KINDS[media_type], **options)
    return path


def read(path: Path, *, languages: tuple[str, ...] = ("eng",)) -> list[Page]:
    events = ingest.read(path, filename=path.name, languages=languages)
    return [event for event in events if isinstance(event, Page)]


@pytest.mark.parametrize("media_type", sorted(KINDS))
def test_every_kind_is_one_page_to_look_at(tmp_path: Path, media_type: str) -> None:
    path = saved(sheets.sheet([SENTENCE], width=640), tmp_path / "a", media_type)
    assert sniff(path, "a.txt") == media_type
    started, page, finished = ingest.read(path, filename="a", languages=())
    assert started == ingest.Started(media_type, Unit.PAGE, 1)
    assert page == Page(1, "", flags=(Flag.NO_TEXT, Flag.SCAN), picture=Picture(640, 180))
    assert isinstance(finished, ingest.Finished)
    assert (finished.title, finished.warnings) == (None, ())


def transparent(image: Image.Image) -> Image.Image:
    """Letters on nothing: what is clear is black beneath."""
    clear = Image.new("RGBA", image.size, (0, 0, 0, 0))
    clear.putalpha(image.point(lambda shade: 255 - shade))
    return clear


def deep(image: Image.Image) -> Image.Image:
    """16 bits of which the upper ones are not used, as of some scanners."""
    return image.convert("I").point(lambda shade: shade * 4 + 900).convert("I;16")


@needs_ocr
@pytest.mark.parametrize(
    ("media_type", "changed"),
    [
        (PNG, lambda image: image),
        (PNG, transparent),
        (PNG, deep),
        (PNG, lambda image: image.convert("1")),
        (GIF, lambda image: image.convert("P")),
        (JPEG, lambda image: image.convert("CMYK")),
        (TIFF, lambda image: image.convert("F")),
    ],
    ids=["grey", "transparent", "16 bits", "1 bit", "palette", "cmyk", "floats"],
)
def test_its_text_is_read_however_it_is_kept(
    tmp_path: Path, media_type: str, changed: Callable[[Image.Image], Image.Image]
) -> None:
    (page,) = read(saved(changed(sheets.sheet([SENTENCE], width=700)), tmp_path / "a", media_type))
    assert (page.text, page.flags) == (SENTENCE, (Flag.OCR, Flag.SCAN))


@needs_ocr
def test_letters_of_a_screen_are_large_enough(tmp_path: Path) -> None:
    (page,) = read(saved(sheets.sheet([SENTENCE], size=13, width=400), tmp_path / "a"))
    assert page.text == SENTENCE
    assert page.picture == Picture(400, 146)


@needs_ocr
@pytest.mark.parametrize("media_type", [JPEG, TIFF])
def test_the_camera_says_which_side_is_up(tmp_path: Path, media_type: str) -> None:
    tags = Image.Exif()
    tags[0x0112] = 6  # shown after a quarter turn clockwise
    image = sheets.sheet([SENTENCE], width=700)
    (page,) = read(saved(image.rotate(90, expand=True), tmp_path / "a", media_type, exif=tags))
    assert (page.text, page.picture) == (SENTENCE, Picture(700, 180))


@needs_ocr
def test_each_frame_of_a_tiff_is_a_page(tmp_path: Path) -> None:
    first, second = sheets.sheet(["One page."], width=300), sheets.sheet(["Another page."], width=400)
    path = saved(first, tmp_path / "a", TIFF, save_all=True, append_images=[second, sheets.noise()])
    pages = read(path)
    assert [page.text for page in pages] == ["One page.", "Another page.", ""]
    assert [page.picture for page in pages] == [Picture(300, 180), Picture(400, 180), Picture(700, 700)]


@pytest.mark.parametrize("media_type", [GIF, PNG, WEBP])
def test_an_animation_is_its_first_frame_and_says_so(tmp_path: Path, media_type: str) -> None:
    image = sheets.noise()
    path = saved(image, tmp_path / "a", media_type, save_all=True, append_images=[image.rotate(90)])
    *events, finished = ingest.read(path, filename="a", languages=())
    assert len([event for event in events if isinstance(event, Page)]) == 1
    assert isinstance(finished, ingest.Finished)
    assert [notice.code for notice in finished.warnings] == ["frames_left_out"]


def test_a_long_tiff_is_opened_once_for_a_range(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    whole = Path.open
    images = [Image.new("1", (9, 9))] * 30
    path = saved(images[0], tmp_path / "a", TIFF, save_all=True, append_images=images)
    reading = pictures.open_document(path, TIFF)

    def counted(at: Path, mode: str) -> IO[bytes]:
        opened.append(at)
        return whole(at, mode)

    monkeypatch.setattr(Path, "open", counted)
    assert [page.number for page in reading.pages()] == list(range(1, 32))
    assert opened == [path]


def test_transparent_shades_of_16_bits_are_read_as_others_are(tmp_path: Path) -> None:
    image = Image.new("I;16", (40, 40), 900)
    image.paste(1_900, (0, 0, 20, 40))
    path = saved(image, tmp_path / "a", transparency=5)
    assert set(pictures.bitmap(path, PNG, 0).pixels[:50]) == {255}
    (jpeg,) = picture_render.pictures(path, [(1, 40, 40)])
    with Image.open(io.BytesIO(jpeg)) as sent:
        assert sent.getpixel((5, 5)) == 255
        assert sent.getpixel((35, 5)) == 0


def test_an_empty_sheet_is_blank(tmp_path: Path) -> None:
    (page,) = read(saved(Image.new("L", (90, 90), 250), tmp_path / "a"))
    assert page == Page(1, "", flags=(Flag.BLANK,))


@pytest.mark.parametrize("media_type", sorted(KINDS))
@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9])
def test_an_image_that_was_cut_off_is_refused(tmp_path: Path, media_type: str, keep: float) -> None:
    path = saved(sheets.noise(), tmp_path / "a", media_type)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(DamagedDocument, match=r"damaged or was cut off"):
        read(path, languages=())


def test_a_damaged_frame_costs_itself_alone(tmp_path: Path) -> None:
    image = sheets.noise()
    path = saved(image, tmp_path / "a", TIFF, save_all=True, append_images=[image.rotate(90), image])
    data = path.read_bytes()
    strip = image.rotate(90).tobytes()[:500]
    assert strip in data
    with Image.open(path) as opened:
        opened.seek(1)
        offset = struct.pack("<L", opened.tag_v2[273][0])  # type: ignore[attr-defined]
    path.write_bytes(data.replace(offset, struct.pack("<L", len(data) + 9)))
    *events, finished = ingest.read(path, filename="a", languages=())
    pages = [event for event in events if isinstance(event, Page)]
    assert [page.picture is None for page in pages] == [False, True, False]
    assert isinstance(finished, ingest.Finished)
    assert [(notice.code, notice.page) for notice in finished.warnings] == [("page_unreadable", 2)]


def bomb(path: Path, across: int, up: int) -> Path:
    """A PNG of some bytes that claims to be larger than memory."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", across, up, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(bytes(9_000))), chunk(b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


@pytest.mark.parametrize("side", [9_000, 12_000, 60_000, 2_000_000_000])
def test_more_pixels_than_anybody_looks_at_are_refused(tmp_path: Path, side: int) -> None:
    with pytest.raises(TooLarge, match="Scale it down"):
        read(bomb(tmp_path / "a", side, side))


def test_more_frames_than_anybody_leafs_through_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "MAX_FRAMES", 3)
    images = [Image.new("1", (9, 9))] * 2
    path = saved(images[0], tmp_path / "a", TIFF, save_all=True, append_images=images)
    assert pictures.open_document(path, TIFF).total == 3
    saved(images[0], path, TIFF, save_all=True, append_images=[*images, *images])
    with pytest.raises(TooLarge, match="3 frames"):
        pictures.open_document(path, TIFF)


@pytest.mark.parametrize(
    ("size", "most"), [((8_000, 6_000), 20_000_000), ((20_000, 50), 10_000 * 50), ((50, 20_000), 10_000 * 50)]
)
def test_what_is_recognised_and_drawn_is_bounded(tmp_path: Path, size: tuple[int, int], most: int) -> None:
    path = saved(Image.new("RGBA", size, (9, 9, 9, 200)), tmp_path / "a")
    found = pictures.bitmap(path, PNG, 0)
    assert found.width * found.height == len(found.pixels) <= most
    assert max(found.width, found.height) <= 10_000
    width, height, rows = pictures.picture(path, PNG, 0, width=3_000)
    assert width <= 3_000
    assert height <= 10_000
    assert len(rows) == 3 * width * height


@pytest.mark.parametrize("index", [-1, 1, 9])
def test_a_frame_that_is_not_there(tmp_path: Path, index: int) -> None:
    path = saved(sheets.noise(), tmp_path / "a")
    with pytest.raises(DamagedDocument):
        pictures.picture(path, PNG, index, width=100)
