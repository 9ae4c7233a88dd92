"""A stream's ordinary chunk, which only brings text: read without building what nobody looks at."""

from __future__ import annotations

from typing import Literal

import msgspec

NAMED = ("id", "model", "created", "service_tier")
"""What names a streamed reply: any chunk may bring it, the last word counts."""


class _Delta(msgspec.Struct, gc=False):
    content: str | None = None
    refusal: None = None


class _Choice(msgspec.Struct, gc=False):
    delta: _Delta
    index: Literal[0] | None = None
    finish_reason: None = None


class Plain(msgspec.Struct, gc=False):
    """A chunk that ends nothing, counts nothing and refuses nothing.

    Every type is narrower than JSON: whatever fits means the same however it is read.
    """

    choices: tuple[_Choice]
    id: str | None = None
    kind: Literal["chat.completion.chunk"] | None = msgspec.field(default=None, name="object")
    created: int | None = None
    model: str | None = None
    service_tier: str | None = None
    usage: None = None
    error: None = None

    def names(self) -> tuple[object, ...]:
        """What it tells under `NAMED`."""
        return self.id, self.model, self.created, self.service_tier

    def content(self) -> str:
        """The text that it brings."""
        return self.choices[0].delta.content or ""


_PLAIN = msgspec.json.Decoder(Plain)


def plain(data: str) -> Plain | None:
    """The chunk, if it is an ordinary one; None for any other and for what is none."""
    try:
        return _PLAIN.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return None
