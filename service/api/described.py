"""What /openapi.json says beyond the types of routes: how errors look, what comes as bytes or as events."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from service.api import openai_errors

EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}
"""Of a route that only streams."""

_BYTES = {"schema": {"type": "string", "format": "binary"}}
_FORM = {
    "schema": {
        "type": "object",
        "properties": {"file": {"type": "array", "items": _BYTES["schema"]}},
        "required": ["file"],
    }
}
RAW: dict[str, Any] = {"requestBody": {"required": True, "content": {"application/octet-stream": _BYTES}}}
"""Of a route that takes a body as it is."""

UPLOADS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"multipart/form-data": _FORM, "application/octet-stream": _BYTES},
    }
}
"""Of the route that takes files, in a form or one as it is."""

_FIX = {
    "type": "object",
    "properties": {"do": {"type": "string"}, "detail": {"type": "string"}},
    "required": ["do"],
}
_PROBLEM = {
    "title": "Problem",
    "description": "An error (RFC 9457): a stable code, and ways out.",
    "type": "object",
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "fixes": {"type": "array", "items": _FIX},
    },
    "required": ["type", "title", "status", "detail", "code", "fixes"],
}
_OPENAI_ERROR = {
    "title": "OpenAIError",
    "description": "An error as OpenAI's clients read it.",
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
            "required": ["message", "type", "param", "code"],
        }
    },
    "required": ["error"],
}
_NEVER_SENT = ("HTTPValidationError", "ValidationError")
"""FastAPI's own forms of errors."""


def describe(app: FastAPI) -> None:
    """Have the app's description tell its errors as they come, instead of as FastAPI would send them."""
    usual = app.openapi

    def openapi() -> dict[str, Any]:
        if not app.openapi_schema:
            app.openapi_schema = _with_errors(usual())
        return app.openapi_schema

    setattr(app, "openapi", openapi)  # noqa: B010 - FastAPI's documented way; a method, for mypy


def _with_errors(told: dict[str, Any]) -> dict[str, Any]:
    schemas = told["components"]["schemas"]
    for name in _NEVER_SENT:
        schemas.pop(name, None)
    schemas |= {"Problem": _PROBLEM, "OpenAIError": _OPENAI_ERROR}
    for path, operations in told["paths"].items():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = _error_at(path)
    return told


def _error_at(path: str) -> dict[str, Any]:
    is_openai = openai_errors.is_spoken_at(path)
    name = "OpenAIError" if is_openai else "Problem"
    media_type = "application/json" if is_openai else "application/problem+json"
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"description": "What is wrong, and ways out.", "content": {media_type: {"schema": schema}}}
