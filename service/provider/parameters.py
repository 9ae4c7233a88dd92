"""What a provider takes: its profile, and what it says itself of a model at `GET /models/{id}`.

That route is asked in the background and never waited for by a question: where there is none (404 is usual),
or no schema in what it answers, nothing more is known than the profile.
"""

from __future__ import annotations

import dataclasses
import json
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

import httpx

from service.domain.request_schema import RequestSchema
from service.errors import Fix, UnsupportedParameter
from service.provider import ChatRequest, wire
from service.provider.profiles import OutputLimit, Profile

KNOWN_SECONDS = 6 * 3600.0
"""How long a description is taken to hold."""

RETRY_SECONDS = 300.0
"""After a failure; nothing depends on it."""

MAX_BYTES = 2 * 1024 * 1024
_SECONDS = 10.0
_SCHEMAS = ("json_request_schema", "request_schema")
_OK, _NOT_FOUND = 200, 404

Route = Literal["described", "without_schema", "absent", "unreachable", "not_asked"]
"""What became of asking: `absent` is usual, `unreachable` anything that is no answer."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a provider says of a model."""

    route: Route
    schema: RequestSchema | None = None


class Described:
    """Of a provider over HTTP; safe to use from many threads.

    Args:
        profile: its own.
        headers: of a request to it.
        proxy, tls: as the client's.
    """

    def __init__(
        self,
        profile: Profile,
        headers: dict[str, str],
        *,
        proxy: str | None = None,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._profile = profile
        self._headers = headers
        self._proxy, self._tls = proxy, tls
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, tuple[Description, float]] = {}
        self._asking: set[str] = set()

    def prepare(self, model: str) -> None:
        """See `provider.Parameters`; at most one request a model at a time."""
        name = self._profile.model_ids.get(model, model)
        with self._lock:
            _, until = self._known.get(name, (None, 0.0))
            if name in self._asking or self._clock() < until:
                return
            self._asking.add(name)
        threading.Thread(target=self._find_out, args=(name,), daemon=True, name="models").start()

    def check(self, request: ChatRequest) -> None:
        """See `provider.Parameters`."""
        self.prepare(request.model)
        dialect = self.dialect(request.model)
        _refuse_left_out(request, dialect)
        schema = self._now(request.model).schema
        if schema is None:
            return
        said = wire.parameters(request, dialect)
        found = schema.first_unfit(said)
        if found is not None:
            name = "max_completion_tokens" if found.name == dialect.output_limit else found.name
            raise _unsupported(dialect.name, request.model, name, said[found.name], found.allowed)

    def told(self, model: str, *, wait: bool = False) -> dict[str, Any]:
        """See `provider.Parameters`."""
        if wait:
            self._find_out(self._profile.model_ids.get(model, model))
        known = self._now(model)
        return {
            "name": self._profile.name,
            "model": self._profile.model_ids.get(model, model),
            "description": known.route,
            "parameters": known.schema.allowed() if known.schema else None,
        }

    def dialect(self, model: str) -> Profile:
        """Return the profile, as the provider's own words of a model correct it."""
        schema = self._now(model).schema
        return self._profile if schema is None else _corrected(self._profile, schema)

    def _now(self, model: str) -> Description:
        name = self._profile.model_ids.get(model, model)
        return self._known.get(name, (Description("not_asked"), 0.0))[0]

    def _find_out(self, name: str) -> None:
        found = self._ask(name)
        seconds = RETRY_SECONDS if found.route == "unreachable" else KNOWN_SECONDS
        with self._lock:
            before = self._known.get(name)
            if found.route == "unreachable" and before is not None:
                found = before[0]  # what was known holds on
            self._known[name] = found, self._clock() + seconds
            self._asking.discard(name)

    def _ask(self, name: str) -> Description:
        url = f"{self._profile.base_url}/models/{quote(name, safe='')}"
        try:
            with (
                httpx.Client(
                    timeout=_SECONDS, trust_env=False, proxy=self._proxy, verify=self._tls or True
                ) as client,
                client.stream("GET", url, headers=self._headers) as response,
            ):
                if response.status_code == _NOT_FOUND:
                    return Description("absent")
                if response.status_code != _OK:
                    return Description("unreachable")
                return _description(_body(response))
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, RecursionError):
            return Description("unreachable")


def _body(response: httpx.Response) -> object:
    """The JSON of an answer.

    Raises:
        ValueError: it is none, or too long.
    """
    content = bytearray()
    ends = time.monotonic() + _SECONDS
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > MAX_BYTES or time.monotonic() > ends:
            raise ValueError("the description is too long")
    return json.loads(bytes(content))


def _description(payload: object) -> Description:
    """What an answer says; some wrap the model into `model` or `data`."""
    if not isinstance(payload, dict):
        return Description("without_schema")
    for place in (payload, payload.get("model"), payload.get("data")):
        found = (place.get(name) for name in _SCHEMAS) if isinstance(place, dict) else ()
        schema = next((one for one in found if isinstance(one, dict) and one), None)
        if schema is not None:
            return Description("described", RequestSchema(schema))
    return Description("without_schema")


def _corrected(profile: Profile, schema: RequestSchema) -> Profile:
    """Call the output limit what the schema calls it, send what it names, and leave out what it forbids."""
    names = set(schema.names)
    refused = {"prompt_cache_key", "stream_options"} - names if schema.is_closed else set()
    limits: tuple[OutputLimit, ...] = ("max_completion_tokens", "max_tokens")
    limit = profile.output_limit
    if limit not in names:
        limit = next((one for one in limits if one in names), limit)
    return dataclasses.replace(
        profile,
        output_limit=limit,
        reasoning_effort=profile.reasoning_effort or "reasoning_effort" in names,
        verbosity=profile.verbosity or "verbosity" in names,
        prompt_cache_key=profile.prompt_cache_key and "prompt_cache_key" not in refused,
        stream_options=profile.stream_options and "stream_options" not in refused,
    )


def _refuse_left_out(request: ChatRequest, profile: Profile) -> None:
    """Refuse what the caller said and the provider would not get; `none` asks for nothing.

    Raises:
        UnsupportedParameter: see `check`.
    """
    said = {"reasoning_effort": request.reasoning_effort, "verbosity": request.verbosity}
    for name in wire.left_out(request, profile):
        value = said.get(name)
        if value is not None and value != "none":
            raise _unsupported(profile.name, request.model, name, value, None)


def _unsupported(
    engine: str, model: str, name: str, value: object, allowed: str | None
) -> UnsupportedParameter:
    shown = json.dumps(value)[:80] if isinstance(value, str | int | float | bool) else "this value"
    if allowed is None:
        detail = f"{engine} is not known to take {name} for {model}: leave it out."
        fix = Fix("leave_out_parameter", f"Leave {name} out.", (("parameter", name),))
    else:
        detail = f"{engine} does not take {shown} as {name} for {model}; it takes {allowed}."
        fix = Fix("change_parameter", f"{name}: {allowed}.", (("parameter", name), ("allowed", allowed)))
    return UnsupportedParameter(detail, param=name, fixes=(fix,))
