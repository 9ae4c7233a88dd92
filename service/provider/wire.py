"""Chat completions as JSON: requests out, replies and stream chunks in."""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import to_json

from service.domain.prompts import Message, Part
from service.domain.usage import Usage
from service.domain.vision import MAX_PICTURES
from service.errors import Invalid
from service.provider import ChatRequest, Reply
from service.provider.characters import Characters, whole
from service.provider.chunks import NAMED, plain
from service.provider.profiles import Profile

SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty")

MAX_STRING_CHARS = 10_485_760
"""The most one string of a request may hold (the vendor's `string_above_max_length`)."""

_MOST_TOKENS = 100_000_000
"""Far above every model's window: who tells more of one call tells nothing."""

_NAME_CHARS = 40
"""Of a finish_reason, a tier or a model that a reply names."""


class Malformed(ValueError):
    """A reply that is no chat completion."""


class FailedInStream(ValueError):
    """A stream that brought an error instead of its next chunk.

    Attributes:
        payload: the error's JSON.
    """

    def __init__(self, payload: object) -> None:
        super().__init__("the stream holds an error")
        self.payload = payload


def body(request: ChatRequest, profile: Profile) -> dict[str, Any]:
    """The request's JSON, in the profile's dialect; see `left_out` for what that drops.

    Raises:
        Invalid: a message without text, or a string or a picture that no provider takes.
    """
    fields: dict[str, Any] = {
        "model": profile.model_ids.get(request.model, request.model),
        "messages": [_message(message, index) for index, message in enumerate(request.messages)],
        profile.output_limit: request.max_completion_tokens,
        "stream": request.stream,
    }
    if request.stream and profile.stream_options:
        fields["stream_options"] = {"include_usage": True}
    shown = sum(len(message.images) for message in request.messages)
    if shown > MAX_PICTURES:
        raise Invalid(f"The request holds {shown:,} pictures; providers take {MAX_PICTURES:,}.")
    dropped = left_out(request, profile)
    return fields | {name: value for name, value in _options(request).items() if name not in dropped}


def left_out(request: ChatRequest, profile: Profile) -> tuple[str, ...]:
    """The request's parameters that the provider would not get, so that a caller can say so.

    Those of sampling stand only with `reasoning_effort: none`: a model that reasons refuses them.
    """
    allowed = {
        "reasoning_effort": profile.reasoning_effort,
        "verbosity": profile.verbosity,
        "prompt_cache_key": profile.prompt_cache_key,
        "service_tier": profile.service_tier,
    }
    if not profile.sampling_while_reasoning and request.reasoning_effort != "none":
        allowed |= dict.fromkeys(SAMPLING, False)
    return tuple(name for name in _options(request) if not allowed.get(name, True))


def parameters(request: ChatRequest, profile: Profile) -> dict[str, Any]:
    """Return what the caller may have chosen of the request's JSON, under its names on the wire."""
    dropped = (*left_out(request, profile), "prompt_cache_key")
    chosen = {name: value for name, value in _options(request).items() if name not in dropped}
    return {profile.output_limit: request.max_completion_tokens} | chosen


def encoded(fields: dict[str, Any]) -> bytes:
    """The JSON as UTF-8, written by pydantic-core: 4.5 MB in 3-4 ms, a tenth of what `json` may take.

    Raises:
        Invalid: a string holds half a character (a lone surrogate) or a number is none.
    """
    try:
        return to_json(fields)
    except ValueError:
        raise Invalid("The request holds text that is not Unicode (a lone surrogate).") from None


def decoded(text: str | bytes) -> dict[str, Any]:
    """A JSON object; bytes that are no characters become U+FFFD, as they do in a stream.

    Raises:
        Malformed: it is something else.
    """
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), errors="replace")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise Malformed("not JSON") from None
    if not isinstance(value, dict):
        raise Malformed("not a JSON object")
    return value


