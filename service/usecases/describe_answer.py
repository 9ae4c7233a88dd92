"""An answer in the words of the REST contract."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from service.domain.answers import Answer, AnswerStatus
from service.domain.documents import Failure
from service.domain.precision import precision
from service.domain.pricing import from_micros, signed_usd, usd
from service.domain.shown_images import from_dicts


def describe_answer(answer: Answer) -> dict[str, Any]:
    """Return the answer as JSON."""
    plan = answer.plan
    cost = plan.get("cost") or {}
    return {
        "id": answer.id,
        "status": answer.status.value,
        "corpus_id": answer.corpus_id,
        "conversation_id": answer.conversation_id,
        "batch_id": answer.batch_id,
        "question": answer.question,
        "questions": list(answer.request.get("questions", ())),
        "question_images": [one.described() for one in from_dicts(answer.request.get("images", ()))],
        "model": answer.model,
        "text": answer.text,
        "output": answer.output,
        "citations": list(answer.citations),
        "citation_precision": precision(answer.citations),
        "repair": _repair(answer),
        "corrections": (answer.repair or {}).get("corrections", []),
        "coverage": plan.get("coverage"),
        "warnings": [*plan.get("warnings", ()), *answer.warnings],
        "plan_id": answer.plan_id,
        "retry_of": answer.retry_of,
        "retried_as": answer.retried_as,
        "replay_of": answer.replay_of,
        "strategy": plan.get("strategy"),
        "usage": answer.usage.as_dict() if answer.usage else None,
        "cost": {
            "estimated_usd": cost.get("expected_usd"),
            "max_usd": cost.get("max_usd"),
            "reserved_usd": usd(from_micros(answer.reserved_micros)),
            "held_usd": usd(from_micros(_held_micros(answer))),
            "actual_usd": None if answer.actual_usd is None else usd(answer.actual_usd),
            "actual_is": _known_how(answer),
            "band": _band(plan),
        },
        "estimate": _estimate(answer),
        "cache": answer.cache,
        "finish_reason": answer.finish_reason,
        "refusal": answer.refusal,
        "prefix_sha256": plan["calls"][0]["prefix_sha256"] if plan.get("calls") else None,
        "engine": answer.engine,
        "error": _error(answer),
        "timings": _timings(answer),
        "created_at": answer.created_at.isoformat(),
    }


def _held_micros(answer: Answer) -> int:
    if answer.held_micros is not None:
        return answer.held_micros
    return 0 if answer.status.final and answer.status is not AnswerStatus.IN_DOUBT else answer.reserved_micros


def _known_how(answer: Answer) -> str | None:
    """How the cost is known: `exact`, or `at_most` by our own counts; None where it is not."""
    if answer.actual_usd is None:
        return None
    counted = answer.usage is not None and answer.usage.is_at_most
    return "at_most" if counted and answer.actual_usd else "exact"


def last_words(ended: Answer) -> list[tuple[str, dict[str, Any]]]:
    """Return the events that end an answer's stream: what it used, and how it ended."""
    described = describe_answer(ended)
    usage = {**described["usage"], "cost": described["cost"]} if ended.usage else None
    end = (
        ("done", described)
        if ended.error is None
        else ("error", {"problem": described["error"], "answer": described})
    )
    return [end] if usage is None else [("usage", usage), end]


def _estimate(answer: Answer) -> dict[str, Any] | None:
    """The price before the question held against the bill; None where there is no bill."""
    plan, usage, actual = answer.plan, answer.usage, answer.actual_usd
    said = (plan.get("cost") or {}).get("expected_usd")
    if said is None or not actual or usage is None or answer.status is not AnswerStatus.DONE:
        return None
    expected = Decimal(said)
    repaired = (answer.repair or {}).get("status") == "done"
    made = [
        call
        for call in plan["calls"]
        if (repaired or call["kind"] != "repair") and not call.get("kept", False)
    ]
    predicted = sum(call.get("expected_input_tokens", call["input_tokens"]) for call in made)
    return {
        "expected_usd": said,
        "actual_usd": usd(actual),
        "error_usd": signed_usd(actual - expected),
        "error_share": round(float((actual - expected) / expected), 6) if expected else None,
        "predicted_prompt_tokens": predicted,
        "prompt_tokens": usage.prompt_tokens,
        "difference": usage.prompt_tokens - predicted,
    }


def _repair(answer: Answer) -> dict[str, Any] | None:
    """What became of the repair round; None where none was asked for, or the answer has not come so far."""
    if answer.repair is None:
        return None
    return {name: value for name, value in answer.repair.items() if name != "corrections"}


def _band(plan: dict[str, Any]) -> str:
    made = (call for call in plan.get("calls", ()) if not call.get("kept", False))
    return "long" if any(call["price_band"] == "long" for call in made) else "short"


def _error(answer: Answer) -> dict[str, Any] | None:
    failure = answer.error
    if failure is None and answer.status is AnswerStatus.CANCELLED:
        failure = Failure("cancelled", "Stopped on request.")
    return None if failure is None else {**asdict(failure), "fixes": list(failure.fixes)}


def _timings(answer: Answer) -> dict[str, Any]:
    """Milliseconds from the question's acceptance."""
    moments = {
        "started_ms": answer.started_at,
        "first_token_ms": answer.first_token_at,
        "finished_ms": answer.finished_at,
    }
    return {name: _since(answer.created_at, at) for name, at in moments.items()}


def _since(start: datetime, at: datetime | None) -> int | None:
    return None if at is None else round((at - start).total_seconds() * 1000)
