"""Makes pictures of text, as scanners and screens do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from ingest import recognition
from ingest.raster import Bitmap

HAS_OCR = not recognition.missing(["eng"])

PROSE = (
    "The harbour of the northern town was opened in 1871 and",
    "closed for repairs eleven years later. Its keeper wrote that",
    "the revenue of 4,512 pounds had paid for both breakwaters,",
    "while the lighthouse remained unfinished until the spring.",
    "Vessels from seven countries were counted, among them two",
    "whalers whose captains asked for winter quarters ashore.",
)


def sheet(lines: Sequence[str] = PROSE, *, size: int = 30, width: int = 1100) -> Image.Image:
    """Return black lines on white; 30 pixels are the height of 11-point letters at 200 dpi."""
    image = Image.new("L", (width, 120 + 2 * size * max(1, len(lines))), 255)
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=size)
    for row, line in enumerate(lines):
        pen.text((60, 60 + 2 * size * row), line, fill=0, font=font)
    return image


def bitmap(image: Image.Image) -> Bitmap:
    grey = image.convert("L")
    return Bitmap(grey.width, grey.height, grey.tobytes())


def noise() -> Image.Image:
    """Return what a photograph without text is like: shades, edges and grain."""
    shapes = Image.effect_mandelbrot((700, 700), (-2.0, -1.5, 1.0, 1.5), 60)
    return Image.blend(shapes, Image.effect_noise((700, 700), 60), 0.4)


def scanned_pdf(path: Path, pages: Sequence[Image.Image | str | None], *, caption: str = "") -> Path:
    """Write a page for each: a picture over all of it with the caption on it, a line of text, or nothing."""
    canvas = Canvas(str(path), pagesize=A4, invariant=True)
    for page in pages:
        if isinstance(page, Image.Image):
            canvas.drawImage(ImageReader(_upright(page)), 0, 0, *A4)
            canvas.drawString(20, 20, caption)
        elif page:
            canvas.drawString(72, 720, page)
        canvas.showPage()
    canvas.save()
    return path


def _upright(image: Image.Image) -> Image.Image:
    """Return the image at the top of a sheet of A4's proportions."""
    paper = Image.new("L", (image.width, max(image.height, int(image.width * 1.414))), 255)
    paper.paste(image, (0, 0))
    return paper
