"""Made-up documents, and quotes of real or made-up ones: true, edited, altered and invented."""

# ruff: noqa: RUF001, S311
# Typographic glyphs are what some edits are about; nothing here is a secret.

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from service.domain.quotes import fold

_PEOPLE = (
    "Harlan",
    "Okafor",
    "Lindqvist",
    "Marchetti",
    "Tanaka",
    "Delacroix",
    "Novak",
    "Abernathy",
    "Sorensen",
)
_PLACES = ("Duluth", "Tacoma", "Savannah", "Amarillo", "Fresno", "Bangor", "Wichita", "Juneau", "Mobile")
_BODIES = ("Harbor Authority", "Weather Bureau", "Transit Agency", "Grain Exchange", "Water District")
_THINGS = (
    "the pumping station",
    "the northern levee",
    "a backup generator",
    "the inspection program",
    "the fuel reserve",
    "the maintenance contract",
    "an emergency fund",
    "the radar installation",
    "the training budget",
)
_SHAPES = (
    "In {year}, {person} told the {body} that {thing} was {n} feet below the required level.",
    "The {body} of {place} spent ${m} million on {thing}, an increase of {pc}% over the previous year.",
    "{person} said that {thing} must not be operated when the wind exceeds {n} knots.",
    "At least {n} of the {n2} employees in {place} may receive the allowance before {month} {year}.",
    "It is not known whether {thing} had been inspected by {person} after the flood in {place}.",
    "Losses decreased from ({n2},{k}) to ({n},{k}) thousand dollars because {thing} was completed early.",
    "The low temperature of -{n} degrees in {place} was the lowest since {year}.",
    "{person} and {person2} signed the well-known agreement on {thing} in {month} {year}.",
    "Under the agreement, the {body} shall repay {pc} percent of the advance within {n} days.",
    'According to the "{body} Review", {thing} did not meet the standard of {year}.',
)
_MONTHS = ("January", "March", "April", "June", "August", "October", "December")
_OPPOSITES = {
    "increase": "decrease",
    "increased": "decreased",
    "decreased": "increased",
    "decrease": "increase",
    "may": "must",
    "must": "may",
    "shall": "should",
    "will": "may",
    "should": "shall",
    "million": "billion",
    "billion": "million",
    "percent": "points",
    "feet": "meters",
    "before": "after",
    "after": "before",
    "below": "above",
    "above": "below",
    "exceeds": "equals",
    "lowest": "highest",
    "all": "some",
    "least": "most",
    "days": "weeks",
    "or": "and",
}
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Sample:
    """A quote, what kind it is, and the page (document and page index) it was taken from."""

    kind: str
    text: str
    document: int
    page: int


def written(seed: int, pages: int) -> list[str]:
    """Pages of made-up prose and tables, with a header and a footer, lines wrapped."""
    random = Random(seed)
    return [_page(random, number + 1) for number in range(pages)]


def sentences(page: str) -> list[str]:
    """Stretches of a page as a model would quote them: line feeds made spaces, 5 to 60 words."""
    found = (" ".join(part.split()) for part in _SENTENCE.split(page))
    return [text for text in found if 5 <= len(text.split()) <= 60 and len(fold(text)) > 25]


def samples(documents: Sequence[Sequence[str]], each: int, seed: int = 1) -> list[Sample]:
    """`each` quotes of every kind, of sentences that stand in the documents."""
    random = Random(seed)
    known = "\n".join(fold(" ".join(pages)) for pages in documents)
    places = [(d, p) for d, pages in enumerate(documents) for p, text in enumerate(pages) if sentences(text)]
    made: list[Sample] = []
    for kind, change in {**TRUE, **EDITED, **ALTERED, **INVENTED}.items():
        count = tries = 0
        while count < each and tries < each * 60:
            tries += 1
            d, p = random.choice(places)
            d2, p2 = random.choice(places)
            other = random.choice(sentences(documents[d2][p2]))
            text = change(random.choice(sentences(documents[d][p])), other, random)
            stands = kind in _MUST_NOT_STAND and text is not None and fold(text) in known
            if text is None or stands:
                continue
            made.append(Sample(kind, text, d, p))
            count += 1
    return made


