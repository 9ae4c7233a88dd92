"""The vendor's contract of chat completions, as a checker: what it refuses, and in which words."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from tests.support import seen

MAX_STRING_CHARS = 10_485_760
MAX_OUTPUT_TOKENS = 128_000
SCHEMAS = Path(__file__).resolve().parents[2] / "../shared/data/openai/chat_schemas.json"

EFFORTS = ("none", "low", "medium", "high", "xhigh")
VERBOSITIES = ("low", "medium", "high")
TIERS = ("auto", "default", "flex", "priority")
SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
_DEFAULTS = {"temperature": 1, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0}
_ROLES = ("developer", "system", "user", "assistant", "tool")
_FORMATS = ("text", "json_object", "json_schema")
_KNOWN = frozenset(
    {
        "audio",
        "frequency_penalty",
        "function_call",
        "functions",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "metadata",
        "modalities",
        "model",
        "n",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_retention",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
        "web_search_options",
    }
)
_SHOWN_CHARS = 2000


@dataclass(frozen=True, slots=True)
class Violation:
    """A request that the vendor refuses."""

    message: str
    param: str | None = None
    code: str | None = None
    status: int = 400

    def envelope(self) -> dict[str, Any]:
        """OpenAI's error body."""
        kind = "invalid_request_error"
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


def check(body: object, *, models: Collection[str]) -> Violation | None:
    """The first rule that `body` breaks, or None."""
    if not isinstance(body, dict):
        return Violation("We could not parse the JSON body of your request.")
    return next(_violations(body, models), None)


def check_schema(body: object, name: str = "CreateChatCompletionRequest") -> str | None:
    """What the published JSON Schema holds against `body`; None also where the schemas are absent."""
    validator = _validator(name)
    error = best_match(validator.iter_errors(_shortened(body))) if validator else None
    return f"{error.json_path}: {error.message[:300]}" if error else None


