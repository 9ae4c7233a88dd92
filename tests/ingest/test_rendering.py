"""Pages as JPEGs to send: exactly as large as asked, the same bytes each time, and no file can do harm."""

from __future__ import annotations

import io
import json
import os
import socket
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageStat
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

import ingest
from ingest import Limits, drawing, rendering
from ingest.formats import DOCX, PDF, READERS, picture_render
from ingest.rendering import Reply, View, pictures
from tests.support import pdfs

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample documents are not here")

PNG = "image/png"


def rendered(path: Path, *views: View, media_type: str = PDF, **limits: float) -> list[Image.Image]:
    found = pictures(path, views, media_type=media_type, limits=Limits(**limits))  # type: ignore[arg-type]
    return [opened(jpeg) for jpeg in found]


def opened(jpeg: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(jpeg))
    assert image.format == "JPEG"
    image.load()
    return image


def coloured_pdf(path: Path) -> Path:
    """One grey page, one with a red square on its upper left, and one landscape page."""
    canvas = Canvas(str(path), pagesize=A4, invariant=True)
    canvas.drawString(72, 700, "A grey page.")
    canvas.showPage()
    canvas.setFillColorRGB(1, 0, 0)
    canvas.rect(0, A4[1] / 2, A4[0] / 2, A4[1] / 2, stroke=0, fill=1)
    canvas.showPage()
    canvas.setPageSize((A4[1], A4[0]))
    canvas.drawString(72, 400, "Across.")
    canvas.showPage()
    canvas.save()
    return path


# Pages of PDFs


def test_pages_come_in_the_order_and_at_the_size_asked(tmp_path: Path) -> None:
    path = coloured_pdf(tmp_path / "a.pdf")
    views = (View(2, 300, 421), View(1, 1, 1), View(3, 640, 99), View(2, 300, 421))
    images = rendered(path, *views)
    assert [image.size for image in images] == [(300, 421), (1, 1), (640, 99), (300, 421)]
    assert images[0].tobytes() == images[3].tobytes()


def test_a_grey_page_is_sent_without_colours(tmp_path: Path) -> None:
    grey, red = rendered(coloured_pdf(tmp_path / "a.pdf"), View(1, 200, 283), View(2, 200, 283))
    assert (grey.mode, red.mode) == ("L", "RGB")
    assert grey.getextrema()[0] < 200 < grey.getpixel((2, 2))  # type: ignore[operator]
    corners = [red.getpixel(at) for at in ((20, 20), (180, 20), (20, 260), (180, 260))]
    assert [min(pixel) > 240 for pixel in corners] == [False, True, True, True]  # type: ignore[arg-type]
    assert corners[0][0] > 240  # type: ignore[index]


def test_the_same_page_gives_the_same_bytes(tmp_path: Path) -> None:
    path = coloured_pdf(tmp_path / "a.pdf")
    views = (View(1, 400, 566), View(2, 400, 566))
    first, again = (list(pictures(path, views, media_type=PDF)) for _ in range(2))
    assert first == again
    assert list(pictures(path, views[1:], media_type=PDF)) == first[1:]


def test_it_looks_as_it_is_drawn(tmp_path: Path) -> None:
    path = pdfs.filled_form(tmp_path / "a.pdf", "Ada Lovelace", with_looks=False)
    looks = Image.open(io.BytesIO(drawing.draw(path, 1, media_type=PDF, width=800).png)).convert("L")
    (sent,) = rendered(path, View(1, *looks.size))
    assert ImageStat.Stat(ImageChops.difference(looks, sent.convert("L"))).mean[0] < 2
    empty = Image.new("L", looks.size, "white")
    assert ImageStat.Stat(ImageChops.difference(empty, sent.convert("L"))).mean[0] > 0.2


def test_nothing_wanted_starts_nothing(tmp_path: Path) -> None:
    assert rendered(tmp_path / "none.pdf") == []


@needs_samples
def test_real_scans_and_pages_can_be_seen() -> None:
    path = SAMPLES / "us-agency-reports/2015-annual-performance-report.pdf"
    for image in rendered(path, View(1, 688, 890), View(40, 688, 890)):
        assert ImageStat.Stat(image.convert("L")).stddev[0] > 5


# Images


def drawn(mode: str, size: tuple[int, int] = (120, 80)) -> Image.Image:
    """White, with a black square in the upper left corner."""
    image = Image.new("L", size, 255)
    ImageDraw.Draw(image).rectangle((0, 0, 39, 39), fill=0)
    return image.convert(mode)


def saved(path: Path, image: Image.Image, kind: str, **more: object) -> Path:
    image.save(path, kind, **more)
    return path