def reply(payload: dict[str, Any]) -> Reply:
    """The reply out of a whole `chat.completion`; details objects and fingerprints may be absent.

    Raises:
        Malformed: no choice with a message.
    """
    choice = _first_choice(payload)
    message = choice.get("message") if choice else None
    if choice is None or not isinstance(message, dict):
        raise Malformed("no choice with a message")
    return Reply(
        text=_text(message.get("content")),
        finish_reason=_name(choice.get("finish_reason")),
        usage=usage(payload.get("usage")),
        refusal=_string(message.get("refusal")),
        model=_name(payload.get("model")),
        service_tier=_name(payload.get("service_tier")),
        raw=payload,
    )


def usage(value: object) -> Usage | None:
    """The tokens of a `usage` object; None where its two sums are missing or make no sense.

    No request is without input: a server that tells of none has not counted. Details that contradict the
    sums count as zero, which prices the call at its ceiling.
    """
    if not isinstance(value, dict):
        return None
    prompt, completion = _count(value.get("prompt_tokens")), _count(value.get("completion_tokens"))
    if not prompt or completion is None or max(prompt, completion) > _MOST_TOKENS:
        return None
    inside_prompt, inside_completion = (
        value.get("prompt_tokens_details"),
        value.get("completion_tokens_details"),
    )
    cached = _detail(inside_prompt, "cached_tokens", most=prompt)
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=cached,
        reasoning_tokens=_detail(inside_completion, "reasoning_tokens", most=completion),
        cache_write_tokens=_detail(inside_prompt, "cache_write_tokens", most=prompt - cached),
        cache_told=_told(inside_prompt, most=prompt),
    )


def _told(details: object, *, most: int) -> bool:
    """Whether the cached tokens are there, and make sense."""
    count = _count(details.get("cached_tokens")) if isinstance(details, dict) else None
    return count is not None and count <= most


class StreamedReply:
    """A reply in the making: chunks go in, the text so far and in the end the reply come out."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._refusals: list[str] = []
        self._content, self._refusal = Characters(), Characters()
        self._named: dict[str, Any] = {}
        self._names: tuple[object, ...] = ()
        self._finish_reason: str | None = None
        self._usage: Usage | None = None
        self.is_done = False

    @property
    def text(self) -> str:
        """What has come of the answer."""
        return "".join(self._texts)

    @property
    def is_whole(self) -> bool:
        """Whether the answer reached its end: by a finish_reason, or by `[DONE]` after anything at all."""
        has_anything = bool(self._texts or self._refusals or self._usage)
        return self._finish_reason is not None or (self.is_done and has_anything)

    def add(self, data: str, *, is_error: bool = False) -> str:
        """Take one event's data; returns the text it adds, mostly a few characters.

        Raises:
            FailedInStream: the event is an error.
            Malformed: it is no chunk.
        """
        if data.strip() == "[DONE]":
            self.is_done = True
            return ""
        ordinary = None if is_error else plain(data)
        if ordinary is not None:
            if (names := ordinary.names()) != self._names:
                self._names = names
                told = zip(NAMED, self._names, strict=True)
                self._named |= {name: value for name, value in told if value is not None}
            return self._said(self._content.feed(ordinary.content()))
        chunk = decoded(data)
        if is_error or chunk.get("error") or chunk.get("object") == "error":
            raise FailedInStream(chunk)
        self._note(chunk)
        choice = _first_choice(chunk)
        return self._add_choice(choice, chunk) if choice else ""

    def close(self) -> str:
        """Take the stream's end; returns what that adds to the text."""
        return self._said(self._content.close())

    def reply(self) -> Reply:
        """The whole reply; its text equals the added texts joined."""
        return Reply(
            text=self.text,
            finish_reason=self._finish_reason,
            usage=self._usage,
            refusal="".join(self._refusals) or None,
            model=_name(self._named.get("model")),
            service_tier=_name(self._named.get("service_tier")),
            raw=self._named,
        )

    def _note(self, chunk: dict[str, Any]) -> None:
        """Keep what names the reply; the usage may come with any chunk, the last one counts."""
        self._names = ()
        for name in NAMED:
            if chunk.get(name) is not None:
                self._named[name] = chunk[name]
        found = usage(chunk.get("usage"))
        if found is not None:
            self._usage = found
            self._named["usage_chunk"] = chunk

    def _add_choice(self, choice: dict[str, Any], chunk: dict[str, Any]) -> str:
        delta = choice.get("delta")
        fields = delta if isinstance(delta, dict) else {}
        refusal = fields.get("refusal")
        if isinstance(refusal, str) and refusal:
            self._refusals.append(self._refusal.feed(refusal))
        finish_reason = _name(choice.get("finish_reason"))
        if finish_reason:
            self._finish_reason = finish_reason
            self._named["finish_chunk"] = chunk
        return self._said(self._content.feed(_joined(fields.get("content"))))

    def _said(self, text: str) -> str:
        if text:
            self._texts.append(text)
        return text


