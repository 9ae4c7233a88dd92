"""Answers as OpenAI's clients read them: a whole chat completion, or its chunks."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ingest import drawing
from service.domain.answers import Answer
from service.usecases.describe_answer import describe_answer
from service.usecases.look_up_answer import LookedUp, Mark

DONE = b"data: [DONE]\n\n"

_FINISHES = frozenset({"stop", "length", "content_filter"})
_TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast"})
_LONGEST_QUOTE = 1_000
"""Characters of a quote in an address; of a longer one the page is shown without a mark."""

_NOTES = {"altered": "altered quote", "close": "close quote", "elsewhere": "found elsewhere"}


@dataclass(frozen=True, slots=True)
class Face:
    """How one request is answered.

    Attributes:
        base_url: of this service as the client calls it, ending in a slash.
        include_usage: end a stream with the usage.
    """

    base_url: str
    include_usage: bool = False


def completion(found: LookedUp, face: Face) -> dict[str, Any]:
    """Return an answer as a chat completion."""
    answer = found.answer
    message = {
        "role": "assistant",
        "content": None if answer.refusal and not answer.text else answer.text,
        "refusal": answer.refusal,
        "annotations": _annotations(found, face),
    }
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish_reason(answer)}
    return {
        **_head(answer, "chat.completion"),
        "choices": [choice],
        "usage": _usage(answer),
        "service_tier": _tier(found),
        "unabridged": _more(answer),
    }


def chunk(answer: Answer, delta: dict[str, Any], face: Face) -> dict[str, Any]:
    """Return a piece of a stream."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
    return {
        **_head(answer, "chat.completion.chunk"),
        "choices": [choice],
        **({"usage": None} if face.include_usage else {}),
    }


def text_chunks(answer: Answer, face: Face) -> Callable[[str], bytes]:
    """Return what writes a piece of text as an event: around the text, those of a stream are all the same."""
    empty = b'{"content": ""}'  # in JSON nothing within a string looks like it: its quotes are escaped there
    before, _, after = data(chunk(answer, {"content": ""}, face)).partition(empty)

    def written(text: str) -> bytes:
        return b'%b{"content": %b}%b' % (before, json.dumps(text).encode("ascii"), after)

    return written


def last_chunks(found: LookedUp, face: Face) -> list[dict[str, Any]]:
    """Return what ends a stream: why it ends, with the annotations, and the usage where it was asked for."""
    answer = found.answer
    refusal = {"refusal": answer.refusal} if answer.refusal else {}
    end = chunk(answer, {**refusal, "annotations": _annotations(found, face)}, face)
    end["choices"][0]["finish_reason"] = _finish_reason(answer)
    end |= {"service_tier": _tier(found), "unabridged": _more(answer)}
    usage = {**_head(answer, "chat.completion.chunk"), "choices": [], "usage": _usage(answer)}
    return [end, usage] if face.include_usage else [end]


def data(payload: dict[str, Any]) -> bytes:
    """Return one event of a stream, in ASCII: no client takes a character of it for the end of a line."""
    return f"data: {json.dumps(payload)}\n\n".encode("ascii")


def _annotations(found: LookedUp, face: Face) -> list[dict[str, Any]]:
    """Return the citations whose quotes were found, in OpenAI's form, each at its mark in the text."""
    return [_annotation(mark, face) for mark in found.marks if mark.source and mark.citation["found"]]


def _annotation(mark: Mark, face: Face) -> dict[str, Any]:
    citation = mark.citation
    verdict, place = citation["verdict"], citation["found"]
    note = f" ({_NOTES[verdict]})" if verdict in _NOTES else ""
    filename = mark.source.filename if mark.source else ""
    return {
        "type": "url_citation",
        "url_citation": {
            "start_index": mark.start,
            "end_index": mark.end,
            "title": f"{filename}, page {place['page']}{note}",
            "url": _address(mark, face),
        },
        "unabridged": {
            "verdict": verdict,
            "quote": citation["quote"],
            "document_id": place["document_id"],
            "page": place["page"],
        },
    }


def _address(mark: Mark, face: Face) -> str:
    """Return where the page can be looked at: as a picture with the quote marked, or as its text."""
    place = mark.citation["found"]
    page = f"{face.base_url}v1/documents/{place['document_id']}/pages/{place['page']}"
    if mark.source is None or not drawing.is_drawable(mark.source.media_type):
        return page
    text = place["text"] if len(place["text"]) <= _LONGEST_QUOTE else ""
    return f"{page}/image?quote={quote(text, safe='')}" if text else f"{page}/image"


def _head(answer: Answer, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{answer.id}",
        "object": kind,
        "created": int(answer.created_at.timestamp()),
        "model": answer.model,
    }


def _finish_reason(answer: Answer) -> str:
    return answer.finish_reason if answer.finish_reason in _FINISHES else "stop"


def _tier(found: LookedUp) -> str | None:
    tier = found.billed_tier or str(found.answer.plan.get("service_tier"))
    tier = "default" if tier == "standard" else tier
    return tier if tier in _TIERS else None


def _usage(answer: Answer) -> dict[str, Any]:
    used = answer.usage
    prompt, completed = (used.prompt_tokens, used.completion_tokens) if used else (0, 0)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completed,
        "total_tokens": prompt + completed,
        "prompt_tokens_details": {"cached_tokens": used.cached_tokens if used else 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": used.reasoning_tokens if used else 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _more(answer: Answer) -> dict[str, Any]:
    """Return what no field of OpenAI's holds; `GET /v1/answers/{answer_id}` has the rest."""
    described = describe_answer(answer)
    coverage = described["coverage"] or {}
    return {
        "answer_id": answer.id,
        **{name: described[name] for name in ("corpus_id", "plan_id", "strategy", "engine", "cost")},
        "coverage": {
            "documents_in": len(coverage.get("documents_in", ())),
            "documents_out": len(coverage.get("documents_out", ())),
            **{name: coverage.get(name) for name in ("pages_in", "pages_total", "tokens_share")},
        },
        "warnings": described["warnings"],
        "citations": described["citations"],
    }
