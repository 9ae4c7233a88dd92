"""A provider on loopback: a real HTTP server that checks the contract, counts, caches, bills and misbehaves.

    with Upstream() as upstream:
        provider = HttpProvider(upstream.profile(), upstream.key)
        ...
        assert upstream.violations == []
        assert sum(line.usd for line in upstream.invoice) == ...

A test steers it with `answer` (what the model says) and `script` (one Act for each coming request); where
many requests come at once and the order is open, with a Model, which decides by what each request says.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

import uvicorn

from ingest.tokens import decode, encode
from service.provider.profiles import Profile, named
from tests.support import answering, contract, upstream_batches
from tests.support.asgi import Receive, Send, read, send_body, send_event, send_json, start
from tests.support.billing import MAX_INPUT_TOKENS, Billed, PrefixCache, asked, price, prompt_tokens
from tests.support.contract import Violation

KEY = "sk-upstream-0123456789abcdef"
MODELS = ("gpt-5.5", "gpt-5.5-2026-04-23")
REASONING = {"none": 0, "low": 16, "medium": 64, "high": 256, "xhigh": 512}
"""Reasoning tokens by effort."""


class Cut(Exception):
    """Raised on purpose: the server drops the connection in the middle of its reply."""


@dataclass(frozen=True, slots=True)
class Act:
    """How one request is answered; the defaults are good behaviour. Counts are of stream chunks.

    Attributes:
        status, error, headers: an answer with that status and JSON body, never billed.
        body, media_type: these bytes instead of a reply.
        cut_after, end_after, error_after: then drop the connection, end cleanly, send an error.
        stall_after: then send nothing more until the client leaves.
        first_s, between_s: seconds before the headers and between chunks.
        hangs: bills and never answers.
        refusal, finish_reason, text: what the reply says instead.
        is_billed: whether it stands on the invoice although the client may see no usage.
    """

    status: int = 200
    error: Mapping[str, Any] | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    media_type: str | None = None
    cut_after: int | None = None
    end_after: int | None = None
    error_after: int | None = None
    stall_after: int | None = None
    first_s: float = 0.0
    between_s: float = 0.0
    hangs: bool = False
    usage: bool = True
    refusal: str | None = None
    finish_reason: str | None = None
    text: str | None = None
    is_billed: bool = True


def well() -> Act:
    """Good behaviour, to stand between others in a script."""
    return Act()


def status(
    number: int,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    message: str = "Something is wrong.",
) -> Act:
    """An error answer in OpenAI's envelope."""
    error = {"error": {"message": message, "type": "error", "param": None, "code": code}}
    return Act(status=number, error=error, headers=tuple((headers or {}).items()), is_billed=False)


def cut_after(chunks: int) -> Act:
    """The connection breaks after so many stream chunks."""
    return Act(cut_after=chunks)


def end_after(chunks: int) -> Act:
    """The stream ends cleanly after so many chunks, without finish_reason and `[DONE]`."""
    return Act(end_after=chunks)


def no_usage() -> Act:
    """A whole reply that does not tell its tokens."""
    return Act(usage=False)


def error_in_stream(chunks: int = 3, code: str | None = "server_error") -> Act:
    """After so many chunks comes an error object; nothing is billed."""
    error = {
        "error": {"message": "The server had an error.", "type": "server_error", "param": None, "code": code}
    }
    return Act(error_after=chunks, error=error, is_billed=False)


def slow(first_s: float, between_s: float = 0.0) -> Act:
    """Silence before the answer, and between its chunks."""
    return Act(first_s=first_s, between_s=between_s)


def malformed() -> Act:
    """A 200 whose JSON is cut, streaming or not."""
    return Act(body=b'data: {"id":"chatcmpl-1","choices":[{"index":0,"del\n\n')


def wrong_content_type() -> Act:
    """A 200 with a page of HTML."""
    return Act(body=b"<!doctype html><title>Welcome</title>", media_type="text/html")


def hang() -> Act:
    """Takes the request, bills it, never answers."""
    return Act(hangs=True)


def stall_after(chunks: int) -> Act:
    """After so many chunks nothing more comes."""
    return Act(stall_after=chunks)


def empty_length() -> Act:
    """Reasoning used the whole allowance: no text, `length`."""
    return Act(text="", finish_reason="length")


def refusal(text: str = "I'm sorry, I can't help with that.") -> Act:
    """The model refuses in words."""
    return Act(text="", refusal=text)


