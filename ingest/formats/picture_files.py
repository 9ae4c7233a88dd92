"""Image files through Pillow, as reading, drawing and sending them share it: opened, upright, on white.

Whatever is wrong with a file ends as an error that says so.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from PIL import Image

from ingest.errors import DamagedDocument, TooLarge

LARGEST: Final = 80_000_000
"""Pixels of one frame; a camera's largest pictures have 60 million, an A0 sheet at 200 dpi 62 million."""
LONGEST: Final = 200_000
"""Pixels of one side; no format for photographs has more than 65,535."""

TOO_MANY_PIXELS: Final = (
    f"The image has more than {LARGEST:,} pixels in one frame, or {LONGEST:,} on one side. "
    "Scale it down and upload it again."
)
DAMAGED: Final = (
    "The image is damaged or was cut off. Open it in an image viewer, save it anew and upload that file."
)
FAULTS: Final = (
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
SIDEWAYS: Final = frozenset(_TURNS[value] for value in (5, 6, 7, 8))
_REDUCIBLE: Final = frozenset({"L", "LA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"})


@contextmanager
def opened(path: Path, codecs: tuple[str, ...]) -> Iterator[Image.Image]:
    """Lend the file, opened as one of these formats of Pillow's; not decoded yet.

    Raises:
        DamagedDocument: it is none of them.
        TooLarge: it has too many pixels.
    """
    # A file, not its name: what has a name Pillow 13 maps into memory, and swaps the sides of turned TIFFs.
    with path.open("rb") as file:
        with sound():
            image = Image.open(file, formats=codecs)
        with image:
            _refuse_large(image)
            yield image


@contextmanager
def sound() -> Iterator[None]:
    """Let the block end well.

    Raises:
        DamagedDocument, TooLarge: in place of whatever Pillow ends with.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what a camera wrote wrong; sizes are checked here
            yield
    except Image.DecompressionBombError as fault:
        raise TooLarge(TOO_MANY_PIXELS) from fault
    except FAULTS as fault:
        raise DamagedDocument(DAMAGED) from fault


def decode(image: Image.Image, index: int, *, side: int | None = None) -> Image.Transpose | None:
    """Load a frame (0-based), and return how it still has to be turned to be shown.

    Pillow has turned TIFFs itself. A large JPEG is decoded to about `side` pixels at once.
    """
    image.seek(index)
    _refuse_large(image)
    if side is not None:
        image.draft("RGB", (side, side))
    image.load()
    return _TURNS.get(image.getexif().get(_ORIENTATION, 1))


def turned(image: Image.Image, turn: Image.Transpose | None) -> Image.Image:
    """Return it turned so; without a turn as it is."""
    return image if turn is None else image.transpose(turn)


def reduced(image: Image.Image, times: int) -> Image.Image:
    """Return a very large picture so many times smaller where that goes, before copies of it are made."""
    return image.reduce(times) if times > 1 and image.mode in _REDUCIBLE else image


def on_white(image: Image.Image) -> Image.Image:
    """Return it in grey or RGB of 8 bits; what is transparent stands on white."""
    if image.mode == "F" or image.mode.startswith("I"):
        return _in_eight_bits(image)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    if image.mode == "1":
        return image.convert("L")
    return image if image.mode in {"L", "RGB"} else image.convert("RGB")


def _in_eight_bits(image: Image.Image) -> Image.Image:
    """Bring shades of 16 bits and more to 8: the darkest that is there becomes black, the brightest white."""
    wide = image.convert("F")
    darkest, brightest = (float(shade) for shade in wide.getextrema() if isinstance(shade, int | float))
    step = 255 / (brightest - darkest) if brightest > darkest else 0.0
    return wide.point(lambda shade: shade * step - darkest * step).convert("L")


def _refuse_large(image: Image.Image) -> None:
    if image.width * image.height > LARGEST or max(image.size) > LONGEST:
        raise TooLarge(TOO_MANY_PIXELS)
