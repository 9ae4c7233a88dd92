"""Images as documents, one page a frame, through Pillow."""

from __future__ import annotations

import math
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from PIL import Image

from ingest.document import Notice, Picture, Unit
from ingest.errors import DamagedDocument, TooLarge
from ingest.formats import BMP, GIF, JPEG, PNG, TIFF, WEBP, RawPage, Reading
from ingest.raster import Bitmap
from ingest.recognition import MAX_PIXELS, MAX_SIDE

LARGEST: Final = 80_000_000
"""Pixels of one frame; a camera's largest pictures have 60 million, an A0 sheet at 200 dpi 62 million."""
LONGEST: Final = 200_000
"""Pixels of one side; no format for photographs has more than 65,535."""
MAX_FRAMES: Final = 5_000

TOO_MANY_PIXELS: Final = (
    f"The image has more than {LARGEST:,} pixels in one frame, or {LONGEST:,} on one side. "
    "Scale it down and upload it again."
)
DAMAGED: Final = (
    "The image is damaged or was cut off. Open it in an image viewer, save it anew and upload that file."
)

_CODECS: Final = {PNG: "PNG", JPEG: "JPEG", WEBP: "WEBP", TIFF: "TIFF", GIF: "GIF", BMP: "BMP"}
_ORIENTATION: Final = 0x0112
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What a value of the Exif tag Orientation asks for (TIFF 6.0, page 36); Pillow turns counter-clockwise."""
_SIDEWAYS: Final = frozenset(_TURNS[value] for value in (5, 6, 7, 8))
_ENLARGED: Final = ((700_000, 3), (2_600_000, 2))
"""Screenshots have letters of ten pixels: pictures with fewer pixels are recognised so many times larger.
Measured: F1 .97 grows to .998 at 96 dpi, .75 to .985 at 72 dpi."""
_REDUCIBLE: Final = frozenset({"L", "LA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"})
_WHITE: Final = (255, 255, 255, 255)
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
)
"""What decoding a broken image ends with."""


def open_document(path: Path, media_type: str) -> Reading:
    """Open an image.

    Raises:
        DamagedDocument: it can't be decoded.
        TooLarge: it has too many pixels or frames.
    """
    with _opened(path, media_type) as image:
        total = _frames(image) if media_type == TIFF else 1
    return _Frames(path, media_type, total)


def picture(path: Path, media_type: str, index: int, *, width: int) -> tuple[int, int, bytearray]:
    """Return a frame (0-based), at most `width` pixels wide, as its size and its rows in RGB.

    Raises:
        DamagedDocument: it can't be decoded.
        TooLarge: it has too many pixels.
    """
    with _opened(path, media_type) as image, _sound():
        shown = _shown(image, index).convert("RGB")
        drawn = _scaled(shown, width / shown.width)
        return drawn.width, drawn.height, bytearray(drawn.tobytes())


def bitmap(path: Path, media_type: str, index: int) -> Bitmap:
    """Return a frame (0-based) in grey, in a size that is recognised well.

    Raises:
        DamagedDocument: it can't be decoded.
        TooLarge: it has too many pixels.
    """
    with _opened(path, media_type) as image, _sound():
        grey = _shown(image, index).convert("L")
        pixels = grey.width * grey.height
        grey = _scaled(grey, next((by for bound, by in _ENLARGED if pixels < bound), 1))
        return Bitmap(grey.width, grey.height, grey.tobytes())


class _Frames:
    """An image's frames. The file is opened anew for each: forks of this process draw them too."""

    unit = Unit.PAGE
    title: str | None = None

    def __init__(self, path: Path, media_type: str, total: int) -> None:
        self.media_type = media_type
        self.total = total
        self.notices: list[Notice] = []
        self._path = path

    def pages(self) -> Iterator[RawPage]:
        return self.part(0, self.total)

    def part(self, first: int, stop: int) -> Iterator[RawPage]:
        """Yield the frames from index `first` (0-based) up to and without `stop`."""
        for index in range(first, stop):
            yield self._page(index)

    def bitmap(self, index: int) -> Bitmap:
        """Return a frame to be recognised."""
        return bitmap(self._path, self.media_type, index)

    def close(self) -> None:
        """Nothing is open."""

    def _page(self, index: int) -> RawPage:
        try:
            with _opened(self._path, self.media_type) as image, _sound():
                size = _size(image, index)
        except (DamagedDocument, TooLarge):
            if self.total == 1:
                raise
            return RawPage(index + 1, "", notices=(_unreadable(index + 1),))
        return RawPage(index + 1, "", image_area=1.0, picture=size)