@dataclass(frozen=True, slots=True)
class Model:
    """How every request is answered, by what it says; None leaves it to the usual rules.

    Attributes:
        act: how the reply behaves, where no script is left.
        completion: its completion tokens, reasoning included; the text is part of them.
        forgets: whether the prefix cache has lost what it held.
    """

    act: Callable[[dict[str, Any]], Act] | None = None
    completion: Callable[[dict[str, Any]], int] | None = None
    forgets: Callable[[dict[str, Any]], bool] | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came.

    Attributes:
        port: the client's, which tells connections apart.
        headers: with lower-case names.
        body: parsed; None if it is no JSON.
        size: of the body in bytes.
    """

    path: str
    port: int
    headers: dict[str, str]
    body: Any
    size: int


@dataclass(frozen=True, slots=True)
class _Reply:
    """What is about to be said."""

    request_id: str
    model: str
    pieces: tuple[str, ...]
    finish_reason: str
    billed: Billed


class Upstream:
    """The server; start it as a context manager or with `start` and `stop`.

    Attributes:
        url: the base URL, ending in /v1.
        key: the only key it takes.
        requests: every POST received to its end.
        invoice: what it billed.
        violations: what broke the contract, in words.
        answer: the model.
        script: acts for the coming valid requests, first in, first out.
        disconnects: how many clients left while the server hung or stalled.
        model: how replies come out that no script speaks of.
        keeps_bodies: whether `requests` holds what was asked; a day of long prompts would fill the memory.
        extra_tokens: what it counts of each request beside the published overhead.
        tokens_per_minute: what no request's input may pass; told with every reply.
        tells_cache: whether replies say what was read from the cache.
        descriptions: what it says of models at `GET /models/{id}`, by their names; 404 for all others.
        described: the names that were asked for there.
        batches: its files and batches.
    """

    def __init__(
        self,
        *,
        answer: Callable[[dict[str, Any]], str] = answering.answer,
        model: Model | None = None,
        keeps_bodies: bool = True,
    ) -> None:
        self.key = KEY
        self.url = ""
        self.requests: list[Received] = []
        self.invoice: list[Billed] = []
        self.violations: list[str] = []
        self.answer = answer
        self.model = model or Model()
        self.keeps_bodies = keeps_bodies
        self.script: deque[Act] = deque()
        self.disconnects = 0
        self.extra_tokens = 0
        self.tokens_per_minute = 2_000_000
        self.tells_cache = True
        self.descriptions: dict[str, Any] = {}
        self.described: list[str] = []
        self.batches = upstream_batches.Batches(self)
        self._numbers = itertools.count(1)
        self._cache = PrefixCache()
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None

    def forget(self) -> None:
        """Let go of all that is cached."""
        self._cache = PrefixCache()

    def profile(self, name: str = "openai") -> Profile:
        """A provider's profile that leads here."""
        return named(name, base_url=self.url)

    def start(self) -> Self:
        """Listen on a free port of loopback."""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        config = uvicorn.Config(
            self._app,
            interface="asgi3",
            lifespan="off",
            ws="none",
            proxy_headers=False,
            access_log=False,
            log_config=None,
            log_level="error",
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)
        return self

    def stop(self) -> None:
        """Drop what is still open and free the port."""
        if self._server and self._thread and self._socket:
            self._server.should_exit = self._server.force_exit = True
            self._thread.join(timeout=10)
            self._socket.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def _app(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["method"] == "GET" and scope["path"] == "/v1/models":
            data = [{"id": m, "object": "model", "created": 0, "owned_by": "upstream"} for m in MODELS]
            await send_json(send, 200, {"object": "list", "data": data})
        elif scope["method"] == "GET" and scope["path"].startswith("/v1/models/"):
            name = scope["path"].removeprefix("/v1/models/")
            self.described.append(name)
            known = name in self.descriptions
            missing = Violation(f"The model '{name}' does not exist", status=404).envelope()
            await send_json(send, 200 if known else 404, self.descriptions.get(name, missing))
        elif scope["path"].startswith(upstream_batches.PATHS):
            await self._keep(scope, receive, send)
        elif (scope["method"], scope["path"]) != ("POST", "/v1/chat/completions"):
            violation = Violation(f"Invalid URL ({scope['method']} {scope['path']})", status=404)
            await send_json(send, 404, violation.envelope())
        else:
            await self._complete(scope, receive, send)

    def batch_reply(self, body: dict[str, Any]) -> tuple[dict[str, Any], Billed]:
        """The reply to a line of a batch, which says `default` as the vendor's does, and its bill."""
        reply = self._reply(well(), {**body, "service_tier": "batch"})
        self._cache.remember(body)
        return {**_payload(well(), reply), "service_tier": "default"}, reply.billed

    async def _keep(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Files and batches."""
        content = await read(receive)
        if content is None:
            return
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        violation = self._unauthorized(headers)
        if violation:
            await send_json(send, violation.status, violation.envelope())
            return
        query = dict(parse_qsl(scope["query_string"].decode()))
        at = scope["method"], scope["path"], query, content
        try:
            reply = await asyncio.to_thread(self.batches.answer, *at)
        except upstream_batches.Dropped:
            await start(send, 200, (("content-type", "application/json"), ("content-length", "1000")))
            raise
        await upstream_batches.send(reply, send)

    async def _complete(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        content = await read(receive)
        if content is None:
            return
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        body = _parsed(content)
        kept = body if self.keeps_bodies else None
        self.requests.append(Received(scope["path"], scope["client"][1], headers, kept, len(content)))
        violation = self._unauthorized(headers) or await asyncio.to_thread(self._violation, body)
        if not violation and await asyncio.to_thread(self._is_too_large, body):
            await send_json(send, 429, self._too_large(body).envelope())
            return
        if violation:
            if violation.status != 401:
                self.violations.append(violation.message)
            await send_json(send, violation.status, violation.envelope())
            return
        await self._perform(self._next_act(body), body, receive, send)

    def _next_act(self, body: dict[str, Any]) -> Act:
        if self.script:
            return self.script.popleft()
        return self.model.act(body) if self.model.act else Act()

    def _unauthorized(self, headers: Mapping[str, str]) -> Violation | None:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not key:
            return Violation("You didn't provide an API key.", status=401)
        if key != self.key:
            text = f"Incorrect API key provided: {key}. You can find your API key in your account."
            return Violation(text, code="invalid_api_key", status=401)
        return None

    def _violation(self, body: Any) -> Violation | None:  # noqa: ANN401 - any JSON value
        found = contract.check(body, models=MODELS)
        against_schema = None if found else contract.check_schema(body)
        if against_schema:
            found = Violation(f"Against the published schema: {against_schema}")
        return found or _over_window(body)

    def _is_too_large(self, body: dict[str, Any]) -> bool:
        return prompt_tokens(body, extra=self.extra_tokens) > self.tokens_per_minute

    def _too_large(self, body: dict[str, Any]) -> Violation:
        asked = prompt_tokens(body, extra=self.extra_tokens)
        limit = f"Limit {self.tokens_per_minute}, Requested {asked}"
        text = f"Request too large for {body['model']} on tokens per min (TPM): {limit}."
        return Violation(text, code="rate_limit_exceeded", status=429)

    async def _perform(self, act: Act, body: dict[str, Any], receive: Receive, send: Send) -> None:
        if act.status != 200:
            await send_json(send, act.status, act.error, act.headers)
            return
        try:
            reply = await asyncio.to_thread(self._reply, act, body)
        except LookupError as error:
            await send_json(send, 400, Violation(f"No long context on tier {error}.").envelope())
            return
        if act.is_billed:
            self.invoice.append(reply.billed)
        await asyncio.sleep(act.first_s)
        self._cache.remember(body)
        if act.hangs:
            await self._until_disconnected(receive)
        elif act.body is not None:
            media = act.media_type or ("text/event-stream" if body.get("stream") else "application/json")
            await send_body(send, 200, act.body, (("content-type", media),))
        elif body.get("stream"):
            await _stream(act, body, reply, send)
            if act.stall_after is not None:
                await self._until_disconnected(receive)
        else:
            await _whole(act, reply, send)

    async def _until_disconnected(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.disconnects += 1

    def _reply(self, act: Act, body: dict[str, Any]) -> _Reply:
        allowed = body.get("max_completion_tokens") or 128_000
        said = encode(self.answer(body) if act.text is None else act.text)
        reasoning = self._reasoning(body, allowed, len(said))
        if act.finish_reason == "length":
            reasoning = allowed
        kept = said[: allowed - reasoning]
        finish = act.finish_reason or ("length" if len(kept) < len(said) else "stop")
        billed = self._billed(body, completion=reasoning + len(kept), reasoning=reasoning)
        pieces = tuple(re.findall(r"\S+\s*|\s+", decode(kept)))
        return _Reply(billed.request_id, _dated(body["model"]), pieces, finish, billed)

    def _reasoning(self, body: dict[str, Any], allowed: int, said: int) -> int:
        if self.model.completion is not None:
            return min(max(self.model.completion(body) - said, 0), allowed)
        return min(REASONING[body.get("reasoning_effort") or "medium"], allowed)

    def _billed(self, body: dict[str, Any], *, completion: int, reasoning: int) -> Billed:
        tier = body.get("service_tier") or "default"
        tier = "default" if tier == "auto" else tier
        prompt = prompt_tokens(body, extra=self.extra_tokens)
        lost = self.model.forgets is not None and self.model.forgets(body)
        cached = 0 if lost else self._cache.cached_tokens(body, prompt=prompt)
        usd = price(tier, prompt=prompt, cached=cached, completion=completion)
        return Billed(
            f"req_{next(self._numbers)}",
            body["model"],
            tier,
            prompt,
            cached,
            completion,
            reasoning,
            usd,
            asked(body),
            tells_cache=self.tells_cache,
            tokens_per_minute=self.tokens_per_minute,
        )


async def _stream(act: Act, body: dict[str, Any], reply: _Reply, send: Send) -> None:
    await start(send, 200, _headers(reply, "text/event-stream; charset=utf-8", act))
    with_usage = act.usage and (body.get("stream_options") or {}).get("include_usage", False)
    for index, chunk in enumerate(_chunks(act, reply, with_usage=with_usage)):
        if index == act.cut_after:
            raise Cut
        if index == act.stall_after:
            return
        if index == act.error_after:
            await send_event(send, json.dumps(act.error))
            break
        if index == act.end_after:
            break
        await send_event(send, json.dumps(chunk))
        await asyncio.sleep(act.between_s)
    else:
        await send_event(send, "[DONE]")
    await send({"type": "http.response.body", "body": b""})


def _chunks(act: Act, reply: _Reply, *, with_usage: bool) -> Iterator[dict[str, Any]]:
    """The stream's chunks: the role, the pieces, the end, and the usage where it was asked for."""
    more = {"usage": None} if with_usage else {}

    def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return _named(reply, "chat.completion.chunk") | {"choices": [choice]} | more

    yield chunk({"role": "assistant", "content": "", "refusal": None})
    if act.refusal:
        yield from (chunk({"refusal": piece}) for piece in re.findall(r"\S+\s*", act.refusal))
    yield from (chunk({"content": piece}) for piece in reply.pieces)
    yield chunk({}, reply.finish_reason)
    if with_usage:
        yield _named(reply, "chat.completion.chunk") | {"choices": [], "usage": reply.billed.usage()}


def _payload(act: Act, reply: _Reply) -> dict[str, Any]:
    text = None if act.refusal else "".join(reply.pieces)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": text,
        "refusal": act.refusal,
        "annotations": [],
    }
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish_reason}
    payload = _named(reply, "chat.completion") | {"choices": [choice]}
    if act.usage:
        payload["usage"] = reply.billed.usage()
    return payload


