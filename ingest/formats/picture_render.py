"""Pages as JPEG at an exact size, through Pillow: of rasters, and of files that are images themselves.

Runs in a guarded process alone (`ingest.renderer`). The same input gives the same bytes, as long as Pillow is
the same: providers recognise what they have seen by its bytes.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from PIL import Image, ImageChops, ImageOps

from ingest.errors import DamagedDocument
from ingest.raster import Raster

QUALITY: Final = 85
FORMATS: Final = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP")

NOT_RENDERED: Final = (
    "The image can't be shown: the file is damaged there. Save it anew and upload that file."
)

_FAULTS: Final = (
    ArithmeticError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow's readers raise on files that break their own format."""
_REDUCIBLE: Final = frozenset({"L", "LA", "RGB", "RGBA", "CMYK"})
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
        with Image.open(path, formats=FORMATS) as image:
            image.seek(number - 1)
            image.draft("RGB", (max(size), max(size)))  # a large JPEG is decoded to about this size at once
            ImageOps.exif_transpose(image, in_place=True)
            shown = _on_white(_reduced(image, size))
            return shown.resize(size, Image.Resampling.LANCZOS, reducing_gap=_GAP)
    except _FAULTS as fault:
        raise DamagedDocument(NOT_RENDERED) from fault


def _reduced(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return a very large picture at no less than twice the size wanted, before copies of it are made."""
    times = int(min(image.width / size[0], image.height / size[1]) / _GAP)
    return image.reduce(times) if times > 1 and image.mode in _REDUCIBLE else image


def _on_white(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    if image.mode == "F" or image.mode.startswith("I"):
        return _in_eight_bits(image)
    if image.mode == "1":
        return image.convert("L")
    return image if image.mode in {"L", "RGB"} else image.convert("RGB")


def _in_eight_bits(image: Image.Image) -> Image.Image:
    """Bring shades of 16 bits and more to 8: the darkest that is there becomes black, the brightest white."""
    wide = image.convert("F")
    darkest, brightest = (float(shade) for shade in wide.getextrema() if isinstance(shade, int | float))
    step = 255 / (brightest - darkest) if brightest > darkest else 0.0
    return wide.point(lambda shade: shade * step - darkest * step).convert("L")


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
