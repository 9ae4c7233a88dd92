"""Refusals of every dialect, and what of them may be shown."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from service.provider.errors import Refusal, error_in_stream, is_failure, read_failure, refusal
from service.provider.redaction import SHOWN_CHARS, Redaction

EXCHANGES = Path(__file__).resolve().parents[2] / "../shared/data/openai/exchanges.jsonl"
NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
KEY = "sk-proj-AbCdEf0123456789"
NOTHING = Redaction()
TPM = (
    "Request too large for gpt-5.5 in organization org-abc123def on tokens per min (TPM): "
    "Limit 30000, Requested 30601."
)
REACHED = "Rate limit reached for gpt-5.5 on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000."
WINDOW = (
    "Input tokens exceed the configured limit of 922000 tokens. Your messages resulted in 1140065 tokens."
)


def openai(message: str = "No.", code: object = None, kind: str = "invalid_request_error") -> bytes:
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}}).encode()


def read(
    status: int, body: bytes, headers: dict[str, str] | None = None, redaction: Redaction = NOTHING
) -> Refusal:
    return refusal(status, body, headers or {}, redaction=redaction, now=NOW)


@pytest.mark.parametrize(
    ("status", "body", "kind", "curable"),
    [
        (400, openai(code="unsupported_parameter"), ProviderRefused, False),
        (401, openai(code="invalid_api_key"), ProviderRefused, False),
        (403, openai(), ProviderRefused, False),
        (404, openai(code="model_not_found"), ProviderRefused, False),
        (413, openai(), ProviderRefused, False),
        (422, b'{"detail":[{"loc":["body"],"msg":"bad"}]}', ProviderRefused, False),
        (302, b"", ProviderRefused, False),
        (402, openai(), QuotaExhausted, False),
        (429, openai(code="insufficient_quota"), QuotaExhausted, False),
        (429, openai(kind="insufficient_quota"), QuotaExhausted, False),
        (429, openai(code="credit_balance_exhausted"), QuotaExhausted, False),
        (429, openai(code="organization_spend_limit_exceeded"), QuotaExhausted, False),
        (429, openai(code="project_usage_limit_exceeded"), QuotaExhausted, False),
        (429, openai(TPM, code="rate_limit_exceeded"), RequestExceedsProviderRate, False),
        (413, openai(TPM, code="rate_limit_exceeded"), RequestExceedsProviderRate, False),
        (429, openai(REACHED, code="rate_limit_exceeded"), RateLimited, True),
        (429, b"", RateLimited, True),
        (429, b"<html>slow down</html>", RateLimited, True),
        (429, openai("Resource unavailable", code="resource_unavailable"), RateLimited, True),
        (400, openai(WINDOW, code="context_length_exceeded"), OverProviderWindow, False),
        (400, openai(WINDOW), OverProviderWindow, False),
        (400, openai(WINDOW, code=400), OverProviderWindow, False),
        (500, openai(WINDOW, code="400"), OverProviderWindow, False),
        (400, openai("This model's maximum context length is 8192 tokens."), OverProviderWindow, False),
        (400, openai("the request exceeds the available context size", code=400), OverProviderWindow, False),
        (500, openai(), ProviderRefused, True),
        (502, b"Bad gateway", ProviderRefused, True),
        (503, b"\xff\xfe", ProviderRefused, True),
        (501, b"", ProviderRefused, False),
        (408, b"", ProviderInDoubt, False),
        (504, b"<html>", ProviderInDoubt, False),
        (524, b"", ProviderInDoubt, False),
        (500, b"[" * 50_000, ProviderRefused, True),
    ],
)
def test_every_refusal_has_its_kind_and_is_retried_only_if_that_can_cure_it(
    status: int,
    body: bytes,
    kind: type[ProviderError],
    curable: bool,  # noqa: FBT001
) -> None:
    found = read(status, body)

    assert type(found.error) is kind
    assert found.curable is curable


def test_llama_cpp_says_both_counts() -> None:
    body = {"code": 400, "type": "exceed_context_size_error", "n_prompt_tokens": 5000, "n_ctx": 4096}
    error = read(400, json.dumps({"error": body | {"message": "too long"}}).encode()).error

    assert isinstance(error, OverProviderWindow)
    assert error.provider_code == "400"
    assert error.fixes[0].values == (("max_input_tokens", 4096), ("input_tokens", 5000))


def test_counts_in_a_message_become_fixes() -> None:
    window = read(400, openai(WINDOW, code="context_length_exceeded")).error
    rate = read(429, openai(TPM, code="rate_limit_exceeded")).error

    assert window.provider_code == "context_length_exceeded"
    assert window.fixes[0].values == (("max_input_tokens", 922_000), ("input_tokens", 1_140_065))
    assert rate.fixes[0].values == (("limit_tokens_per_minute", 30_000), ("requested_tokens", 30_601))
    assert "org-abc" not in rate.detail


@pytest.mark.parametrize(
    ("payload", "message", "code"),
    [
        ({"error": {"message": "a", "code": 7}}, "a", "7"),
        ({"error": {"message": "a", "code": None}}, "a", None),
        ({"error": {"message": None, "code": {}}}, "", None),
        ({"error": "model not found"}, "model not found", None),
        ({"status": "error", "status_message": "resource_not_found"}, "resource_not_found", None),
        ({"object": "error", "message": "a", "code": 400}, "a", "400"),
        ({"detail": "Not Found"}, "Not Found", None),
        ([{"error": {"message": "a", "code": "x"}}], "a", "x"),
        ({}, "", None),
        ("text", "", None),
        (None, "", None),
        ([], "", None),
    ],
)
def test_every_envelope_is_read(payload: object, message: str, code: str | None) -> None:
    failure = read_failure(payload)

    assert (failure.message, failure.code) == (message, code)


def test_what_fails_behind_a_200_is_seen() -> None:
    assert is_failure({"error": {"message": "x"}})
    assert is_failure({"status": "error", "status_message": "x"})
    assert not is_failure({"choices": [], "error": None})


@pytest.mark.parametrize(
    ("headers", "message", "seconds"),
    [
        ({"retry-after": "3"}, "", 3.0),
        ({"retry-after": "0"}, "", 0.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, "", 1.5),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT"}, "", 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 11:00:00 GMT"}, "", 0.0),
        ({"retry-after": "soon"}, "", None),
        ({"retry-after": "-5"}, "", None),
        ({"retry-after": "nan"}, "", None),
        ({}, "Please try again in 1m2.5s.", 62.5),
        ({}, "Please try again in 20ms. Visit …", 0.02),
        ({}, "", None),
    ],
)
def test_the_time_to_wait_is_read(headers: dict[str, str], message: str, seconds: float | None) -> None:
    found = read(429, openai(message), headers)

    assert (
        found.retry_after_s == pytest.approx(seconds) if seconds is not None else found.retry_after_s is None
    )
    expected = (Fix("wait", values=(("seconds", seconds),)),) if seconds is not None else ()
    assert found.error.fixes == expected


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ({"error": {"message": "x", "type": "server_error", "code": None}}, ProviderInDoubt),
        ({"error": {"message": "x", "code": 500}}, ProviderInDoubt),
        ({"error": "broken"}, ProviderInDoubt),
        ({"error": {"message": "x", "code": "insufficient_quota"}}, QuotaExhausted),
        ({"error": {"message": "x", "code": "rate_limit_exceeded"}}, RateLimited),
        ({"error": {"message": TPM, "code": "rate_limit_exceeded"}}, RequestExceedsProviderRate),
        ({"error": {"message": WINDOW}}, OverProviderWindow),
        ({"object": "error", "message": "x", "type": "BadRequestError", "code": 400}, ProviderRefused),
        ({"error": {"message": "x", "type": "invalid_request_error"}}, ProviderRefused),
    ],
)
def test_an_error_in_a_stream_is_in_doubt_unless_nothing_was_done(
    payload: dict[str, Any], kind: type[ProviderError]
) -> None:
    before = error_in_stream(payload, partial_text="", redaction=NOTHING)
    after = error_in_stream(payload, partial_text="Half an", redaction=NOTHING)

    assert type(before) is kind
    assert isinstance(after, ProviderInDoubt)
    assert after.partial_text == "Half an"


@pytest.mark.parametrize(
    "said",
    [
        f"Incorrect API key provided: {KEY}.",
        "Incorrect API key provided: sk-proj-********6789. Find yours",
        "bad header: Bearer abcdefgh.secret",
        "key ab********6789 is wrong",
        f"header {{'authorization': 'Bearer {KEY}'}}",
    ],
)
def test_no_key_is_shown_or_kept(said: str) -> None:
    error = read(401, openai(said, code="invalid_api_key"), redaction=Redaction(key=KEY)).error

    for text in (error.detail, str(error), json.dumps(error.raw)):
        assert "[redacted]" in text
        assert KEY not in text
        assert "6789" not in text
        assert "secret" not in text


def test_a_key_without_the_vendors_form_is_known_by_itself() -> None:
    redaction = Redaction(key="0a1b2c3d4e5f")

    assert redaction.shown("wrong key 0a1b2c3d4e5f!") == "wrong key [redacted]!"
    assert "0a1b" not in repr(redaction)


def test_the_prompt_is_not_echoed() -> None:
    report = "The merger of both firms was agreed in secret on the ninth of May. " * 1000
    redaction = Redaction(texts=(report, "Who knew of it?"))

    long = redaction.shown(f"Invalid content: '{report[:200]}' is not allowed")
    short = redaction.shown("Invalid content: 'Who knew of it?' is not allowed")
    lines = Redaction(texts=("Pay\n\tno  one\n\tbut  me\n" * 9,)).shown(
        "No: " + "Pay\n\tno  one\n\tbut  me\n" * 5
    )

    assert long == "Invalid content: '…' is not allowed"
    assert short == "Invalid content: '…' is not allowed"
    assert lines == "No: …"


@given(st.text(max_size=3000), st.text(min_size=70, max_size=500))
def test_what_is_shown_is_one_short_line_without_a_run_of_the_prompt(noise: str, prompt: str) -> None:
    shown = Redaction(texts=(prompt,)).shown(noise + prompt + noise)

    assert len(shown) <= SHOWN_CHARS
    assert len(shown.splitlines()) <= 1
    runs = {shown[start : start + 48] for start in range(len(shown) - 47)}
    assert not any(run in prompt for run in runs)


@given(st.integers(300, 599), st.binary(max_size=200))
def test_whatever_comes_is_a_provider_error_with_a_bounded_text(status: int, body: bytes) -> None:
    error = read(status, body).error

    assert isinstance(error, ProviderError)
    assert 0 < len(error.detail) < SHOWN_CHARS + 120


def test_a_deep_body_is_kept_without_its_depths() -> None:
    deep = b'{"error":' * 300 + b"1" + b"}" * 300
    error = read(500, deep).error

    assert len(json.dumps(error.raw)) < 1000


def test_recorded_refusals_keep_their_code_and_message() -> None:
    if not EXCHANGES.is_file():
        pytest.skip("no recorded exchanges here")
    lines = [json.loads(line) for line in EXCHANGES.read_text().splitlines()]
    refused = [line for line in lines if line["status"] != 200]
    for line in refused:
        found = read(line["status"], json.dumps(line["body"]).encode())
        assert type(found.error) is ProviderRefused
        assert not found.curable
        assert found.error.provider_code == (line["body"]["error"]["code"] or str(line["status"]))
        assert line["body"]["error"]["message"][:200] in found.error.detail
    assert len(refused) == 10