def _unreadable(number: int) -> Notice:
    return Notice("page_unreadable", f"Page {number} is damaged and could not be read.", number)


@contextmanager
def _opened(path: Path, media_type: str) -> Iterator[Image.Image]:
    # A file, not its name: what has a name Pillow 13 maps into memory, and swaps the sides of turned TIFFs.
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what a camera wrote wrong; sizes are checked here
        with _sound():
            image = Image.open(file, formats=[_CODECS[media_type]])
        with image:
            _refuse_large(image)
            yield image


@contextmanager
def _sound() -> Iterator[None]:
    """Let the block end well.

    Raises:
        DamagedDocument, TooLarge: in place of whatever Pillow ends with.
    """
    try:
        yield
    except Image.DecompressionBombError as fault:
        raise TooLarge(TOO_MANY_PIXELS) from fault
    except _FAULTS as fault:
        raise DamagedDocument(DAMAGED) from fault


def _refuse_large(image: Image.Image) -> None:
    if image.width * image.height > LARGEST or max(image.size) > LONGEST:
        raise TooLarge(TOO_MANY_PIXELS)


def _frames(image: Image.Image) -> int:
    """Return how many frames there are, each of which has to be found through the one before."""
    for count in range(1, MAX_FRAMES + 1):
        try:
            image.seek(count)
        except EOFError:
            return count
        except _FAULTS:  # the chain of frames is broken off: what came before is there
            return count
    raise TooLarge(f"The image has more than {MAX_FRAMES:,} frames. Split it and upload the parts.")


def _size(image: Image.Image, index: int) -> Picture:
    """Return a frame's size as it is shown, once it is decoded: one that is cut off can't be."""
    swapped = _decode(image, index) in _SIDEWAYS
    return Picture(image.height, image.width) if swapped else Picture(image.width, image.height)


def _shown(image: Image.Image, index: int) -> Image.Image:
    """Return a frame turned as its camera meant it, on white where it is transparent, in 8 bits a channel."""
    turn = _decode(image, index)
    upright = _reduced(image)
    if turn is not None:
        upright = upright.transpose(turn)
    if upright.mode == "F" or upright.mode.startswith("I"):
        return _stretched(upright)
    if upright.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in upright.info:
        clear = upright.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", clear.size, _WHITE), clear)
    return upright


def _decode(image: Image.Image, index: int) -> Image.Transpose | None:
    """Load a frame, and return how it still has to be turned to be shown; Pillow has turned TIFFs itself."""
    image.seek(index)
    _refuse_large(image)
    image.load()
    return _TURNS.get(image.getexif().get(_ORIENTATION, 1))


def _reduced(image: Image.Image) -> Image.Image:
    """Return a very large picture smaller, before copies of it are made."""
    times = math.ceil(math.sqrt(image.width * image.height / MAX_PIXELS))
    if times < 2 or image.mode not in _REDUCIBLE:  # noqa: PLR2004 - to its half at least
        return image
    return image.reduce(times)


def _scaled(image: Image.Image, factor: float) -> Image.Image:
    """Return it so many times as large, within the bounds of what is drawn and recognised."""
    bound = math.sqrt(MAX_PIXELS / image.width / image.height)
    factor = min(factor, bound, MAX_SIDE / max(image.width, image.height))
    if factor == 1:
        return image
    return image.resize((max(1, int(image.width * factor)), max(1, int(image.height * factor))))


def _stretched(image: Image.Image) -> Image.Image:
    """Bring shades of 16 and more bits to 8: from the darkest that is there to the brightest."""
    wide = image.convert("F")
    darkest, brightest = (float(shade) for shade in wide.getextrema() if isinstance(shade, int | float))
    scale = 255 / max(brightest - darkest, 1e-9)
    return wide.point(lambda shade: shade * scale - darkest * scale).convert("L")
