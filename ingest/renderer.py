"""What happens inside the rendering process: pages in, JPEGs out, one after the other."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from ingest.confinement import confine
from ingest.drawer import OUT_OF_MEMORY
from ingest.errors import IngestError, ReaderCrashed, TooLarge
from ingest.formats import PDF, pdf_image, picture_render
from ingest.limits import Limits

MAX_BYTES: Final = 7_800_000
"""Of one picture: as a data URI it still fits one string of a request."""

TOO_DETAILED: Final = "The page holds too much detail for one picture. Ask for less detail."


@dataclass(frozen=True, slots=True)
class Request:
    """Pages to render: each its number (1-based), width and height in pixels."""

    path: Path
    media_type: str
    pages: tuple[tuple[int, int, int], ...]
    limits: Limits

    def pack(self) -> bytes:
        """Return the request as JSON."""
        return json.dumps({**asdict(self), "path": str(self.path)}).encode()


def main(descriptor: int) -> None:
    """Serve the one request that the parent sends over the socket `descriptor`.

    The answer is, for each page, a line of JSON and the JPEG; an error is the last line.
    """
    with socket.socket(fileno=descriptor) as parent:
        with parent.makefile("rb") as request:
            wanted = _unpacked(request.read())
        for said, jpeg in _answers(wanted):
            parent.sendall(json.dumps(said).encode() + b"\n")
            parent.sendall(jpeg)


def _unpacked(payload: bytes) -> Request:
    fields = json.loads(payload)
    pages = tuple((number, width, height) for number, width, height in fields["pages"])
    return Request(Path(fields["path"]), fields["media_type"], pages, Limits(**fields["limits"]))


def _answers(request: Request) -> Iterator[tuple[dict[str, object], bytes]]:
    try:
        confine(request.limits)
        for jpeg in _jpegs(request):
            if len(jpeg) > MAX_BYTES:
                raise TooLarge(TOO_DETAILED)
            yield {"bytes": len(jpeg)}, jpeg
    except IngestError as error:
        yield {"error": type(error).__name__, "message": str(error)}, b""
    except MemoryError:
        yield {"error": ReaderCrashed.__name__, "message": OUT_OF_MEMORY}, b""


def _jpegs(request: Request) -> Iterator[bytes]:
    if request.media_type == PDF:
        yield from map(picture_render.jpeg, pdf_image.rasters(request.path, request.pages))
    else:
        yield from picture_render.pictures(request.path, request.pages)