def _violations(body: dict[str, Any], models: Collection[str]) -> Iterator[Violation]:
    for name in ("model", "messages"):
        if name not in body:
            yield Violation(
                f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter"
            )
    for name in body.keys() - _KNOWN:
        yield Violation(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
    if body["model"] not in models:
        text = f"The model `{body['model']}` does not exist or you do not have access to it."
        yield Violation(text, code="model_not_found", status=404)
    yield from _messages(body["messages"])
    yield from _options(body)


def _options(body: dict[str, Any]) -> Iterator[Violation]:
    """Parameters of a reasoning model; `max_tokens` and sampling are not among them."""
    if "max_tokens" in body:
        text = "Unsupported parameter: 'max_tokens' is not supported with this model."
        yield Violation(
            f"{text} Use 'max_completion_tokens' instead.", param="max_tokens", code="unsupported_parameter"
        )
    yield from _enumerations(body)
    if body.get("reasoning_effort") != "none":
        yield from _sampling(body)
    limit = body.get("max_completion_tokens")
    if limit is not None and (
        not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= 128_000
    ):
        yield _invalid("max_completion_tokens", "expected an integer from 1 to 128000")
    if body.get("stream_options") is not None and not body.get("stream"):
        yield Violation(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.", param="stream_options"
        )
    for name, kind in (("stream", bool), ("prompt_cache_key", str), ("user", str), ("stream_options", dict)):
        if body.get(name) is not None and not isinstance(body[name], kind):
            yield _invalid(name, f"expected {kind.__name__}")
    form = body.get("response_format")
    if form is not None and (not isinstance(form, dict) or form.get("type") not in _FORMATS):
        yield _invalid("response_format", f"expected one of {_FORMATS}")


def _enumerations(body: dict[str, Any]) -> Iterator[Violation]:
    for name, values in (("reasoning_effort", EFFORTS), ("verbosity", VERBOSITIES), ("service_tier", TIERS)):
        if body.get(name) is not None and body[name] not in values:
            text = f"Invalid value: '{body[name]}'. Supported values are: {', '.join(map(repr, values))}."
            yield Violation(text, param=name, code="invalid_value")


def _sampling(body: dict[str, Any]) -> Iterator[Violation]:
    for name in SAMPLING:
        if body.get(name) is not None and body[name] != _DEFAULTS[name]:
            text = f"Unsupported value: '{name}' does not support {body[name]} with this model."
            yield Violation(
                f"{text} Only the default ({_DEFAULTS[name]}) value is supported.",
                param=name,
                code="unsupported_value",
            )


def _messages(messages: object) -> Iterator[Violation]:
    if not isinstance(messages, list) or not messages:
        yield _invalid("messages", "expected an array with minimum length 1")
        return
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if not isinstance(message, dict):
            yield _invalid(where, "expected an object")
        elif message.get("role") not in _ROLES:
            yield _invalid(f"{where}.role", f"supported values are: {', '.join(_ROLES)}")
        else:
            yield from _content(message, where)


def _content(message: dict[str, Any], where: str) -> Iterator[Violation]:
    content = message.get("content")
    where = f"{where}.content"
    if isinstance(content, str):
        yield from _string(content, where)
    elif isinstance(content, list) and content:
        for index, part in enumerate(content):
            yield from _part(part, message["role"], f"{where}[{index}]")
    elif not (content is None and message["role"] == "assistant" and message.get("tool_calls")):
        yield _invalid(where, "expected a string or an array of parts")


def _part(part: object, role: str, where: str) -> Iterator[Violation]:
    kinds: dict[str, Callable[[Any], bool]] = {"text": lambda value: isinstance(value, str)}
    if role == "user":
        kinds["image_url"] = lambda value: isinstance(value, dict) and isinstance(value.get("url"), str)
    if not isinstance(part, dict) or part.get("type") not in kinds:
        yield _invalid(where, f"supported parts are: {', '.join(kinds)}")
        return
    kind = part["type"]
    if set(part) != {"type", kind} or not kinds[kind](part[kind]):
        yield _invalid(f"{where}.{kind}", "the part does not have the form of its type")
    elif kind == "text":
        yield from _string(part[kind], f"{where}.text")
    else:
        yield from _picture(part[kind], f"{where}.image_url")


def _picture(picture: dict[str, Any], where: str) -> Iterator[Violation]:
    """A picture's address and detail; nothing is fetched here, so only data URIs can be looked at."""
    url = picture["url"]
    yield from _string(url, f"{where}.url")
    if set(picture) - {"url", "detail"} or picture.get("detail", "auto") not in seen.DETAILS:
        yield _invalid(where, f"expected a url and a detail, one of {', '.join(seen.DETAILS)}")
    elif url.startswith(("http://", "https://")) and url not in seen.REMOTE:
        yield Violation(f"Error while downloading {url}.", param="url", code="invalid_image_url")
    elif seen.size(url) is None:
        text = "You uploaded an unsupported image. Please make sure your image is valid."
        yield Violation(text, code="invalid_image_format")


def _string(text: str, where: str) -> Iterator[Violation]:
    if len(text) > MAX_STRING_CHARS:
        yield Violation(
            f"Invalid '{where}': string too long. Expected a string with maximum length {MAX_STRING_CHARS}, "
            f"but got a string with length {len(text)} instead.",
            param=where,
            code="string_above_max_length",
        )


def _invalid(param: str, why: str) -> Violation:
    return Violation(f"Invalid '{param}': {why}.", param=param, code="invalid_value")


def _shortened(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The value with long strings cut: schemas say nothing about them and take long to read them."""
    if isinstance(value, str):
        return value[:_SHOWN_CHARS]
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    return {key: _shortened(item) for key, item in value.items()} if isinstance(value, dict) else value


@cache
def _validator(name: str) -> Draft202012Validator | None:
    """A validator for one of the published schemas, relaxed where the provider differs from it.

    Real replies do in two points; and the guide to pictures knows one more detail, from gpt-5.4 on.
    """
    if not SCHEMAS.is_file():
        return None
    document = json.loads(SCHEMAS.read_text())
    schemas = document["components"]["schemas"]
    reply = schemas["CreateChatCompletionResponse"]["properties"]
    reply["choices"]["items"]["required"].remove("logprobs")
    for kind in ("CreateChatCompletionResponse", "CreateChatCompletionStreamResponse"):
        schemas[kind]["properties"]["system_fingerprint"] = {"type": ["string", "null"]}
    picture = schemas["ChatCompletionRequestMessageContentPartImage"]["properties"]["image_url"]
    picture["properties"]["detail"]["enum"].append("original")
    return Draft202012Validator({**document, "$ref": f"#/components/schemas/{name}"})
