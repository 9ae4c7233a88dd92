"""A provider's refusals, in whatever dialect, as the product's errors."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from service.errors import (
    Fix,
    OverProviderWindow,
    ProviderError,
    ProviderInDoubt,
    ProviderRefused,
    QuotaExhausted,
    RateLimited,
    RequestExceedsProviderRate,
)
from service.provider.redaction import Redaction

_QUOTA = re.compile(
    r"insufficient_quota|credit_balance_exhausted|billing_hard_limit_reached|\w+_(?:spend|usage)_limit_exceeded"
)
_WINDOW_CODES = {"context_length_exceeded", "exceed_context_size_error"}
_WINDOW_TEXT = re.compile(
    r"maximum context length|context[_ ]length[_ ]exceeded|input tokens exceed|prompt is too long"
    r"|exceeds? the (?:\w+ )?context (?:size|window|length)",
    re.IGNORECASE,
)
_WINDOW_NUMBERS = re.compile(
    r"(?:limit of|context length is|size \()\D{0,5}([\d,]+).*?(?:resulted in|requested)\D{0,20}([\d,]+)",
    re.DOTALL | re.IGNORECASE,
)
_RATE_NUMBERS = re.compile(r"\blimit:? ([\d,]+).*?\brequested:? ([\d,]+)", re.DOTALL | re.IGNORECASE)
_RATE_TEXT = re.compile(r"request too large.*(?:tokens per min|\bTPM\b)", re.DOTALL | re.IGNORECASE)
_TRY_AGAIN = re.compile(r"try again in ((?:\d+(?:\.\d+)?(?:ms|h|m|s)\s?)+)", re.IGNORECASE)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

_CURABLE = frozenset({429, 500, 502, 503})
_FATE_UNKNOWN = frozenset({408, 504, 524})
"""A time-out answered by something in between: what stands behind it may still be working, and billing."""

_WORDS = {
    401: "The provider refused the key",
    402: "The provider asks for payment",
    403: "The provider does not allow this with this key",
    404: "The provider knows no such model or address",
    413: "The provider refused the request as too large",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as a provider said it, whatever the envelope."""

    message: str = ""
    code: str | None = None
    kind: str | None = None
    input_tokens: int | None = None
    max_input_tokens: int | None = None

    def is_named(self, pattern: re.Pattern[str]) -> bool:
        """Whether its code or its type is one of those."""
        return any(name is not None and pattern.fullmatch(name) for name in (self.code, self.kind))


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an error answer means: the error to raise, whether another try can cure it, and when."""

    error: ProviderError
    curable: bool = False
    retry_after_s: float | None = None


def refusal(
    status: int, body: bytes, headers: Mapping[str, str], *, redaction: Redaction, now: datetime
) -> Refusal:
    """The meaning of an answer that is no 200.

    Args:
        status: the HTTP status.
        body: as it came; JSON in any known envelope, or anything else.
        headers: with lower-case names.
        redaction: of the request that was answered.
        now: with a time zone; a Retry-After may name a date.
    """
    payload = _json(body)
    failure = read_failure(payload)
    wait = _retry_after(headers, failure.message, now)
    raw = payload if isinstance(payload, dict) else {"body": body[:4000].decode("utf-8", errors="replace")}
    more: dict[str, Any] = {"provider_code": failure.code or str(status), "raw": redaction.record(raw)}
    said = redaction.shown(failure.message)
    error = _known(status, failure, said, wait, more)
    if error is None and status in _FATE_UNKNOWN:
        error = ProviderInDoubt(_sentence(f"The provider gave up waiting ({status})", said), **more)
    if error is None:
        error = ProviderRefused(_sentence(f"{_words(status)} ({status})", said), **more)
    curable = status in _CURABLE and type(error) in {RateLimited, ProviderRefused}
    return Refusal(error, curable, wait if curable else None)


def error_in_stream(payload: object, *, partial_text: str, redaction: Redaction) -> ProviderError:
    """The meaning of an error that came after a 200: in doubt, unless its name says that nothing was done."""
    failure = read_failure(payload)
    said = redaction.shown(failure.message)
    raw = redaction.record(payload) if isinstance(payload, dict) else {}
    more: dict[str, Any] = {"provider_code": failure.code or failure.kind, "raw": raw}
    status = int(failure.code) if failure.code and re.fullmatch(r"[45]\d\d", failure.code) else 0
    error = None if partial_text else _known(status, failure, said, None, more)
    if error is not None:
        return error
    refused = 400 <= status < 408 or failure.kind == "invalid_request_error"  # noqa: PLR2004 - statuses
    if refused and not partial_text:
        return ProviderRefused(_sentence("The provider refused the request", said), **more)
    return ProviderInDoubt(
        _sentence("The provider broke off with an error", said), partial_text=partial_text, **more
    )


def read_failure(payload: object) -> Failure:
    """An error out of any known envelope (OpenAI, Oxen, Ollama, vLLM, FastAPI); empty if it is none."""
    if isinstance(payload, list) and payload:
        payload = payload[0]
    if not isinstance(payload, dict):
        return Failure()
    inner = payload.get("error")
    source = inner if isinstance(inner, dict) else payload
    texts = (inner, source.get("message"), payload.get("status_message"), payload.get("detail"))
    return Failure(
        message=next((text for text in texts if isinstance(text, str) and text), ""),
        code=_name(source.get("code")),
        kind=_name(source.get("type")),
        input_tokens=_count(source.get("n_prompt_tokens")),
        max_input_tokens=_count(source.get("n_ctx")),
    )


def is_failure(payload: Mapping[str, Any]) -> bool:
    """Whether a JSON object that came with a 200 is an error nevertheless."""
    return bool(payload.get("error")) or payload.get("object") == "error" or payload.get("status") == "error"


def _known(
    status: int, failure: Failure, said: str, wait: float | None, more: dict[str, Any]
) -> ProviderError | None:
    """The errors that have a name of their own; None for all others."""
    if status == 402 or failure.is_named(_QUOTA):  # noqa: PLR2004 - payment required
        return QuotaExhausted(_sentence("The provider account has no quota or money left", said), **more)
    if _is_too_large_for_rate(status, failure):
        return RequestExceedsProviderRate(
            _sentence("The request is larger than the provider's tokens per minute", said),
            fixes=_rate_fixes(failure),
            **more,
        )
    if _is_over_window(status, failure):
        return OverProviderWindow(
            _sentence("The provider counts more input than the model takes", said),
            fixes=_window_fixes(failure),
            **more,
        )
    if status == 429 or failure.code == "rate_limit_exceeded":  # noqa: PLR2004 - too many requests
        return _rate_limited(said, wait, more)
    return None


def _rate_limited(said: str, wait: float | None, more: dict[str, Any]) -> RateLimited:
    if wait is None:
        return RateLimited(_sentence("The provider's rate limit is reached", said), **more)
    seconds = round(wait, 3)
    text = _sentence(f"The provider's rate limit is reached; it asks to wait {seconds:g} s", said)
    return RateLimited(text, fixes=(Fix("wait", values=(("seconds", seconds),)),), **more)


def _is_too_large_for_rate(status: int, failure: Failure) -> bool:
    if status not in {0, 413, 429}:
        return False
    numbers = _numbers(_RATE_NUMBERS, failure.message)
    return bool(_RATE_TEXT.search(failure.message)) or (numbers is not None and numbers[1] > numbers[0])


def _is_over_window(status: int, failure: Failure) -> bool:
    if {failure.code, failure.kind} & _WINDOW_CODES:
        return True
    return status not in {401, 403, 404, 429} and bool(_WINDOW_TEXT.search(failure.message))


def _rate_fixes(failure: Failure) -> tuple[Fix, ...]:
    numbers = _numbers(_RATE_NUMBERS, failure.message)
    values = (("limit_tokens_per_minute", numbers[0]), ("requested_tokens", numbers[1])) if numbers else ()
    return (Fix("raise_provider_limit", "Ask with fewer tokens or raise the account's rate limit.", values),)


def _window_fixes(failure: Failure) -> tuple[Fix, ...]:
    numbers = _numbers(_WINDOW_NUMBERS, failure.message)
    if failure.max_input_tokens is not None and failure.input_tokens is not None:
        numbers = (failure.max_input_tokens, failure.input_tokens)
    values = (("max_input_tokens", numbers[0]), ("input_tokens", numbers[1])) if numbers else ()
    return (Fix("reduce_input", "Leave documents out or split the question.", values),)


def _numbers(pattern: re.Pattern[str], text: str) -> tuple[int, int] | None:
    match = pattern.search(text)
    if match is None:
        return None
    first, second = (int(digits.replace(",", "") or 0) for digits in match.groups())
    return first, second


def _retry_after(headers: Mapping[str, str], message: str, now: datetime) -> float | None:
    """Seconds to wait, from `retry-after-ms`, `retry-after` (seconds or a date) or the message."""
    milliseconds = headers.get("retry-after-ms", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", milliseconds):
        return float(milliseconds) / 1000
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
        return float(value)
    if value:
        return _until(value, now)
    match = _TRY_AGAIN.search(message)
    return (
        sum(float(n) * _SECONDS[unit] for n, unit in _DURATION.findall(match[1].lower())) if match else None
    )


def _until(date: str, now: datetime) -> float | None:
    """Seconds until an HTTP date; none for a value that is no date."""
    try:
        when = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _words(status: int) -> str:
    if 300 <= status < 400:  # noqa: PLR2004 - redirects
        return "The provider's address leads elsewhere, where the key does not follow"
    return _WORDS.get(status, "The provider refused the request" if status < 500 else "The provider failed")  # noqa: PLR2004


def _sentence(ours: str, said: str) -> str:
    return f"{ours}: {said}" if said else f"{ours}."


def _name(value: object) -> str | None:
    """A code as text: strings and numbers are met; anything else names nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        return None
    return str(value)[:100]


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
