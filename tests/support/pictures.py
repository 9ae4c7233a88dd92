"""Makes the pictures that the tests send and read."""

from __future__ import annotations

import base64
import io

from PIL import Image


def picture(width: int, height: int, *, kind: str = "PNG", shade: int = 128) -> bytes:
    """Return a plain grey picture."""
    held = io.BytesIO()
    Image.new("L", (width, height), shade).save(held, kind)
    return held.getvalue()


def data_uri(width: int, height: int, *, shade: int = 128) -> str:
    """Return a plain grey PNG as a data URI."""
    return "data:image/png;base64," + base64.b64encode(picture(width, height, shade=shade)).decode()
