"""Errors as OpenAI's clients read them: the envelope around a problem, and whether to try again."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi.responses import JSONResponse

from service.errors import Invalid, NotFound

_FACE = ("/v1/chat/", "/v1/files")
_TYPES = {402: "insufficient_quota", 403: "permission_error", 429: "rate_limit_error"}
_CURABLE = frozenset(
    {"document_not_ready", "index_building", "provider_unavailable", "rate_limited", "store_unavailable"}
)
"""Surely not billed, and likely to pass. Of themselves the clients would repeat any 409 and 5xx."""

_RETRY_SECONDS = "2"
_SHOWN = 5
_SERVER_ERROR = 500


class Unfit(Invalid):
    """A request that OpenAI's clients may make and that is refused here, by the parameter's name."""

    status = 400

    def __init__(self, detail: str, *, param: str | None) -> None:
        super().__init__(detail)
        self.param = param


class UnknownModel(NotFound):
    """No model has that name; OpenAI's clients are told which parameter said it."""

    param = "model"


def is_spoken_at(path: str) -> bool:
    """Whether a path is part of the face for OpenAI's clients."""
    return path.startswith(_FACE)


def envelope(problem: Mapping[str, Any], *, param: str | None = None) -> dict[str, Any]:
    """Return a problem in OpenAI's form; its ways out stand in the message too."""
    status = problem["status"]
    kind = "server_error" if status >= _SERVER_ERROR else _TYPES.get(status, "invalid_request_error")
    answer = problem.get("answer") or {}
    return {
        "error": {
            "message": " ".join([problem["detail"], *_ways_out(problem["fixes"])]),
            "type": kind,
            "param": param,
            "code": problem["code"],
            "unabridged": {"fixes": problem["fixes"], "answer_id": answer.get("id")},
        }
    }


def response(
    problem: Mapping[str, Any], headers: Mapping[str, str] | None = None, *, param: str | None = None
) -> JSONResponse:
    """Return a problem as a response to OpenAI's clients."""
    curable = problem["code"] in _CURABLE
    told = {"x-should-retry": "true" if curable else "false"}
    if curable:
        told |= {"Retry-After": _RETRY_SECONDS, **retry_after(problem)}
    return JSONResponse(
        envelope(problem, param=param), status_code=problem["status"], headers={**told, **(headers or {})}
    )


def retry_after(problem: Mapping[str, Any]) -> dict[str, str]:
    """Return the header that says how long to wait, where the problem knows it."""
    waits = [fix["seconds"] for fix in problem["fixes"] if fix["do"] == "wait" and "seconds" in fix]
    return {"Retry-After": str(math.ceil(waits[0]))} if waits else {}


def param_of(error: Mapping[str, Any]) -> str | None:
    """Return the parameter that a validation error is about: `messages[0].content`; None for the body."""
    named = (error.get("ctx") or {}).get("param")
    if named:
        return str(named)
    steps: Sequence[object] = error["loc"][1:]
    if not steps or error["type"] == "json_invalid":
        return None
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")


def said_of(errors: Iterable[Mapping[str, Any]]) -> str:
    """Return validation errors in words."""
    told = ((param_of(one), _said(one)) for one in errors)
    return "; ".join(f"{param}: {message}" if param else message for param, message in told)


def _said(error: Mapping[str, Any]) -> str:
    if error["type"] == "json_invalid":
        return f"The body is no JSON: {error['ctx']['error']} at character {error['loc'][-1]}."
    if error["type"] == "missing" and not error["loc"][1:]:
        return "The body is empty: send a JSON object, with `model` and `messages`."
    return str(error["msg"]).removeprefix("Value error, ")


def _ways_out(fixes: Sequence[Mapping[str, Any]]) -> list[str]:
    ways = [fix.get("detail") or _in_words(fix) for fix in fixes[:_SHOWN]]
    return [f"Ways out: {'; '.join(way.rstrip('.') for way in ways)}."] if ways else []


def _in_words(fix: Mapping[str, Any]) -> str:
    values = [f"{name} {_short(value)}" for name, value in fix.items() if name != "do"]
    return f"{fix['do'].replace('_', ' ')} ({', '.join(values)})" if values else fix["do"].replace("_", " ")


def _short(value: object) -> str:
    if isinstance(value, list):
        more = [f"and {len(value) - _SHOWN} more"] if len(value) > _SHOWN else []
        return ", ".join([*map(str, value[:_SHOWN]), *more])
    return str(value)