def _options(request: ChatRequest) -> dict[str, Any]:
    """The optional parameters that are set, under their names on the wire.

    OpenAI's name of the standard tier is `default`.
    """
    tier = "default" if request.service_tier == "standard" else request.service_tier
    options = {
        "reasoning_effort": request.reasoning_effort,
        "verbosity": request.verbosity,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "presence_penalty": request.presence_penalty,
        "frequency_penalty": request.frequency_penalty,
        "seed": request.seed,
        "stop": list(request.stop) or None,
        "response_format": request.response_format,
        "service_tier": tier,
        "prompt_cache_key": request.prompt_cache_key,
    }
    return {name: value for name, value in options.items() if value is not None}


def _message(message: Message, index: int) -> dict[str, Any]:
    """One message; several parts stay parts, so that no string grows over the limit.

    Raises:
        Invalid: as in `body`.
    """
    if not message.parts:
        raise Invalid(f"Message {index + 1} holds no text.")
    if message.images and message.role != "user":
        raise Invalid(f"Message {index + 1} holds a picture; only a user's may.")
    parts = (message.text,) if message.role == "assistant" else message.parts
    for part in parts:
        _check_length(part, index)
    if len(parts) == 1 and isinstance(parts[0], str):
        return {"role": message.role, "content": parts[0]}
    return {"role": message.role, "content": [_part(part) for part in parts]}


def _check_length(part: Part, index: int) -> None:
    kind, text = ("text", part) if isinstance(part, str) else ("picture", part.url)
    if len(text) > MAX_STRING_CHARS:
        raise Invalid(
            f"Message {index + 1} holds one {kind} of {len(text):,} characters; "
            f"providers take {MAX_STRING_CHARS:,} in one string."
        )


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    return {"type": "image_url", "image_url": {"url": part.url, "detail": part.detail}}


def _first_choice(payload: dict[str, Any]) -> dict[str, Any] | None:
    """The choice with index 0 (one answer is asked for, whatever else may come)."""
    choices = payload.get("choices")
    found = choices if isinstance(choices, list) else []
    return next((item for item in found if isinstance(item, dict) and not item.get("index")), None)


def _text(content: object) -> str:
    """The text of a content field, in whole characters."""
    return whole(_joined(content))


def _joined(content: object) -> str:
    """The text of a content field as it came: a string, null, or a list of parts."""
    if isinstance(content, str):
        return content
    texts = (
        [part.get("text") for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    )
    return "".join(text for text in texts if isinstance(text, str))


def _string(value: object) -> str | None:
    return whole(value) if isinstance(value, str) and value else None


def _name(value: object) -> str | None:
    """A name as it is kept; what is longer than any is cut."""
    named = _string(value)
    return None if named is None else named[:_NAME_CHARS]


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _detail(details: object, name: str, *, most: int) -> int:
    count = _count(details.get(name)) if isinstance(details, dict) else None
    return count if count is not None and count <= most else 0