def has_its_square(image: Image.Image, *, across: float = 20, down: float = 20) -> bool:
    grey = image.convert("L")
    dark, light = (int(across * image.width / 120), int(down * image.height / 80)), (image.width - 8, 5)
    return grey.getpixel(dark) < 40 and grey.getpixel(light) > 215  # type: ignore[operator]


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("1", "PNG"),
        ("L", "PNG"),
        ("P", "PNG"),
        ("RGB", "PNG"),
        ("RGBA", "PNG"),
        ("LA", "PNG"),
        ("L", "JPEG"),
        ("RGB", "JPEG"),
        ("CMYK", "JPEG"),
        ("RGB", "WEBP"),
        ("1", "TIFF"),
        ("CMYK", "TIFF"),
        ("F", "TIFF"),
        ("P", "GIF"),
        ("RGB", "BMP"),
    ],
)
def test_images_of_every_kind_come_out_alike(tmp_path: Path, mode: str, kind: str) -> None:
    path = saved(tmp_path / "a", drawn(mode), kind)
    image = opened(next(picture_render.pictures(path, [(1, 60, 40)])))
    assert image.size == (60, 40)
    assert has_its_square(image)
    assert image.mode == "L"


def test_sixteen_bits_a_pixel_are_not_all_white(tmp_path: Path) -> None:
    wide = drawn("I").point(lambda value: value * 257).convert("I;16")
    image = opened(next(picture_render.pictures(saved(tmp_path / "a", wide, "PNG"), [(1, 120, 80)])))
    assert has_its_square(image)


