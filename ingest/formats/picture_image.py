"""Draws one frame of an image document with a quote marked. Runs in a guarded process alone."""

from __future__ import annotations

from pathlib import Path

from ingest import pictured_quotes
from ingest.formats import pictures
from ingest.raster import Raster, mark, png


def draw(
    path: Path, media_type: str, page: int, *, quote: str | None, width: int, languages: tuple[str, ...]
) -> tuple[bytes, bool]:
    """Return a PNG of the frame (1-based), `width` pixels wide, and whether the quote is on it.

    Raises:
        ingest.errors.DamagedDocument: it can't be decoded.
        ingest.errors.TooLarge: it has too many pixels.
    """
    across, down, rows = pictures.picture(path, media_type, page - 1, width=width)
    raster = Raster(across, down, 3 * across, memoryview(rows))
    places = []
    if quote is not None:
        grey = pictures.bitmap(path, media_type, page - 1)
        places = pictured_quotes.boxes(quote, grey, languages, width=across, height=down)
        mark(raster, places)
    return png(raster), bool(places)
