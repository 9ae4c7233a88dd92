"""Word's formulas as one line of text: fractions, powers and roots as one would type them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

_BEFORE: Final = {"den": "/", "sup": "^", "sub": "_", "deg": ""}
_GROUPED: Final = {"num", "den", "sup", "sub"}
_STRUCTURES: Final = {"d", "rad", "nary", *_GROUPED}


@dataclass(slots=True)
class Formula:
    """The open structures of a formula and where in the paragraph each began."""

    pieces: list[str]
    open: list[tuple[int, dict[str, str]]] = field(default_factory=list)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Begin an element of the math namespace."""
        if tag in _STRUCTURES:
            self.open.append((len(self.pieces), {}))
        elif tag in {"begChr", "endChr", "chr"} and self.open:
            self.open[-1][1][tag] = attributes.get("val", "")
        elif tag == "mr" and self.pieces:
            self.pieces.append(" ")

    def end(self, tag: str) -> None:
        """End an element of the math namespace."""
        if tag == "naryPr" and self.open:
            self.pieces.append(self.open[-1][1].get("chr", "∫"))
        elif tag in _STRUCTURES and self.open:
            began, properties = self.open.pop()
            inner = "".join(self.pieces[began:])
            self.pieces[began:] = [_written(tag, inner, properties)]


def _written(tag: str, inner: str, properties: dict[str, str]) -> str:
    if tag in _GROUPED:
        if not inner:
            return ""
        return _BEFORE.get(tag, "") + (inner if len(inner) == 1 or inner.isalnum() else f"({inner})")
    if tag == "d":
        return properties.get("begChr", "(") + inner + properties.get("endChr", ")")
    return f"√({inner})" if tag == "rad" else inner
