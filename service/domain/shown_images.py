"""Pictures that a question shows: what is kept of each, what it counts, and which addresses are taken.

No address is ever fetched here. Of a picture in a data URI the size is known, so its tokens are a narrow
range; of one at an address nothing is known, so the range reaches up to the most that its detail can take.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from service.domain import vision
from service.domain.manner import NO_IMAGES, Images
from service.domain.vision import Detail, Fitted
from service.errors import Invalid

MAX_SHOWN: Final = 500
"""Pictures of one question."""

MAX_ADDRESS_CHARS: Final = 8_192
MAX_DATA_CHARS: Final = 10_485_760
"""Of a data URI: the longest string that a provider takes."""

_DATA: Final = re.compile(r"data:(?P<kind>[^;,]{0,100})(?P<more>(?:;[^;,]{0,100})*),", re.IGNORECASE)
_NO_ADDRESS: Final = re.compile(r"[\x00-\x20\x7f-\x9f<>\"\\^`{|}]")
"""What no address holds as it stands (RFC 3986), and what only letters of other scripts are spared from."""

_SHOWN_CHARS: Final = 60


@dataclass(frozen=True, slots=True)
class ShownImage:
    """A picture beside the question; it is at an address, or stored under its hash.

    Attributes:
        detail: how closely the model looks; never `auto`, which is what the model makes of it.
        url: the address, which the provider fetches; None where the picture is stored.
        sha256, media_type, bytes, width, height: of one that is stored; the size in pixels.
        name: the file's, where it was one.
    """

    detail: Detail
    url: str | None = None
    sha256: str | None = None
    media_type: str | None = None
    bytes: int | None = None
    width: int | None = None
    height: int | None = None
    name: str | None = None

    @property
    def fitted(self) -> Fitted | None:
        """The size that the model sees; None of a picture at an address."""
        if self.width is None or self.height is None:
            return None
        return vision.fit(self.width, self.height, self.detail)

    @property
    def tokens(self) -> tuple[int, int]:
        """The least and the most it is billed as."""
        fitted = self.fitted
        if fitted is not None:
            return vision.tokens(fitted.patches)
        return vision.tokens(1)[0], vision.tokens(vision.BOUNDS[self.detail].patches)[1]

    @property
    def identity(self) -> str:
        """Of what is sent."""
        return json.dumps([self.detail, self.url or self.sha256])

    def described(self) -> dict[str, Any]:
        """As plans and answers tell it (JSON-ready)."""
        least, most = self.tokens
        return {**asdict(self), "tokens_min": least, "tokens_max": most}


def images_of(shown: Iterable[ShownImage]) -> Images:
    """Return what pictures count together; each is rounded by itself."""
    found = list(shown)
    if not found:
        return NO_IMAGES
    ranges = [one.tokens for one in found]
    return Images(
        pages=len(found),
        tokens_min=sum(least for least, _ in ranges),
        tokens_max=sum(most for _, most in ranges),
        identity=identity_of(found),
    )


def identity_of(shown: Iterable[ShownImage]) -> str:
    """Return the identity of pictures in order; empty of none."""
    told = "\n".join(one.identity for one in shown)
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest() if told else ""


def from_dicts(values: Sequence[dict[str, Any]]) -> tuple[ShownImage, ...]:
    """Return the pictures of a stored question."""
    return tuple(ShownImage(**one) for one in values)


def data_of(uri: str, number: int) -> bytes | None:
    """Return the bytes of a data URI; None of an address that can be handed on.

    Args:
        uri: as the caller said it.
        number: which of the question's pictures it is, from 1, for messages.

    Raises:
        Invalid: it is neither, is too long, or holds no picture.
    """
    if uri[:5].lower() != "data:":
        _check_address(uri, number)
        return None
    if len(uri) > MAX_DATA_CHARS:
        raise Invalid(
            f"Picture {number} is a data URI of {len(uri):,} characters; providers take {MAX_DATA_CHARS:,}. "
            "Make it smaller, or name an address that the provider can fetch."
        )
    head = _DATA.match(uri)
    if head is None or not head["kind"].lower().startswith("image/"):
        raise _no_picture(uri, number)
    if head["more"].lower().rpartition(";")[2] != "base64":
        raise Invalid(f"Picture {number} is not in Base64: write data:image/png;base64,… .")
    try:
        data = base64.b64decode(uri[head.end() :], validate=True)
    except (binascii.Error, ValueError):
        raise Invalid(f"Picture {number} is cut off, or not in Base64. Encode it again.") from None
    if not data:
        raise Invalid(f"Picture {number} is empty. Encode the whole file again.")
    return data


def _check_address(url: str, number: int) -> None:
    """Refuse what no provider could fetch; whether there is anything, only the provider learns."""
    if len(url) > MAX_ADDRESS_CHARS:
        raise Invalid(
            f"The address of picture {number} has {len(url):,} characters, more than {MAX_ADDRESS_CHARS:,}."
        )
    try:
        parts = urlsplit(url)
        usable = parts.scheme.lower() in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # a port that is no number, brackets that do not close
        usable = False
    if not usable or _NO_ADDRESS.search(url):
        raise _no_picture(url, number)


def _no_picture(said: str, number: int) -> Invalid:
    shown = said if len(said) <= _SHOWN_CHARS else f"{said[:_SHOWN_CHARS]}…"
    return Invalid(
        f"Picture {number} ({shown!r}) is neither an address (https://…) nor a picture as a data URI "
        "(data:image/png;base64,…)."
    )
