"""Turn pages of a document into pictures that a prompt can hold."""

from __future__ import annotations

import base64
import threading
from collections.abc import Sequence
from typing import Final

from ingest import IngestError
from ingest.rendering import View, pictures
from service.domain.documents import Document
from service.errors import NoImage
from service.usecases.context import Context

AT_ONCE: Final = 2
"""Documents rendered at the same time; each takes a process, and the processor time of about one core."""

_slots: Final = threading.BoundedSemaphore(AT_ONCE)


def render_pictures(ctx: Context, document: Document, views: Sequence[View]) -> list[str]:
    """Return each view as a data URI, in the order asked; the same bytes each time.

    Blocks (about a tenth of a second for each page), so coroutines call it in a thread.

    Args:
        ctx: where the original file is.
        document: whose pages they are.
        views: the pages, at the size at which they are sent (`service.domain.vision.fit`).

    Raises:
        NotFound: the original file is gone.
        NoImage: a page can't be rendered; the detail names it and says why.
    """
    found: list[str] = []
    if not views:
        return found
    with _slots, ctx.blobs.as_path(document.sha256) as path:
        try:
            found.extend(map(_data_uri, pictures(path, views, media_type=document.media_type)))
        except IngestError as error:
            detail = f"{document.filename}, page {views[len(found)].number}: {error}"
            raise NoImage(detail) from error
    return found


def _data_uri(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
