"""The string values of a JSON text, where each stands and under which path; also of one that breaks off."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[{}\[\],]', re.DOTALL)
_PLAIN_NAME = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Text:
    """One string value.

    Attributes:
        start: where its literal starts in the JSON text, quote marks included.
        end: where that ends.
        value: what it says.
        path: as in RFC 9535: `$.findings[0].quote`.
        name: of the member it is, None in an array or at the top.
        parent: what it stands in; the same for its siblings alone.
    """

    start: int
    end: int
    value: str
    path: str
    name: str | None
    parent: int


@dataclass(slots=True)
class _Level:
    """An object or array that is open: where in it the next value stands."""

    number: int
    is_object: bool
    index: int = 0
    name: str | None = None
    named: bool = False

    @property
    def step(self) -> str:
        if not self.is_object:
            return f"[{self.index}]"
        name = self.name or ""
        if _PLAIN_NAME.fullmatch(name):
            return f".{name}"
        escaped = name.replace("\\", "\\\\").replace("'", "\\'")
        return f"['{escaped}']"


def texts(said: str) -> tuple[Text, ...]:
    """Return the string values in their order; names of members are none."""
    found: list[Text] = []
    levels: list[_Level] = []
    opened = 0
    for token in _TOKEN.finditer(said):
        glyph = token[0]
        if glyph in "{[":
            opened += 1
            levels.append(_Level(opened, glyph == "{"))
        elif glyph in "}]":
            del levels[-1:]
        elif glyph == ",":
            _go_on(levels)
        elif levels and levels[-1].is_object and not levels[-1].named:
            levels[-1].name, levels[-1].named = _decoded(glyph), True
        else:
            found.append(_text(token, levels))
    return tuple(found)


def rewritten(said: str, values: Mapping[int, str], among: Sequence[Text]) -> str:
    """Return the JSON text with other values for some of its strings, by their place in `texts`."""
    for place in sorted(values, reverse=True):
        one = among[place]
        said = said[: one.start] + json.dumps(values[place], ensure_ascii=False) + said[one.end :]
    return said


def _go_on(levels: list[_Level]) -> None:
    if levels:
        levels[-1].index += 1
        levels[-1].named = False


def _text(token: re.Match[str], levels: Sequence[_Level]) -> Text:
    inside = levels[-1] if levels else None
    return Text(
        start=token.start(),
        end=token.end(),
        value=_decoded(token[0]),
        path="$" + "".join(level.step for level in levels),
        name=inside.name if inside and inside.is_object else None,
        parent=inside.number if inside else 0,
    )


def _decoded(literal: str) -> str:
    """What a literal says, also one that breaks off; of one without a meaning its letters as they stand."""
    for whole in (literal, literal.rstrip("\\") + '"'):
        with suppress(ValueError):
            return str(json.loads(whole, strict=False))
    return literal.strip('"')
