"""What a provider's own JSON Schema says of a request's parameters: the first that does not fit, and why.

Of JSON Schema only what says something about a parameter is read: types, listed values, bounds, alternatives
and references within the schema. What is not known here forbids nothing: the provider has the last word.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

MAX_DEPTH: Final = 12
"""Levels that are followed; a schema may refer to itself."""

_MOST_VALUES, _MOST_CHARS = 20, 300

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list, tuple),
    "null": (type(None),),
}


@dataclass(frozen=True, slots=True)
class Unfit:
    """A parameter that does not fit.

    Attributes:
        allowed: the values it may have, in words; None where the parameter itself is not taken.
    """

    name: str
    allowed: str | None


@dataclass(frozen=True, slots=True)
class RequestSchema:
    """The schema of a request's body, as a provider published it (any JSON)."""

    root: Mapping[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that it names."""
        return tuple(self._properties)

    @property
    def is_closed(self) -> bool:
        """Whether it forbids all others."""
        return bool(self._properties) and self._body.get("additionalProperties") is False

    def allowed(self) -> dict[str, str]:
        """Return what each parameter may be, in words, where it says anything."""
        told = {name: _in_words(rule, self.root) for name, rule in self._properties.items()}
        return {name: said for name, said in told.items() if said}

    def first_unfit(self, values: Mapping[str, Any]) -> Unfit | None:
        """Return the first of these parameters that is not taken, or not with its value."""
        for name, value in values.items():
            rule = self._properties.get(name)
            if rule is None and self.is_closed:
                return Unfit(name, None)
            if rule is not None and not _fits(value, rule, self.root):
                return Unfit(name, _in_words(rule, self.root) or "something else")
        return None

    @property
    def _body(self) -> Mapping[str, Any]:
        return _followed(self.root, self.root)

    @property
    def _properties(self) -> Mapping[str, Any]:
        found = self._body.get("properties")
        return found if isinstance(found, dict) else {}


def _fits(value: Any, rule: Any, root: Mapping[str, Any], depth: int = 0) -> bool:  # noqa: ANN401 - any JSON value
    if rule is False:
        return False
    rule = _followed(rule, root)
    if depth > MAX_DEPTH or not rule:
        return True
    deeper = depth + 1
    checks = (_fits_listed, _fits_type, _fits_bounds)
    if not all(check(value, rule) for check in checks):
        return False
    for word in ("anyOf", "oneOf"):
        ways = _list(rule, word)
        if ways and not any(_fits(value, way, root, deeper) for way in ways):
            return False
    if not all(_fits(value, part, root, deeper) for part in _list(rule, "allOf")):
        return False
    return all(_fits(inner, found, root, deeper) for inner, found in _inside(value, rule))


def _inside(value: Any, rule: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 - any JSON value
    """What a value holds, each with its rule."""
    properties = rule.get("properties")
    if isinstance(value, dict) and isinstance(properties, dict):
        yield from ((inner, properties[name]) for name, inner in value.items() if name in properties)
    if isinstance(value, list | tuple) and isinstance(rule.get("items"), dict):
        yield from ((inner, rule["items"]) for inner in value)


def _fits_listed(value: Any, rule: Mapping[str, Any]) -> bool:  # noqa: ANN401 - any JSON value
    if "const" in rule and not _same(value, rule["const"]):
        return False
    listed = _list(rule, "enum")
    return not listed or any(_same(value, one) for one in listed)


def _fits_type(value: Any, rule: Mapping[str, Any]) -> bool:  # noqa: ANN401 - any JSON value
    named = rule.get("type")
    wanted = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    known = [_TYPES[one] for one in wanted if isinstance(one, str) and one in _TYPES]
    if not known or len(known) < len(wanted):
        return True
    if isinstance(value, bool):
        return (bool,) in known
    whole = isinstance(value, float) and value.is_integer() and (int,) in known
    return whole or any(isinstance(value, kinds) for kinds in known)


def _fits_bounds(value: Any, rule: Mapping[str, Any]) -> bool:  # noqa: ANN401 - any JSON value
    if isinstance(value, str | list | tuple):
        word = "Length" if isinstance(value, str) else "Items"
        return _within(len(value), rule.get(f"min{word}"), rule.get(f"max{word}"))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return True
    low, high = _number(rule.get("exclusiveMinimum")), _number(rule.get("exclusiveMaximum"))
    over = low is None or value > low
    under = high is None or value < high
    return over and under and _within(value, rule.get("minimum"), rule.get("maximum"))


def _within(value: float, least: object, most: object) -> bool:
    low, high = _number(least), _number(most)
    return (low is None or value >= low) and (high is None or value <= high)


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _same(one: object, other: object) -> bool:
    return one == other and isinstance(one, bool) is isinstance(other, bool)


def _followed(rule: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ANN401 - any JSON value
    """Return the rule that a reference within the schema leads to; empty where it leads nowhere."""
    for _ in range(MAX_DEPTH):
        if not isinstance(rule, dict):
            return {}
        reference = rule.get("$ref")
        if not isinstance(reference, str):
            return rule
        if not reference.startswith("#"):
            return {}
        rule = _at(root, reference[1:].split("/")[1:])
    return {}


def _at(root: Mapping[str, Any], steps: Sequence[str]) -> Any:  # noqa: ANN401 - any JSON value
    found: Any = root
    for step in steps:
        found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    return found


def _list(rule: Mapping[str, Any], word: str) -> list[Any]:
    found = rule.get(word)
    return found if isinstance(found, list) else []


def _in_words(rule: Any, root: Mapping[str, Any], depth: int = 0) -> str:  # noqa: ANN401 - any JSON value
    """What a parameter may be, for people; empty where the rule says nothing."""
    rule = _followed(rule, root)
    if depth > MAX_DEPTH:
        return ""
    if listed := _list(rule, "enum") or ([rule["const"]] if "const" in rule else []):
        return _cut(", ".join(json.dumps(one) for one in listed[:_MOST_VALUES]))
    ways = [_in_words(way, root, depth + 1) for word in ("anyOf", "oneOf") for way in _list(rule, word)]
    if any(ways):
        return _cut(" or ".join(dict.fromkeys(filter(None, ways))))
    named = rule.get("type")
    kinds = [named] if isinstance(named, str) else _list(rule, "type")
    bounds = [
        f"{said} {rule[word]}"
        for word, said in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
        )
        if _number(rule.get(word)) is not None
    ]
    kind = " or ".join(str(one)[:20] for one in kinds[:_MOST_VALUES])
    return _cut(", ".join(filter(None, [kind, *bounds])))


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARS else f"{text[: _MOST_CHARS - 1]}…"