def test_what_is_transparent_stands_on_white(tmp_path: Path) -> None:
    ink = Image.new("RGBA", (120, 80), (0, 0, 0, 0))
    ink.paste((0, 0, 0, 255), (0, 0, 40, 40))
    image = opened(next(picture_render.pictures(saved(tmp_path / "a", ink, "PNG"), [(1, 120, 80)])))
    assert has_its_square(image)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_turned_photograph_is_upright(tmp_path: Path, kind: str, mode: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    path = saved(tmp_path / "a", drawn(mode).rotate(90, expand=True), kind, exif=exif)
    assert has_its_square(opened(next(picture_render.pictures(path, [(1, 120, 80)]))))


def test_an_uncompressed_tiff_is_turned_whole(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    shapes = Image.effect_mandelbrot((90, 60), (-2.0, -1.5, 1.0, 1.5), 60)
    path = saved(tmp_path / "a", shapes.rotate(90, expand=True), "TIFF", exif=exif)
    (found,) = picture_render.pictures(path, [(1, 90, 60)])
    assert ImageStat.Stat(ImageChops.difference(opened(found), shapes)).mean[0] < 10


def test_each_frame_is_a_page(tmp_path: Path) -> None:
    frames = [Image.new("L", (30, 40), shade) for shade in (10, 120, 240)]
    path = saved(tmp_path / "a.tif", frames[0], "TIFF", save_all=True, append_images=frames[1:])
    found = rendered(path, View(3, 30, 40), View(1, 15, 20), View(2, 30, 40), media_type="image/tiff")
    assert [image.getpixel((5, 5)) for image in found] == [240, 10, 120]
    with pytest.raises(ingest.DamagedDocument, match="can't be shown"):
        rendered(path, View(4, 30, 40), media_type="image/tiff")


def test_a_large_photograph_is_made_small(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.jpg", drawn("RGB").resize((6000, 4000)), "JPEG")
    (image,) = rendered(path, View(1, 480, 320), media_type="image/jpeg")
    assert image.size == (480, 320)
    assert has_its_square(image)


def test_too_much_detail_for_one_string_is_refused(tmp_path: Path) -> None:
    noise = Image.effect_noise((3600, 3600), 200)
    path = saved(tmp_path / "a.bmp", noise, "BMP")
    with pytest.raises(ingest.TooLarge, match="less detail"):
        rendered(path, View(1, 3600, 3600), media_type="image/bmp", cpu_seconds=60, wall_seconds=120)
    assert len(rendered(path, View(1, 300, 300), media_type="image/bmp")) == 1


# What ends it


def test_pages_before_a_missing_one_come(tmp_path: Path) -> None:
    found = pictures(coloured_pdf(tmp_path / "a.pdf"), [View(3, 20, 20), View(4, 20, 20)], media_type=PDF)
    assert opened(next(found)).size == (20, 20)
    with pytest.raises(ingest.DamagedDocument, match="can't be drawn"):
        next(found)


def unfinished(path: Path) -> Path:
    path.write_bytes(b"%PDF-1.7\nnothing more")
    return path


@pytest.mark.parametrize("make", [unfinished, partial(pdfs.encrypted_pdf, user="a", owner="b"), Path])
@pytest.mark.parametrize("media_type", [PDF, PNG])
def test_a_file_that_is_none_says_so(tmp_path: Path, make: Callable[[Path], Path], media_type: str) -> None:
    with pytest.raises(ingest.DamagedDocument):
        rendered(make(tmp_path / "a"), View(1, 9, 9), media_type=media_type)


def test_other_formats_and_sizes_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ingest.UnsupportedFormat, match="can't be sent as pictures"):
        pictures(tmp_path / "a.docx", [View(1, 9, 9)], media_type=DOCX)
    for width, height in ((0, 9), (9, -1), (20_001, 1), (9_000, 9_000)):
        with pytest.raises(ValueError, match="none that can be made"):
            pictures(tmp_path / "a.pdf", [View(1, width, height)], media_type=PDF)
    assert (rendering.is_renderable(PDF), rendering.is_renderable(DOCX)) == (True, False)
    for media_type in (*READERS, "image/svg+xml"):
        assert rendering.is_renderable(media_type) is drawing.is_drawable(media_type)


def test_a_bomb_ends_at_its_processor_time_memory_or_wait(tmp_path: Path) -> None:
    path = pdfs.flate_bomb(tmp_path / "a.pdf", megabytes=400)
    before = held()
    for limits, error in (
        ({"cpu_seconds": 1}, ingest.TimedOut),
        ({"memory_bytes": 160 << 20, "cpu_seconds": 60}, ingest.ReaderCrashed),
        ({"wall_seconds": 0.5}, ingest.TimedOut),
    ):
        with pytest.raises(error):
            rendered(path, View(1, 99, 99), **limits)
    assert held() == before


def test_closing_early_ends_the_process(tmp_path: Path) -> None:
    path = coloured_pdf(tmp_path / "a.pdf")
    before = held()
    found = pictures(path, [View(1, 2000, 2000)] * 50, media_type=PDF)
    next(found)
    assert len(held()[1] - before[1]) == 1
    assert isinstance(found, Iterator)
    found.close()  # type: ignore[attr-defined]
    assert held() == before


def held() -> tuple[int, set[str]]:
    """How many files are open here, and the processes that were started."""
    tasks = Path("/proc/self/task").glob("*/children")
    started = {pid for task in tasks for pid in task.read_text().split()}
    return len(os.listdir("/proc/self/fd")), started  # noqa: PTH208 - Path.iterdir holds one of them open itself


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (b"", EOFError),
        (b'{"bytes": 3}\nxx', EOFError),
        (b"x\n", ingest.ReaderCrashed),
        (b"[]\n", ingest.ReaderCrashed),
        (b"{}\n", ingest.ReaderCrashed),
        (b'{"bytes": "3"}\nxxx', ingest.ReaderCrashed),
        (b'{"bytes": 0}\n', ingest.ReaderCrashed),
        (b'{"bytes": 99999999}\n', ingest.ReaderCrashed),
        (b"x" * 5_000, ingest.ReaderCrashed),
        (b'{"error": "OSError", "message": ""}\n', ingest.ReaderCrashed),
        (b'{"error": "TooLarge", "message": "no"}\n', ingest.TooLarge),
    ],
)
def test_an_answer_that_no_honest_process_gives(reply: bytes, error: type[Exception]) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            theirs.sendall(reply)
        with pytest.raises(error):
            Reply(ours, 10).picture()


def test_an_answer_in_pieces_is_put_together() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(json.dumps({"bytes": 4}).encode() + b'\n\xff\n{}{"bytes": 1}\n')
        reply = Reply(ours, 10)
        assert reply.picture() == b"\xff\n{}"
        theirs.sendall(b"x")
        assert reply.picture() == b"x"
        with pytest.raises(TimeoutError):
            Reply(ours, 0).picture()


@given(
    kind=st.sampled_from(["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP"]),
    seed=st.integers(0, 2**32),
    keep=st.floats(0, 1),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_image_is_shown_or_says_so(tmp_path: Path, kind: str, seed: int, keep: float) -> None:
    chance = Random(seed)  # noqa: S311 - damages, guards nothing
    data = bytearray(saved(tmp_path / "whole", drawn("L"), kind).read_bytes())
    for _ in range(chance.randrange(1, 8)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    path = tmp_path / "damaged"
    path.write_bytes(data[: max(1, int(keep * len(data)))])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            (jpeg,) = picture_render.pictures(path, [(1, 30, 20)])
        except ingest.DamagedDocument:
            return
    assert opened(jpeg).size == (30, 20)
