"""Images as documents, one page a frame, through Pillow."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from PIL import Image

from ingest.document import Notice, Picture, Unit
from ingest.errors import DamagedDocument, TooLarge
from ingest.formats import BMP, GIF, JPEG, PNG, TIFF, WEBP, RawPage, Reading
from ingest.formats.picture_files import FAULTS, SIDEWAYS, decode, on_white, opened, reduced, sound, turned
from ingest.raster import Bitmap
from ingest.recognition import MAX_PIXELS, MAX_SIDE

MAX_FRAMES: Final = 5_000

_CODECS: Final = {PNG: "PNG", JPEG: "JPEG", WEBP: "WEBP", TIFF: "TIFF", GIF: "GIF", BMP: "BMP"}
_FIRST_ALONE: Final = "The image is an animation, of which the first frame alone is read."
_ANIMATED: Final = frozenset({GIF, WEBP, PNG})
"""A second image in a JPEG is the same again, smaller or as a map of its light."""
_ENLARGED: Final = ((700_000, 3), (2_600_000, 2))
"""Screenshots have letters of ten pixels: pictures with fewer pixels are recognised so many times larger.
Measured: F1 .97 grows to .998 at 96 dpi, .75 to .985 at 72 dpi."""


def open_document(path: Path, media_type: str) -> Reading:
    """Open an image.

    Raises:
        DamagedDocument: it can't be decoded.
        TooLarge: it has too many pixels or frames.
    """
    with opened(path, (_CODECS[media_type],)) as image, sound():
        total = _frames(image) if media_type == TIFF else 1
        reading = _Frames(path, media_type, total)
        if media_type in _ANIMATED and _is_animated(image):
            reading.notices.append(Notice("frames_left_out", _FIRST_ALONE))
    return reading


def picture(path: Path, media_type: str, index: int, *, width: int) -> tuple[int, int, bytearray]:
    """Return a frame (0-based), at most `width` pixels wide, as its size and its rows in RGB.

    Raises:
        DamagedDocument: it can't be decoded.
        TooLarge: it has too many pixels.
    """
    with opened(path, (_CODECS[media_type],)) as image, sound():
        shown = _shown(image, index).convert("RGB")
        drawn = _scaled(shown, width / shown.width)
        return drawn.width, drawn.height, bytearray(drawn.tobytes())


def bitmap(path: Path, media_type: str, index: int) -> Bitmap:
    """Return a frame (0-based) in grey, in a size that is recognised well.

    Raises:
        DamagedDocument: it can't be decoded.
        TooLarge: it has too many pixels.
    """
    with opened(path, (_CODECS[media_type],)) as image, sound():
        grey = _shown(image, index).convert("L")
        pixels = grey.width * grey.height
        grey = _scaled(grey, next((by for bound, by in _ENLARGED if pixels < bound), 1))
        return Bitmap(grey.width, grey.height, grey.tobytes())


class _Frames:
    """An image's frames. The file is opened anew to draw one: forks of this process do that too."""

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
        index = first
        while index < stop:
            with opened(self._path, (_CODECS[self.media_type],)) as image:
                is_sound = True  # a fault may leave Pillow anywhere in the file: it is opened anew then
                while index < stop and is_sound:
                    page = self._page(image, index)
                    index += 1
                    is_sound = not page.notices
                    yield page

    def bitmap(self, index: int) -> Bitmap:
        """Return a frame to be recognised."""
        return bitmap(self._path, self.media_type, index)

    def close(self) -> None:
        """Nothing is open."""

    def _page(self, image: Image.Image, index: int) -> RawPage:
        try:
            with sound():
                size = _size(image, index)
        except (DamagedDocument, TooLarge):
            if self.total == 1:
                raise
            return RawPage(index + 1, "", notices=(_unreadable(index + 1),))
        return RawPage(index + 1, "", image_area=1.0, picture=size)


def _unreadable(number: int) -> Notice:
    return Notice("page_unreadable", f"Page {number} is damaged and could not be read.", number)


def _frames(image: Image.Image) -> int:
    """Return how many frames there are, each of which has to be found through the one before."""
    for count in range(1, MAX_FRAMES + 1):
        try:
            image.seek(count)
        except EOFError:
            return count
        except FAULTS:  # the chain of frames is broken off: what came before is there
            return count
    raise TooLarge(f"The image has more than {MAX_FRAMES:,} frames. Split it and upload the parts.")


def _is_animated(image: Image.Image) -> bool:
    """Whether there is a second frame; one that can't be found is none."""
    try:
        return bool(getattr(image, "is_animated", False))
    except FAULTS:
        return False


def _size(image: Image.Image, index: int) -> Picture:
    """Return a frame's size as it is shown, once it is decoded: one that is cut off can't be."""
    swapped = decode(image, index) in SIDEWAYS
    return Picture(image.height, image.width) if swapped else Picture(image.width, image.height)


def _shown(image: Image.Image, index: int) -> Image.Image:
    """Return a frame turned as its camera meant it, on white where it is transparent, in 8 bits a channel."""
    turn = decode(image, index)
    times = math.ceil(math.sqrt(image.width * image.height / MAX_PIXELS))
    return on_white(turned(reduced(image, times), turn))


def _scaled(image: Image.Image, factor: float) -> Image.Image:
    """Return it so many times as large, within the bounds of what is drawn and recognised."""
    bound = math.sqrt(MAX_PIXELS / image.width / image.height)
    factor = min(factor, bound, MAX_SIDE / max(image.width, image.height))
    if factor == 1:
        return image
    return image.resize((max(1, int(image.width * factor)), max(1, int(image.height * factor))))