def _page(random: Random, number: int) -> str:
    body = " ".join(_sentence(random) for _ in range(random.randint(7, 11)))
    words, lines = body.split(), [""]
    for word in words:
        if len(lines[-1]) + len(word) > 78:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    rows = [
        f"{place}  {random.randint(1, 99)},{random.randint(100, 999)}  ({random.randint(100, 999)})  12.5%"
        for place in random.sample(_PLACES, 4)
    ]
    return "\n".join(["Annual Review of Works", *lines, "", *rows, f"Page {number}"])


def _sentence(random: Random) -> str:
    person, person2 = random.sample(_PEOPLE, 2)
    return random.choice(_SHAPES).format(
        person=person,
        person2=person2,
        place=random.choice(_PLACES),
        body=random.choice(_BODIES),
        thing=random.choice(_THINGS),
        month=random.choice(_MONTHS),
        year=random.randint(1950, 2024),
        n=random.randint(2, 90),
        n2=random.randint(91, 400),
        k=random.randint(100, 999),
        m=random.randint(1, 80),
        pc=random.randint(1, 60),
    )


def _copied(text: str, other: str, random: Random) -> str:
    del other, random
    return text


def _part(text: str, other: str, random: Random) -> str | None:
    del other
    words = text.split()
    if len(words) < 9:
        return None
    first = random.randint(0, len(words) - 8)
    return " ".join(words[first : random.randint(first + 7, len(words))])


def _lowered(text: str, other: str, random: Random) -> str:
    del other, random
    return text.lower()


def _started(text: str, other: str, random: Random) -> str:
    del other, random
    return f"{text[0].swapcase()}{text[1:].rstrip('.')},"


def _typeset(text: str, other: str, random: Random) -> str | None:
    del other, random
    changed = re.sub(r'"([^"]*)"', r"“\1”", text).replace("'", "’").replace("fi", "ﬁ").replace(" - ", " — ")
    return changed if changed != text else None


def _hyphened(text: str, other: str, random: Random) -> str | None:
    del other
    words = [word for word in text.split() if len(word) > 7 and word.isalpha()]
    if not words:
        return None
    word = random.choice(words)
    return text.replace(word, f"{word[:4]}-{word[4:]}", 1)


def _elided(text: str, other: str, random: Random) -> str | None:
    del other
    words = text.split()
    if len(words) < 12:
        return None
    cut = random.randint(4, len(words) - 7)
    mark = random.choice(["…", "...", "[...]", "[…]", ". . ."])
    return " ".join([*words[:cut], mark, *words[cut + 3 :]])


def _less_article(text: str, other: str, random: Random) -> str | None:
    del other
    at = [found.span() for found in re.finditer(r"(?<=\w )(?:the|a|an) (?=[a-z])", text)]
    if not at:
        return None
    begin, end = random.choice(at)
    return text[:begin] + text[end:]


def _slipped(text: str, other: str, random: Random) -> str | None:
    del other
    words = [found.span() for found in re.finditer(r"(?<= )[a-z]{7,}(?= )", text)]
    if not words:
        return None
    begin, _ = random.choice(words)
    return (
        f"{text[: begin + 3]}{text[begin + 4]}{text[begin + 3]}{text[begin + 5 :]}"
        if text[begin + 3] != text[begin + 4]
        else None
    )


def _bracketed(text: str, other: str, random: Random) -> str | None:
    del other
    words = text.split()
    at = random.randint(1, len(words) - 1)
    return " ".join([*words[:at], random.choice(["[sic]", "[in that year]", "[the agency]"]), *words[at:]])


def _digit(text: str, other: str, random: Random) -> str | None:
    del other
    digits = [found.start() for found in re.finditer(r"\d", text)]
    if not digits:
        return None
    at = random.choice(digits)
    return text[:at] + str((int(text[at]) + random.randint(1, 8)) % 10) + text[at + 1 :]