async def _whole(act: Act, reply: _Reply, send: Send) -> None:
    content = json.dumps(_payload(act, reply)).encode()
    if act.cut_after is not None:
        await start(
            send, 200, (*_headers(reply, "application/json", act), ("content-length", str(len(content))))
        )
        await send({"type": "http.response.body", "body": content[: len(content) // 2], "more_body": True})
        raise Cut
    await send_body(send, 200, content, _headers(reply, "application/json", act))


def _named(reply: _Reply, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{reply.request_id}",
        "object": kind,
        "created": 1_790_000_000,
        "model": reply.model,
        "service_tier": reply.billed.service_tier,
        "system_fingerprint": None,
    }


def _headers(reply: _Reply, media_type: str, act: Act) -> tuple[tuple[str, str], ...]:
    return (
        ("content-type", media_type),
        ("x-request-id", reply.request_id),
        ("x-ratelimit-limit-tokens", str(reply.billed.tokens_per_minute)),
        ("x-ratelimit-remaining-tokens", str(reply.billed.tokens_per_minute - reply.billed.prompt_tokens)),
        *act.headers,
    )


def _over_window(body: dict[str, Any]) -> Violation | None:
    count = prompt_tokens(body)
    if count <= MAX_INPUT_TOKENS:
        return None
    text = f"Input tokens exceed the configured limit of {MAX_INPUT_TOKENS} tokens."
    text = f"{text} Your messages resulted in {count} tokens. Please reduce the length of the messages."
    return Violation(text, param="messages", code="context_length_exceeded")


def _dated(model: str) -> str:
    return MODELS[1] if model == MODELS[0] else model


def _parsed(content: bytes) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(content)
    except ValueError:
        return None
