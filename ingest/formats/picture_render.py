"""Pages as JPEG at an exact size, through Pillow: of rasters, and of files that are images themselves.

Runs in a guarded process alone (`ingest.renderer`). The same input gives the same bytes, as long as Pillow is
the same: providers recognise what they have seen by its bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from PIL import Image, ImageChops

from ingest.errors import DamagedDocument, TooLarge
from ingest.formats.picture_files import decode, on_white, opened, reduced, sound, turned
from ingest.raster import Raster

QUALITY: Final = 85
FORMATS: Final = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP")

NOT_RENDERED: Final = (
    "The image can't be shown: the file is damaged there. Save it anew and upload that file."
)

_GAP: Final = 2.0
_GREY: Final = 2
"""How far the channels of a grey pixel may lie apart: what rounding between colour spaces leaves."""


def jpeg(raster: Raster) -> bytes:
    """Return the raster as a JPEG, in shades of grey where nothing on it has a colour."""
    size = (raster.width, raster.height)
    return _packed(Image.frombytes("RGB", size, bytes(raster.pixels), "raw", "RGB", raster.stride, 1))


def pictures(path: Path, pages: Iterable[tuple[int, int, int]]) -> Iterator[bytes]:
    """Yield each frame (1-based number, width, height) of an image file as a JPEG of exactly so many pixels.

    What a camera turned is turned upright, what is transparent stands on white.

    Raises:
        DamagedDocument: it is no such image, or has no such frame.
    """
    for number, width, height in pages:
        yield _packed(_frame(path, number, (width, height)))


def _frame(path: Path, number: int, size: tuple[int, int]) -> Image.Image:
    try:
        with opened(path, FORMATS) as image, sound():
            turn = decode(image, number - 1, side=max(size))
            upright = turned(image, turn)
            # No less than twice the size wanted, for what follows to look the same.
            times = int(min(upright.width / size[0], upright.height / size[1]) / _GAP)
            return on_white(reduced(upright, times)).resize(size, Image.Resampling.LANCZOS, reducing_gap=_GAP)
    except (DamagedDocument, TooLarge, OSError) as fault:
        raise DamagedDocument(NOT_RENDERED) from fault


def _packed(image: Image.Image) -> bytes:
    held = io.BytesIO()
    shown = image.getchannel(1) if _is_grey(image) else image
    shown.save(held, "JPEG", quality=QUALITY, optimize=True)
    return held.getvalue()


def _is_grey(image: Image.Image) -> bool:
    if image.mode != "RGB":
        return False
    red, green, blue = image.split()
    return all(_widest(ImageChops.difference(green, other)) <= _GREY for other in (red, blue))


def _widest(difference: Image.Image) -> int:
    """Return the largest value of a picture of one channel."""
    return int(difference.getextrema()[1])  # type: ignore[arg-type]  # two numbers, since it has one channel