def _negated(text: str, other: str, random: Random) -> str | None:
    del other
    at = [
        found.end()
        for found in re.finditer(
            r"\b(?:is|was|are|were|will|may|must|shall|has|had|have|can)\b(?! not)", text
        )
    ]
    if not at:
        return None
    where = random.choice(at)
    return f"{text[:where]} not{text[where:]}"


def _affirmed(text: str, other: str, random: Random) -> str | None:
    del other, random
    return text.replace(" not ", " ", 1) if " not " in text else None


def _renamed(text: str, other: str, random: Random) -> str | None:
    names: list[tuple[int, int]] = [
        found.span() for found in re.finditer(r"(?<=[a-z,] )[A-Z][a-z]{3,}", text)
    ]
    others: list[str] = [
        name for name in re.findall(r"(?<=[a-z,] )[A-Z][a-z]{3,}", other) if name not in text
    ]
    if not names or not others:
        return None
    begin, end = random.choice(names)
    return text[:begin] + random.choice(others) + text[end:]


def _stitched(text: str, other: str, random: Random) -> str | None:
    del random
    words, more = text.split(), other.split()
    if len(words) < 8 or len(more) < 8 or text == other:
        return None
    return " ".join([*words[: len(words) // 2], *more[len(more) // 2 :]])


def _opposed(text: str, other: str, random: Random) -> str | None:
    del other
    at = [found for found in re.finditer(r"\b[a-z]+\b", text) if found.group() in _OPPOSITES]
    if not at:
        return None
    found = random.choice(at)
    return text[: found.start()] + _OPPOSITES[found.group()] + text[found.end() :]


def _flipped(text: str, other: str, random: Random) -> str | None:
    del other, random
    changed = re.sub(r"\(([\d,.]+%?)\)", r"\1", text, count=1)
    changed = changed if changed != text else re.sub(r"(?<=\s)-(?=\d)", "", text, count=1)
    changed = changed if changed != text else re.sub(r"(?<=[a-z] )(\d[\d,]*)(?= )", r"-\1", text, count=1)
    return changed if changed != text else None


def _reworded(text: str, other: str, random: Random) -> str | None:
    words = list(re.finditer(r"(?<= )[a-z]{5,}(?= )", text))
    others: list[str] = [word for word in re.findall(r"(?<= )[a-z]{5,}(?= )", other) if word not in text]
    if not words or not others:
        return None
    found = random.choice(words)
    return text[: found.start()] + random.choice(others) + text[found.end() :]


def _shuffled(text: str, other: str, random: Random) -> str | None:
    words = [*text.split(), *other.split()]
    random.shuffle(words)
    return " ".join(words[:16]) if len(words) >= 16 else None


def _made_up(text: str, other: str, random: Random) -> str:
    del text, other
    return (
        _sentence(Random(random.randint(10**6, 10**9))).replace("flood", "eclipse").replace("wind", "voltage")
    )


Change = Callable[[str, str, Random], str | None]

TRUE: dict[str, Change] = {"copied": _copied, "part": _part}
EDITED: dict[str, Change] = {
    "lowered": _lowered,
    "started": _started,
    "typeset": _typeset,
    "hyphened": _hyphened,
    "elided": _elided,
    "less article": _less_article,
    "slipped": _slipped,
    "bracketed": _bracketed,
}
ALTERED: dict[str, Change] = {
    "digit": _digit,
    "negated": _negated,
    "affirmed": _affirmed,
    "renamed": _renamed,
    "stitched": _stitched,
    "opposed": _opposed,
    "flipped": _flipped,
    "reworded": _reworded,
}
INVENTED: dict[str, Change] = {"shuffled": _shuffled, "made up": _made_up}

_MUST_NOT_STAND = {*ALTERED, *INVENTED} - {"flipped"}
"""Kinds of which a sample that happens to stand in the documents is none; a flipped sign folds alike."""
