"""Word's styles and lists: which paragraphs are headings, and the number that Word shows before each item."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ingest.formats.ooxml import Package

_LEVELS: Final = 9
_MAX_LETTERS: Final = 26 * 10
_MAX_ROMAN: Final = 3_999
_ROMAN: Final = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl")),
    *((10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)


@dataclass(slots=True)
class Style:
    """What a paragraph style says of its paragraphs; None where the style it is based on speaks."""

    name: str = ""
    based_on: str | None = None
    number: str | None = None
    level: int | None = None
    outline: int | None = None
    page_break: bool | None = None


@dataclass(slots=True)
class Level:
    """One level of a list."""

    start: int = 1
    form: str = "decimal"
    text: str = ""
    legal: bool = False


@dataclass(slots=True)
class ListLevels:
    """The levels of a list, by their depth from 0, and the paragraph styles that stand for them."""

    levels: dict[int, Level] = field(default_factory=dict)
    styles: dict[str, int] = field(default_factory=dict)  # paragraph style → level


@dataclass(slots=True)
class Numbering:
    """The document's styles and lists, and how far each list has counted."""

    styles: dict[str, Style] = field(default_factory=dict)
    lists: dict[str, ListLevels] = field(default_factory=dict)
    instances: dict[str, str] = field(default_factory=dict)  # numId → abstractNumId
    restarts: dict[str, dict[int, int]] = field(default_factory=dict)  # numId → level → start
    counters: dict[str, list[int | None]] = field(default_factory=dict)

    def style(self, name: str | None) -> Style:
        """The style with everything that it inherits (ECMA-376 17.7.2)."""
        whole, seen = Style(), set[str]()
        while name is not None and name in self.styles and name not in seen:
            seen.add(name)
            style = self.styles[name]
            whole.name = whole.name or style.name
            whole.number = style.number if whole.number is None else whole.number
            whole.level = self._level(style, name) if whole.level is None else whole.level
            whole.outline = style.outline if whole.outline is None else whole.outline
            whole.page_break = style.page_break if whole.page_break is None else whole.page_break
            name = style.based_on
        return whole

    def _level(self, style: Style, name: str) -> int | None:
        numbered = self._list(style.number)
        return style.level if numbered is None else numbered.styles.get(name, style.level)

    def _list(self, number: str | None) -> ListLevels | None:
        return self.lists.get(self.instances.get(number or "", ""))

    def label(self, number: str, level: int) -> str:
        """Count one item and give what stands before it: `3.1`, `(a)`, `-` for a bullet, "" for nothing."""
        numbered = self._list(number)
        if numbered is None or level not in numbered.levels:
            return ""
        counters = self._counted(number, level, numbered)
        shape = numbered.levels[level]
        if shape.form == "bullet":
            return "-"
        text = shape.text
        for place in range(_LEVELS):
            if f"%{place + 1}" in text:
                of = numbered.levels.get(place, Level())
                count = counters[place]
                form = "decimal" if shape.legal else of.form
                text = text.replace(f"%{place + 1}", _formatted(of.start if count is None else count, form))
        return text.strip()

    def _counted(self, number: str, level: int, numbered: ListLevels) -> list[int | None]:
        counters = self.counters.setdefault(self.instances[number], [None] * _LEVELS)
        restart = self.restarts.get(number, {}).pop(level, None)
        count = counters[level]
        if restart is not None:
            counters[level] = restart
        else:
            counters[level] = numbered.levels[level].start if count is None else count + 1
        counters[level + 1 :] = [None] * (_LEVELS - level - 1)
        return counters


def read_numbering(package: Package, *, styles: str | None, lists: str | None) -> Numbering:
    """Read the parts with these names; a document without them has neither headings nor numbers."""
    numbering = Numbering()
    if styles in package.names:
        package.parse(str(styles), start=_StyleEvents(numbering).start)
    if lists in package.names:
        package.parse(str(lists), start=_ListEvents(numbering).start)
    return numbering


@dataclass(slots=True)
class _StyleEvents:
    numbering: Numbering
    style: Style = field(default_factory=Style)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        value = attributes.get("val", "")
        match tag:
            case "style":
                self.style = Style()
                if attributes.get("type") == "paragraph":
                    self.numbering.styles[attributes.get("styleId", "")] = self.style
            case "name":
                self.style.name = value.lower()
            case "basedOn":
                self.style.based_on = value
            case "numId":
                self.style.number = value
            case "ilvl":
                self.style.level = level_of(value)
            case "outlineLvl":
                self.style.outline = whole(value)
            case "pageBreakBefore":
                self.style.page_break = switched_on(attributes)


@dataclass(slots=True)
class _ListEvents:
    numbering: Numbering
    list: ListLevels = field(default_factory=ListLevels)
    level: Level = field(default_factory=Level)
    number: str = ""
    place: int = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        value = attributes.get("val", "")
        match tag:
            case "abstractNum":
                self.list = self.numbering.lists[attributes.get("abstractNumId", "")] = ListLevels()
            case "num":
                self.number, self.list = attributes.get("numId", ""), ListLevels()
            case "abstractNumId":
                self.numbering.instances[self.number] = value
            case "lvlOverride":
                self.place = level_of(attributes.get("ilvl", ""))
            case "startOverride":
                self.numbering.restarts.setdefault(self.number, {})[self.place] = whole(value)
            case "lvl":
                self.place = level_of(attributes.get("ilvl", ""))
                self.level = self.list.levels[self.place] = Level()
            case _:
                self._of_level(tag, value, attributes)

    def _of_level(self, tag: str, value: str, attributes: dict[str, str]) -> None:
        match tag:
            case "start":
                self.level.start = whole(value)
            case "numFmt":
                self.level.form = value
            case "lvlText":
                self.level.text = value
            case "isLgl":
                self.level.legal = switched_on(attributes)
            case "pStyle":
                self.list.styles[value] = self.place


def whole(value: str) -> int:
    """The attribute as a number from 0 to 8 digits, 0 where it is none."""
    return int(value) if value.isdecimal() and len(value) <= 8 else 0  # noqa: PLR2004 - digits of any real count


def level_of(value: str) -> int:
    """The attribute as a list level, of which Word has nine."""
    return min(whole(value), _LEVELS - 1)


def switched_on(attributes: dict[str, str]) -> bool:
    """Word's on/off properties are on unless they say otherwise (ECMA-376 17.17.4)."""
    return attributes.get("val", "1") not in {"0", "false", "off"}


def _formatted(count: int, form: str) -> str:
    match form:
        case "lowerLetter" | "upperLetter" if 0 < count <= _MAX_LETTERS:
            letters = chr(ord("a") + (count - 1) % 26) * ((count - 1) // 26 + 1)
            return letters if form == "lowerLetter" else letters.upper()
        case "lowerRoman" | "upperRoman" if 0 < count <= _MAX_ROMAN:
            return _roman(count) if form == "lowerRoman" else _roman(count).upper()
        case "decimalZero":
            return f"{count:02}"
        case "none":
            return ""
        case _:
            return str(count)


def _roman(count: int) -> str:
    digits = ""
    for value, letters in _ROMAN:
        digits += letters * (count // value)
        count %= value
    return digits
