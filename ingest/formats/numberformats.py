"""A spreadsheet's number as its reader sees it: Excel's format codes (ECMA-376 18.8.31)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import Final

# The built-in formats that differ from General and stand for the same everywhere (ECMA-376 18.8.30).
BUILT_IN: Final = {
    1: "0",
    2: "0.00",
    3: "#,##0",
    4: "#,##0.00",
    9: "0%",
    10: "0.00%",
    11: "0.00E+00",
    12: "# ?/?",
    13: "# ??/??",
    **dict.fromkeys((14, *range(27, 32), 36, *range(50, 59)), "yyyy-mm-dd"),
    15: "d-mmm-yy",
    16: "d-mmm",
    17: "mmm-yy",
    18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM",
    20: "h:mm",
    21: "h:mm:ss",
    22: "yyyy-mm-dd hh:mm",
    **dict.fromkeys(range(32, 36), "h:mm:ss"),
    37: "#,##0;(#,##0)",
    38: "#,##0;(#,##0)",
    39: "#,##0.00;(#,##0.00)",
    40: "#,##0.00;(#,##0.00)",
    45: "mm:ss",
    46: "[h]:mm:ss",
    47: "mm:ss.0",
    48: "##0.0E+0",
}
GENERAL: Final = "General"
_MAX_CODE: Final = 255
_MAX_DIGITS: Final = 30
_EPOCH: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - cells carry no zone
_EPOCH_1904: Final = timedelta(days=1462)
_MAX_DAYS: Final = 2_958_465  # 31 December 9999
_LEAP_BUG: Final = 60  # Excel counts a 29 February 1900

_TOKEN: Final = re.compile(
    r'"(?P<quoted>[^"]*)"?|\\(?P<escaped>.)|_(?P<width>.)|\*(?P<fill>.)'
    r"|\[\$(?P<currency>[^\]-]*)(?:-[^\]]*)?\]|\[(?P<elapsed>h+|m+|s+)\]|\[(?P<bracket>[^\]]*)\]"
    r"|(?P<ampm>AM/PM|A/P)|(?P<general>General|@)|(?P<number>[0#?.,%/]+|E[+-][0#?]+)"
    r"|(?P<date>y+|m+|d+|h+|s+(?:\.0+)?|e+|g+|b+)|(?P<literal>.)",
    re.IGNORECASE | re.DOTALL,
)
_CONDITION: Final = re.compile(r"\[(<=|>=|<>|<|>|=)(-?\d{1,15}(?:\.\d{1,15})?)\]")
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
}
Token = tuple[str, str]  # the kind and its text


@lru_cache(maxsize=65_536)  # the same few dates and prices fill most columns
def shown(value: float, code: str = GENERAL, *, from_1904: bool = False) -> str:
    """Return the number as the format code shows it; where the code is beyond this module, in full."""
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - not a number
        return str(value)
    tokens = _section(code[:_MAX_CODE], value) if code != GENERAL else ((GENERAL, ""),)
    kinds = {kind for kind, _ in tokens}
    if "date" in kinds or "elapsed" in kinds:
        return _date(value, tokens, from_1904=from_1904) or general(value)
    if "number" not in kinds:
        text = "".join(general(abs(value)) if kind == GENERAL else text for kind, text in tokens)
        sign = "-" if GENERAL in kinds and value < 0 and _sections(code)[1] is None else ""
        return (sign + text).strip()
    return _number(value, tokens, signed=_negative_is_signed(code, value))


def general(value: float) -> str:
    """Return the number with the 15 digits that a spreadsheet keeps."""
    if value == int(value) and abs(value) < 1e15:  # noqa: PLR2004 - where 15 digits end
        return str(int(value))
    return f"{value:.15g}".replace("e", "E")


@lru_cache(maxsize=1024)
def _sections(code: str) -> tuple[tuple[Token, ...], tuple[Token, ...] | None, tuple[Token, ...] | None]:
    """The code for positive numbers, negative ones and zero, None where another speaks for them."""
    parts: list[list[Token]] = [[]]
    for match in _TOKEN.finditer(code):
        kind = str(match.lastgroup)
        if kind == "literal" and match[0] == ";":
            parts.append([])
        elif token := _token(kind, match):
            parts[-1].append(token)
    sections = [_minutes(part) for part in parts]
    return sections[0], sections[1] if len(parts) > 1 else None, sections[2] if len(parts) > 2 else None  # noqa: PLR2004


def _token(kind: str, match: re.Match[str]) -> Token | None:
    text = match[kind]
    match kind:
        case "quoted" | "escaped" | "literal" | "currency":
            return ("literal", text)
        case "width":
            return ("literal", " ")
        case "fill" | "bracket":
            return None
        case "general":
            return (GENERAL, "")
        case "date" | "ampm" | "elapsed":
            return ("elapsed" if kind == "elapsed" else "date", text)
    return (kind, text)


def _minutes(tokens: list[Token]) -> tuple[Token, ...]:
    """`m` means minutes beside hours or seconds (ECMA-376 18.8.31)."""
    made = list(tokens)
    places = [index for index, (kind, _) in enumerate(tokens) if kind in {"date", "elapsed"}]
    for number, index in enumerate(places):
        text = tokens[index][1].lower()
        if text in {"m", "mm"} and tokens[index][0] == "date":
            before = tokens[places[number - 1]][1].lower() if number else ""
            after = tokens[places[number + 1]][1].lower() if number + 1 < len(places) else ""
            if before.startswith("h") or after.startswith("s"):
                made[index] = ("date", "n" * len(text))
    return tuple(made)


def _section(code: str, value: float) -> tuple[Token, ...]:
    positive, negative, zero = _sections(code)
    conditions = [_CONDITION.search(part) for part in code.split(";")[:2]]
    if any(conditions):
        for condition, tokens in zip(conditions, (positive, negative), strict=False):
            if condition and tokens is not None and _COMPARE[condition[1]](value, float(condition[2])):
                return tokens
        return (zero if conditions[-1] and zero is not None else negative) or positive
    if value < 0 and negative is not None:
        return negative
    return zero if value == 0 and zero is not None else positive


def _negative_is_signed(code: str, value: float) -> bool:
    return value < 0 and (_sections(code[:_MAX_CODE])[1] is None or bool(_CONDITION.search(code)))


def _number(value: float, tokens: tuple[Token, ...], *, signed: bool) -> str:
    pattern = "".join(text for kind, text in tokens if kind == "number")
    if "/" in pattern:
        digits = general(value)
    elif _is_split(tokens):
        return ("-" if signed else "") + _filled(value, tokens)
    elif "E" in pattern.upper():
        digits = _scientific(abs(value), pattern)
    else:
        digits = _fixed(abs(value), pattern)
    sign = "-" if signed and "/" not in pattern and digits.strip("0.,%") else ""
    pieces, put = [], False
    for kind, text in tokens:
        if kind == "number":
            pieces.append(("" if put else sign + digits) + "%" * text.count("%"))
            put = True
        else:
            pieces.append(general(abs(value)) if kind == GENERAL else text)
    return "".join(pieces).strip() or "0"


def _is_split(tokens: tuple[Token, ...]) -> bool:
    """Whether literals part the digits, as in telephone numbers."""
    parts = [text for kind, text in tokens if kind == "number" and text.strip("%")]
    return len(parts) > 1 and not any(set(part) - set("0#?") for part in parts)


def _filled(value: float, tokens: tuple[Token, ...]) -> str:
    """Whole digits put into their places from the right; what is left over stands before the first."""
    try:
        digits = f"{Decimal(f'{abs(value):.15g}').quantize(Decimal(1), rounding=ROUND_HALF_UP):f}"
    except InvalidOperation:  # more digits than are worth printing
        return general(value)
    pieces: list[str] = []
    first = next(index for index, (kind, _) in enumerate(tokens) if kind == "number")
    for index in range(len(tokens) - 1, -1, -1):
        kind, text = tokens[index]
        if kind == "number":
            size = len(digits) if index == first else len(text)
            part = digits[max(len(digits) - size, 0) :]
            digits = digits[: len(digits) - len(part)]
            text = part.rjust(text.count("0"), "0")
        pieces.append(text)
    return "".join(reversed(pieces)).strip()


def _scientific(value: float, pattern: str) -> str:
    mantissa = pattern.upper().partition("E")[0]
    places = min(len(mantissa.partition(".")[2]), _MAX_DIGITS)
    return f"{value:.{places}E}"


def _fixed(value: float, pattern: str) -> str:
    """Digits as `0`, `#`, `,` and `%` ask for them; rounded half up on 15 digits, as spreadsheets do."""
    hundreds = pattern.count("%")
    pattern = pattern.replace("%", "")
    scaled = len(pattern) - len(pattern.rstrip(","))
    whole, _, fraction = pattern.rstrip(",").partition(".")
    places = [character for character in fraction if character in "0#?"][:_MAX_DIGITS]
    number = Decimal(f"{value:.15g}").scaleb(2 * hundreds - 3 * scaled)
    try:
        number = number.quantize(Decimal(1).scaleb(-len(places)), rounding=ROUND_HALF_UP)
    except InvalidOperation:  # more digits than are worth printing
        return general(value)
    left, _, right = f"{number:f}".partition(".")
    kept = max((index + 1 for index, place in enumerate(places) if place == "0"), default=0)
    right = right[:kept] + right[kept:].rstrip("0")
    left = left.lstrip("0").rjust(min(whole.count("0"), _MAX_DIGITS), "0")
    if "," in whole:
        left = f"{left[: len(left) % 3]},{_thousands(left[len(left) % 3 :])}".strip(",")
    return left + (f".{right}" if right else "")


def _thousands(digits: str) -> str:
    return ",".join(digits[place : place + 3] for place in range(0, len(digits), 3))


def _date(value: float, tokens: tuple[Token, ...], *, from_1904: bool) -> str | None:
    if not 0 <= value <= _MAX_DAYS:
        return None
    fractions = any(kind == "date" and "." in text for kind, text in tokens)
    seconds = round(value * 86_400, 3) if fractions else round(value * 86_400)
    days = 1 if value < _LEAP_BUG and not from_1904 and value >= 1 else 0
    moment = _EPOCH + timedelta(days=days, seconds=seconds) + (_EPOCH_1904 if from_1904 else timedelta())
    noon = any(text.upper() in {"AM/PM", "A/P"} for _, text in tokens)
    return "".join(_date_piece(kind, text, moment, seconds, noon=noon) for kind, text in tokens).strip()


def _date_piece(kind: str, text: str, moment: datetime, seconds: float, *, noon: bool) -> str:
    if kind == "elapsed":
        unit = {"h": 3600, "m": 60, "s": 1}[text[0].lower()]
        return str(int(seconds // unit)).rjust(min(len(text), 9), "0")
    if kind == "date":
        return _date_field(text, moment, noon=noon)
    return "" if kind == "number" and "0" not in text and text not in {"/", ".", ","} else text


def _date_field(text: str, moment: datetime, *, noon: bool) -> str:
    letter, length = text[0].lower(), len(text)
    if letter in "ye":
        short = letter == "y" and length <= 2  # noqa: PLR2004 - digits
        return f"{moment.year % 100:02}" if short else f"{moment.year:04}"
    if letter == "m":
        return _named(_MONTHS[moment.month - 1], moment.month, length)
    if letter == "d":
        return _named(_DAYS[moment.weekday()], moment.day, length)
    return _time_field(text, moment, noon=noon)


def _time_field(text: str, moment: datetime, *, noon: bool) -> str:
    letter, length = text[0].lower(), len(text)
    if letter == "a":  # AM/PM or A/P
        return ("AM" if moment.hour < 12 else "PM")[: length // 2]  # noqa: PLR2004 - noon
    if letter == "s":
        whole, _, fraction = text.partition(".")
        end = f".{moment.microsecond:06}"[: len(fraction) + 1] if fraction else ""
        return f"{moment.second:0{min(len(whole), 2)}}{end}"
    if letter not in "hn":
        return ""
    hour = (moment.hour % 12 or 12) if noon else moment.hour
    return f"{hour if letter == 'h' else moment.minute:0{min(length, 2)}}"


def _named(name: str, number: int, length: int) -> str:
    match length:
        case 1 | 2:
            return f"{number:0{length}}"
        case 3:
            return name[:3]
        case 5:
            return name[0]
    return name
