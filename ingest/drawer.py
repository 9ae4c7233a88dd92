"""What happens inside the drawing process: one page in, one picture out."""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from ingest.confinement import confine
from ingest.errors import IngestError, ReaderCrashed
from ingest.formats import IMAGES, pdf_image, picture_image
from ingest.limits import Limits

OUT_OF_MEMORY: Final = "Drawing the page took more memory than allowed. Its text is at the page itself."


@dataclass(frozen=True, slots=True)
class Request:
    """One page to draw."""

    path: Path
    page: int
    quote: str | None
    width: int
    limits: Limits
    media_type: str
    languages: tuple[str, ...] = ()

    def pack(self) -> bytes:
        """Return the request as JSON."""
        return json.dumps({**asdict(self), "path": str(self.path)}).encode()


def main(descriptor: int) -> None:
    """Serve the one request that the parent sends over the socket `descriptor`.

    The answer is a line of JSON and, where the page could be drawn, the PNG.
    """
    with socket.socket(fileno=descriptor) as parent:
        with parent.makefile("rb") as request:
            said, png = _answer(_unpacked(request.read()))
        parent.sendall(json.dumps(said).encode() + b"\n")
        parent.sendall(png)


def _unpacked(payload: bytes) -> Request:
    fields = json.loads(payload)
    limits, languages = Limits(**fields.pop("limits")), tuple(fields.pop("languages"))
    return Request(Path(fields.pop("path")), limits=limits, languages=languages, **fields)


def _answer(request: Request) -> tuple[dict[str, object], bytes]:
    try:
        confine(request.limits)
        png, found = _drawn(request)
    except IngestError as error:
        return {"error": type(error).__name__, "message": str(error)}, b""
    except MemoryError:
        return {"error": ReaderCrashed.__name__, "message": OUT_OF_MEMORY}, b""
    return {"found": found, "bytes": len(png)}, png


def _drawn(request: Request) -> tuple[bytes, bool]:
    path, page, quote, width = request.path, request.page, request.quote, request.width
    if request.media_type in IMAGES:
        kind = request.media_type
        return picture_image.draw(path, kind, page, quote=quote, width=width, languages=request.languages)
    return pdf_image.draw(path, page, quote=quote, width=width, languages=request.languages)
