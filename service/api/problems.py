"""Errors as RFC 9457 problems: one stable code each, ways out, and never a path, a key or a traceback."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from service.api import fields, openai_errors
from service.api.openai_errors import retry_after
from service.api.wiring import refusals
from service.domain.documents import Failure
from service.errors import (
    BudgetExceeded,
    OverMaxCost,
    OverThreshold,
    OverWindow,
    ProviderInDoubt,
    RequestExceedsProviderRate,
    UnabridgedError,
    UnsupportedParameter,
)

MEDIA_TYPE = "application/problem+json"
_TYPES = "https://unabridged.dev/problems/"
_HTTP_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type"}

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

_COUNTED = {
    kind.code for kind in (BudgetExceeded, OverMaxCost, OverThreshold, OverWindow, RequestExceedsProviderRate)
}
"""Refusals for price or size, which are counted."""

log = logging.getLogger(__name__)


def problem(
    *, status: int, code: str, title: str, detail: str, fixes: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Return a problem's JSON."""
    return {
        "type": f"{_TYPES}{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "fixes": fixes or [],
    }


def problem_of(error: UnabridgedError) -> dict[str, Any]:
    """Return an error of ours as a problem."""
    return problem(
        status=error.status,
        code=error.code,
        title=error.title,
        detail=error.detail,
        fixes=[fix.as_dict() for fix in error.fixes],
    )


def problem_named(failure: Failure, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """Return a recorded failure as the problem of its code, with members of its own (RFC 9457, 3.2)."""
    known: dict[str, type[UnabridgedError]] = {**_by_code(UnabridgedError), "in_doubt": ProviderInDoubt}
    kind = known.get(failure.code)
    status, title = (kind.status, kind.title) if kind else (500, "Something went wrong here")
    said = problem(
        status=status,
        code=failure.code,
        title=title,
        detail=failure.detail,
        fixes=list(failure.fixes),
    )
    return {**said, **more}


def _by_code(kind: type[UnabridgedError]) -> dict[str, type[UnabridgedError]]:
    """The error classes by code; where several share one, the most general."""
    found = {code: error for child in kind.__subclasses__() for code, error in _by_code(child).items()}
    return {**found, kind.code: kind}


def install(app: FastAPI) -> None:
    """Make every error of the app a problem."""
    app.add_exception_handler(UnabridgedError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def response(body: dict[str, Any], headers: dict[str, str] | None = None) -> JSONResponse:
    """Return a problem as an HTTP response; how long to wait is told by a header too (RFC 9110, 10.2.3)."""
    told = {**retry_after(body), **(headers or {})}
    return JSONResponse(body, status_code=body["status"], media_type=MEDIA_TYPE, headers=told)


def response_at(
    path: str, body: dict[str, Any], headers: dict[str, str] | None = None, *, param: str | None = None
) -> JSONResponse:
    """Return a problem in the form that the clients of that path read."""
    if openai_errors.is_spoken_at(path):
        return openai_errors.response(body, headers, param=param)
    return response(body, headers)


def count_refusal(request: Request, code: str) -> None:
    """Count a question that was refused before anything was sent; other codes are passed over."""
    if code in _COUNTED:
        refusals(request).count(code)


async def _ours(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, UnabridgedError):
        return await _unexpected(request, error)
    count_refusal(request, error.code)
    named = openai_errors.Unfit | openai_errors.UnknownModel | UnsupportedParameter
    param = error.param if isinstance(error, named) else None
    return response_at(request.url.path, problem_of(error), param=param)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    if found and openai_errors.is_spoken_at(request.url.path):
        unfit = openai_errors.Unfit(
            openai_errors.said_of(found)[:2000], param=openai_errors.param_of(found[0])
        )
        return await _ours(request, unfit)
    said = "; ".join(fields.said(one, request.scope.get("route")) for one in found)
    return response(
        problem(
            status=422,
            code="invalid_request",
            title="The request does not fit",
            detail=said[:2000] or "The request does not fit its form.",
        )
    )


async def _http(request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = str(error.detail) if isinstance(error, HTTPException) else "Something went wrong."
    headers = dict(error.headers) if isinstance(error, HTTPException) and error.headers else None
    code = _HTTP_CODES.get(status, "invalid_request" if status < 500 else "internal_error")  # noqa: PLR2004 - HTTP's own
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers = {**(headers or {}), "Allow": ", ".join(_methods(request))}
    told = problem(status=status, code=code, title=detail, detail=_in_words(detail, headers))
    return response_at(request.url.path, told, headers)


def _methods(request: Request) -> list[str]:
    """Return the methods of all routes at this address; the framework names those of the first one alone."""
    routes: list[Any] = request.app.routes
    asked = [{**request.scope, "method": method} for method in _METHODS]
    return [one["method"] for one in asked if any(route.matches(one)[0] is Match.FULL for route in routes)]


def _in_words(detail: str, headers: dict[str, str] | None) -> str:
    """Return what the framework says in a word as what is wrong and what to do."""
    said = {
        "Not Found": "There is nothing at this address; /openapi.json lists what there is.",
        "Method Not Allowed": f"This address takes {(headers or {}).get('Allow')}.",
        "There was an error parsing the body": "The body is no JSON in UTF-8.",
    }
    return said.get(detail, detail)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("unexpected error", exc_info=error)
    return response_at(
        request.url.path,
        problem(
            status=500,
            code="internal_error",
            title="Something went wrong here",
            detail="This is a fault of the service. It was logged; nothing stored or paid for is lost.",
        ),
    )
