"""The official client of OpenAI, watched: what it sends and gets is held against the published schemas.

    with watched(server.port) as (client, watch):
        client.chat.completions.create(...)
    assert watch.violations == []

Where the schemas are absent, the fields that the clients read are still checked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx2
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from openai import OpenAI

from tests.support.contract import SCHEMAS
from tests.support.shapes import fits, maybe, one_of

TIERS = one_of("auto", "default", "flex", "scale", "priority", "fast", None)
FINISHES = one_of("stop", "length", "tool_calls", "content_filter", "function_call")
USAGE = {
    "prompt_tokens": int,
    "completion_tokens": int,
    "total_tokens": int,
    "prompt_tokens_details": {"cached_tokens": int},
    "completion_tokens_details": {"reasoning_tokens": int},
}
ANNOTATION = {
    "type": one_of("url_citation"),
    "url_citation": {
        "start_index": int,
        "end_index": int,
        "title": str,
        "url": lambda url: isinstance(url, str) and url.startswith("http://127.0.0.1:"),
    },
}
HEAD = {
    "id": lambda name: re.fullmatch(r"chatcmpl-ans_[0-9a-f]+", name) is not None,
    "created": int,
    "model": str,
}
MESSAGE = {
    "role": one_of("assistant"),
    "content": maybe(str),
    "refusal": maybe(str),
    "annotations": [ANNOTATION],
}
COMPLETION = {
    **HEAD,
    "object": one_of("chat.completion"),
    "choices": [
        {"index": one_of(0), "message": MESSAGE, "finish_reason": FINISHES, "logprobs": one_of(None)}
    ],
    "usage": USAGE,
    "service_tier": TIERS,
    "unabridged": {"answer_id": str, "citations": list},
}
CHUNK = {
    **HEAD,
    "object": one_of("chat.completion.chunk"),
    "choices": [{"index": one_of(0), "delta": dict, "finish_reason": maybe(FINISHES)}],
}
ERROR = {"error": {"message": str, "type": str, "param": maybe(str), "code": maybe(str)}}
FILE = {
    "id": lambda name: re.fullmatch(r"file-[0-9a-f]+", name) is not None,
    "object": one_of("file"),
    "bytes": int,
    "created_at": int,
    "filename": str,
    "purpose": one_of("user_data"),
    "status": one_of("uploaded", "processed", "error"),
}
_SHAPES = {
    "CreateChatCompletionResponse": COMPLETION,
    "CreateChatCompletionStreamResponse": CHUNK,
    "ErrorResponse": ERROR,
}


@dataclass(slots=True)
class Watch:
    """What went over the wire.

    Attributes:
        exchanges: how many requests were answered.
        payloads: the JSON of every reply to a chat completion, each chunk apart.
        headers: of each reply.
        violations: what broke the published form, in words.
    """

    exchanges: int = 0
    payloads: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def see(self, response: httpx2.Response) -> None:
        """Judge one exchange."""
        self.exchanges += 1
        self.headers.append(dict(response.headers))
        response.read()
        try:
            self._judge(response.request, response)
        except (AssertionError, ValueError) as error:
            self.violations.append(f"{response.request.url}: {error}")

    def _judge(self, request: httpx2.Request, response: httpx2.Response) -> None:
        media = response.headers["content-type"].partition(";")[0]
        if request.url.path == "/v1/models":
            check(response.json(), "ListModelsResponse", {"object": one_of("list"), "data": list})
        elif request.url.path != "/v1/chat/completions":
            assert media != "application/problem+json" or "/v1/files" not in request.url.path
        elif media == "text/event-stream":
            self._judge_stream(response.text)
        else:
            name = "CreateChatCompletionResponse" if response.status_code == 200 else "ErrorResponse"
            self.payloads.append(response.json())
            check(response.json(), name)

    def _judge_stream(self, text: str) -> None:
        *events, rest = text.split("\n\n")
        assert rest == "", f"the stream ends inside an event: {rest!r}"
        said = [event.removeprefix("data: ") for event in events if not event.startswith(":")]
        assert all("\n" not in one for one in said)
        ended = said[-1] == "[DONE]"
        chunks = [json.loads(one) for one in (said[:-1] if ended else said)]
        self.payloads += chunks
        for chunk in chunks[: None if ended else -1]:
            check(chunk, "CreateChatCompletionStreamResponse")
        if not ended:
            check(chunks[-1], "ErrorResponse")


def check(payload: object, name: str, shape: object = None) -> None:
    """Assert that a payload has the fields that clients read, and the published form where it is known."""
    fits(payload, shape or _SHAPES[name])
    validator = _strict(name)
    error = best_match(validator.iter_errors(payload)) if validator else None
    assert error is None, f"{name} {error.json_path}: {error.message[:300]}"


@contextmanager
def watched(
    port: int, *, max_retries: int = 0, sends: Callable[[httpx2.Request], None] | None = None
) -> Iterator[tuple[OpenAI, Watch]]:
    """The client, and who watches it."""
    watch = Watch()

    def see_request(request: httpx2.Request) -> None:
        if request.url.path == "/v1/chat/completions" and request.method == "POST" and sends is None:
            validator = _strict("CreateChatCompletionRequest")
            error = best_match(validator.iter_errors(json.loads(request.read()))) if validator else None
            if error is not None:
                watch.violations.append(f"request {error.json_path}: {error.message[:300]}")
        if sends is not None:
            sends(request)

    hooks: dict[str, list[Callable[..., Any]]] = {"request": [see_request], "response": [watch.see]}
    with (
        httpx2.Client(event_hooks=hooks, trust_env=False, timeout=60) as http,
        OpenAI(
            api_key="unused",
            base_url=f"http://127.0.0.1:{port}/v1",
            http_client=http,
            max_retries=max_retries,
        ) as client,
    ):
        yield client, watch


@cache
def _strict(name: str) -> Draft202012Validator | None:
    """A validator for one of the published schemas, as published; None where they are absent."""
    if not SCHEMAS.is_file():
        return None
    return Draft202012Validator(
        {**json.loads(SCHEMAS.read_text()), "$ref": f"#/components/schemas/{name}"},
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )
