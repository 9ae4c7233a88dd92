"""The form that an answer is asked for in, held against what models know."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator

FORMATS = ("text", "json_object", "json_schema")
_SCHEMA_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def checked_format(value: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return an answer's form as it is.

    Raises:
        ValueError: it is none that a model knows.
    """
    if value is None:
        return None
    if value.get("type") not in FORMATS:
        raise ValueError(f"its type is one of {', '.join(FORMATS)}")
    if value["type"] == "json_schema":
        _check_schema(value.get("json_schema"))
    return value


def _check_schema(named: object) -> None:
    """Hold a schema's surroundings against OpenAI's `ResponseFormatJsonSchema`."""
    if not isinstance(named, dict) or not named.get("name"):
        raise ValueError("json_schema needs its json_schema, with a name")
    name = named["name"]
    rules = {
        "name is 1 to 64 of a-z, A-Z, 0-9, _ and -": isinstance(name, str) and _SCHEMA_NAME.fullmatch(name),
        "schema is an object": isinstance(named.get("schema", {}), dict),
        "strict is true or false": isinstance(named.get("strict"), bool | None),
    }
    broken = next((rule for rule, holds in rules.items() if not holds), None)
    if broken is not None:
        raise ValueError(f"its json_schema's {broken}")


ResponseFormat = Annotated[dict[str, Any] | None, AfterValidator(checked_format)]
