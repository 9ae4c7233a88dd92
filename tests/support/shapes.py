"""The shapes of the REST contract: which fields a reply must hold, of which kind. More are allowed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

Shape = Any
"""A type, a predicate, a dict of named shapes, or a list with the shape of its items."""


def fits(value: object, shape: Shape, where: str = "$") -> None:
    """Assert that a reply has a shape, and name the place where it has not."""
    if isinstance(shape, dict):
        assert isinstance(value, dict), f"{where} is no object: {value!r}"
        missing = sorted(shape.keys() - value.keys())
        assert not missing, f"{where} lacks {missing}"
        for name, inner in shape.items():
            fits(value[name], inner, f"{where}.{name}")
    elif isinstance(shape, list):
        assert isinstance(value, list), f"{where} is no list: {value!r}"
        for index, item in enumerate(value):
            fits(item, shape[0], f"{where}[{index}]")
    elif isinstance(shape, type):
        right = isinstance(value, shape) and (shape is bool or not isinstance(value, bool))
        assert right, f"{where} is no {shape.__name__}: {value!r}"
    else:
        assert shape(value), f"{where} is not right: {value!r}"


def maybe(shape: Shape) -> Callable[[object], bool]:
    """The shape, or null."""

    def check(value: object) -> bool:
        if value is not None:
            fits(value, shape)
        return True

    return check


def one_of(*values: object) -> Callable[[object], bool]:
    """One of these values."""
    return lambda value: value in values


def money(value: object) -> bool:
    """USD as a plain decimal string."""
    return isinstance(value, str) and re.fullmatch(r"\d+\.\d{2,}", value) is not None


def moment(value: object) -> bool:
    """RFC 3339 in UTC."""
    return isinstance(value, str) and datetime.fromisoformat(value).utcoffset() == timedelta(0)


def name_of(prefix: str) -> Callable[[object], bool]:
    """An id with that prefix."""
    return lambda value: isinstance(value, str) and re.fullmatch(rf"{prefix}_\w+", value) is not None


def sha256(value: object) -> bool:
    """A SHA-256 in hex."""
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


PROBLEM = {"type": str, "title": str, "status": int, "detail": str, "code": str, "fixes": [{"do": str}]}

LISTING = {"data": list, "has_more": bool, "next": maybe(str)}

DOCUMENT = {
    "id": name_of("doc"),
    "filename": str,
    "media_type": str,
    "bytes": int,
    "sha256": sha256,
    "status": one_of("queued", "processing", "ready", "failed"),
    "progress": {"done": int, "total": int, "unit": str},
    "pages": int,
    "tokens": int,
    "chars": int,
    "warnings": [{"code": str, "page": maybe(int), "detail": str}],
    "error": maybe({"code": str, "detail": str}),
    "duplicate": bool,
    "parent_ids": [name_of("doc")],
    "files": int,
    "created_at": moment,
    "ready_at": maybe(moment),
}

PAGE = {"number": int, "label": maybe(str), "tokens": int, "chars": int, "flags": [str]}
PAGE_TEXT = {"number": int, "label": maybe(str), "tokens": int, "text": str}

_GAUGE = one_of("below", "near", "over")
_WARNING = {"code": str, "detail": str}

CACHE = {"expected_cached_tokens": int, "warm_until": maybe(moment), "code": str, "because": str}

METER = {
    "model": str,
    "input_tokens": int,
    "documents": [
        {
            "document_id": name_of("doc"),
            "filename": str,
            "tokens": int,
            "share": float,
            "if_removed": maybe({"saves_usd": money, "costs_usd": money}),
        }
    ],
    "threshold": {"at": int, "remaining": int, "status": _GAUGE},
    "window": {"max_input": int, "remaining": int, "status": _GAUGE},
    "warnings": [{**_WARNING, "fixes": list}],
    "per_question": {"cold_usd": money, "warm_usd": money},
    "cache": {
        **CACHE,
        "next_question_usd": maybe(money),
        "lost_tokens": int,
        "lost_usd": maybe(money),
        "if_appended": {"first_usd_per_1000_tokens": money, "later_usd_per_1000_tokens": money},
    },
}

COVERAGE = {
    "documents_in": [name_of("doc")],
    "documents_out": [{"document_id": name_of("doc"), "pages": int, "reason": str}],
    "pages_in": int,
    "pages_total": int,
    "tokens_share": float,
    "pages_without_text": int,
    "history_out": [{"answer_id": name_of("ans"), "tokens": maybe(int), "reason": str}],
}

COST = {
    "min_usd": money,
    "expected_usd": money,
    "max_usd": money,
    "cold_usd": money,
    "warm_usd": money,
    "per_document": [{"document_id": name_of("doc"), "usd": money}],
    "for_questions": [{"n": int, "usd": money}],
    "one_by_one_usd": maybe(money),
}

PLAN = {
    "id": name_of("pln"),
    "strategy": one_of("whole", "ranked", "split", "selected"),
    "feasible": bool,
    "infeasible_because": maybe(str),
    "model": str,
    "service_tier": str,
    "questions": int,
    "conversation_id": maybe(name_of("cnv")),
    "calls": [
        {
            "kept": bool,
            "input_tokens": int,
            "price_band": one_of("short", "long"),
            "prefix_sha256": sha256,
            "document_ids": [name_of("doc")],
        }
    ],
    "input_tokens": int,
    "reserved_output_tokens": int,
    "cost": maybe(COST),
    "alternatives": [
        {
            "service_tier": str,
            "cost": maybe(dict),
            "saves_usd": maybe(money),
            "costs_more_usd": maybe(money),
            "note": str,
        }
    ],
    "threshold": {"at": int, "status": _GAUGE, "tokens_over": int, "extra_usd": maybe(money)},
    "window": {"max_input": int, "remaining": int, "status": _GAUGE},
    "coverage": COVERAGE,
    "cache": CACHE,
    "warnings": [_WARNING],
    "price_catalog": {"version": str, "sha256": sha256, "as_of": str},
    "expires_at": moment,
    "created_at": moment,
}

CITATION = {
    "marker": str,
    "document_id": name_of("doc"),
    "filename": str,
    "page": int,
    "label": maybe(str),
    "quote": str,
    "verdict": one_of("exact", "close", "altered", "elsewhere", "missing"),
    "found": maybe({"page": int, "start": int, "end": int, "text": str, "score": float}),
}

ANSWER = {
    "id": name_of("ans"),
    "status": one_of("queued", "running", "done", "failed", "cancelled", "in_doubt"),
    "corpus_id": name_of("cor"),
    "conversation_id": maybe(name_of("cnv")),
    "question": str,
    "model": str,
    "text": str,
    "output": lambda _value: True,
    "citations": [CITATION],
    "citation_precision": maybe(float),
    "repair": maybe(dict),
    "corrections": list,
    "coverage": COVERAGE,
    "plan_id": name_of("pln"),
    "retry_of": maybe(name_of("ans")),
    "retried_as": maybe(name_of("ans")),
    "replay_of": maybe(name_of("ans")),
    "usage": maybe(
        {"prompt_tokens": int, "completion_tokens": int, "cached_tokens": int, "reasoning_tokens": int}
    ),
    "cost": {
        "estimated_usd": money,
        "reserved_usd": money,
        "actual_usd": maybe(money),
        "band": one_of("short", "long"),
    },
    "estimate": maybe(
        {
            "expected_usd": money,
            "actual_usd": money,
            "error_usd": str,
            "error_share": maybe(float),
            "predicted_prompt_tokens": int,
            "prompt_tokens": int,
            "difference": int,
        }
    ),
    "cache": maybe(
        {
            "expected_cached_tokens": int,
            "cached_tokens": maybe(int),
            "difference": maybe(int),
            "code": str,
            "because": str,
        }
    ),
    "finish_reason": maybe(str),
    "refusal": maybe(str),
    "prefix_sha256": sha256,
    "engine": str,
    "timings": dict,
}

CONVERSATION = {
    "id": name_of("cnv"),
    "corpus_id": name_of("cor"),
    "title": maybe(str),
    "turns": [
        {
            "answer_id": name_of("ans"),
            "status": str,
            "question": str,
            "text": str,
            "cost_usd": maybe(money),
            "citations": [{"marker": str, "document_id": maybe(str), "page": maybe(int), "verdict": str}],
            "sent_as": maybe(one_of("whole", "line")),
            "tokens": maybe(int),
            "created_at": moment,
        }
    ],
    "history_tokens": int,
    "history_out": COVERAGE["history_out"],
    "created_at": moment,
    "used_at": moment,
}
