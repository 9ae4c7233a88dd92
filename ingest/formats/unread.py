"""What the user is told of pictures inside a document of which the text alone is read."""

from __future__ import annotations

from ingest.document import Notice


def pictures_not_read(count: int) -> list[Notice]:
    """Return the notice on so many pictures that nobody described; none where there are none."""
    if not count:
        return []
    said = "1 picture in it is" if count == 1 else f"{count:,} pictures in it are"
    what = "the picture by itself" if count == 1 else "the pictures by themselves"
    detail = f"{said} not read; save it as PDF to have scanned pages recognised, or upload {what}."
    return [Notice("pictures_not_read", detail)]
