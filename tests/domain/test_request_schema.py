"""A provider's own schema: what does not fit is named with what would, and nothing else is forbidden."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from service.domain.request_schema import RequestSchema, Unfit

SCHEMA = {
    "type": "object",
    "properties": {
        "reasoning_effort": {"type": "string", "enum": ["low", "high"]},
        "verbosity": {"anyOf": [{"$ref": "#/$defs/verbosity"}, {"type": "null"}]},
        "temperature": {"type": "number", "minimum": 0, "exclusiveMaximum": 1.5},
        "max_tokens": {"type": "integer", "minimum": 16, "maximum": 4096},
        "stop": {
            "oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "maxItems": 2}]
        },
        "response_format": {"type": "object", "properties": {"type": {"const": "json_object"}}},
        "seed": False,
        "stream": True,
    },
    "$defs": {"verbosity": {"enum": ["low", "medium"]}},
}


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("reasoning_effort", "xhigh", '"low", "high"'),
        ("verbosity", "high", '"low", "medium" or null'),
        ("temperature", 1.5, "number, at least 0, below 1.5"),
        ("temperature", True, "number, at least 0, below 1.5"),
        ("max_tokens", 5_000, "integer, at least 16, at most 4096"),
        ("max_tokens", 20.5, "integer, at least 16, at most 4096"),
        ("stop", ["a", "b", "c"], "string or array"),
        ("response_format", {"type": "json_schema"}, "object"),
        ("seed", 7, "something else"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_named_with_what_would(name: str, value: object, allowed: str) -> None:
    found = RequestSchema(SCHEMA).first_unfit({"stream": True, name: value})
    assert found is not None
    assert found.name == name
    assert found.allowed == allowed.replace(" or null", " or null")


def test_what_fits_and_what_is_not_named() -> None:
    said = {"reasoning_effort": "low", "verbosity": None, "temperature": 0, "stop": ["a"], "top_p": 0.5}
    assert RequestSchema(SCHEMA).first_unfit(said) is None
    closed = RequestSchema({**SCHEMA, "additionalProperties": False})
    assert closed.is_closed
    assert closed.first_unfit(said) == Unfit("top_p", None)
    assert set(closed.names) == set(SCHEMA["properties"])
    assert closed.allowed()["reasoning_effort"] == '"low", "high"'


@pytest.mark.parametrize(
    "root",
    [
        {},
        {"properties": []},
        {"properties": {"a": 7}},
        {"properties": {"a": {"$ref": "#/properties/a"}}},
        {"properties": {"a": {"$ref": "https://elsewhere.example/schema"}}},
        {"properties": {"a": {"anyOf": [{"$ref": "#/properties/a"}], "enum": "x", "type": {"no": 1}}}},
        {"properties": {"a": {"type": ["string", "tensor"], "minimum": "7", "maxLength": None}}},
        {"$ref": "#"},
        {"$ref": 7, "properties": {"a": {"allOf": [{"allOf": [True, {}]}]}}},
    ],
    ids=str,
)
def test_schemas_that_say_nothing_forbid_nothing(root: dict[str, Any]) -> None:
    schema = RequestSchema(root)
    for value in ("x", 7, None, [1], {"b": 2}, True):
        assert schema.first_unfit({"a": value}) is None
    assert isinstance(schema.allowed(), dict)


values = st.one_of(
    st.none(), st.booleans(), st.integers(-9, 9), st.floats(-9, 9), st.sampled_from(["a", "b", "ccc"])
)
rules = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["string", "number", "integer", "boolean", "null", ["string", "null"]]),
            "enum": st.lists(values, min_size=1, max_size=3),
            "minimum": st.integers(-5, 5),
            "maximum": st.integers(-5, 5),
            "maxLength": st.integers(0, 2),
        },
    ),
    lambda inner: st.fixed_dictionaries(
        {}, optional={"anyOf": st.lists(inner, min_size=1, max_size=3), "allOf": st.lists(inner, max_size=2)}
    ),
    max_leaves=6,
)


@given(rule=rules, value=values)
def test_it_judges_as_a_validator_does(rule: dict[str, Any], value: object) -> None:
    root = {"properties": {"a": rule}}
    fits = Draft202012Validator(root).is_valid({"a": value})
    assert (RequestSchema(root).first_unfit({"a": value}) is None) == fits
