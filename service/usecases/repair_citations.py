"""Check an answer's quotes, and where some fail and a repair was planned, ask once for better ones.

Safe to start again: the checks give the same verdicts, and a repair that was made is kept with its reply.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ingest import count_tokens
from service.domain import repairs, statements
from service.domain.answers import AnswerStatus
from service.domain.citations import Claim, Index
from service.domain.precision import precision
from service.domain.repairs import Correction
from service.domain.statements import Said
from service.domain.tasks import task_of
from service.errors import StoreUnavailable, UnabridgedError
from service.usecases.check_citations import Read, read_sources
from service.usecases.make_call import make_call
from service.usecases.recall_pages import recall_pages
from service.usecases.running import Run, Stopped

STRUCTURED = frozenset({"json_object", "json_schema"})


@dataclass(frozen=True, slots=True)
class Checked:
    """An answer's text as it stands in the end, its citations, and what became of the repair.

    Attributes:
        repair: None where none was asked for.
    """

    text: str
    citations: tuple[dict[str, Any], ...] = ()
    repair: dict[str, Any] | None = None


async def check_and_repair(run: Run, text: str) -> Checked:
    """Tell the citations one by one as they are checked, then what a repair changes.

    Raises:
        Cancelled, Stopped: the repair was stopped, or nobody knows its end; `run.citations` are kept.
    """
    if not run.question.citations:
        return Checked(text)
    structured = (run.question.response_format or {}).get("type") in STRUCTURED
    if run.unsettled is not None:  # nothing is to be checked
        said, sources = statements.read(text, structured=False), Read(Index(()), Index(()))
    else:
        said, sources = await asyncio.to_thread(_all_read, run, text, structured=structured)
    for index, one in enumerate(said.statements):
        run.cite(await asyncio.to_thread(sources.citation, one.claim, path=one.path, index=index))
    checked = Checked(text, tuple(run.citations))
    if not run.question.repair:
        return checked
    repaired = await _Repair(run, said, sources).made()
    run.tell_repair(repaired.repair or {})
    return repaired


def _all_read(run: Run, text: str, *, structured: bool) -> tuple[Said, Read]:
    """Return what the answer states, and where it states anything what that is held against."""
    said = statements.read(text, structured=structured)
    nothing = Read(Index(()), Index(()))
    return said, read_sources(run.ctx, recall_pages(run)) if said.statements else nothing


class _Repair:
    """The repair of one answer."""

    def __init__(self, run: Run, said: Said, sources: Read) -> None:
        self._run = run
        self._said = said
        self._sources = sources
        self._citations = list(run.citations)
        self._before = precision(self._citations)

    async def made(self) -> Checked:
        """Return the answer as it is after the repair, if one is needed and can be made."""
        if not any(one["verdict"] in repairs.FAILED for one in self._citations):
            return self._left("not_needed", None)
        part = next((n for n, call in enumerate(self._run.planned) if call.kind == "repair"), None)
        if part is None:
            return self._left("left_out", (self._run.answer.plan.get("repair") or {}).get("because"))
        asked = await asyncio.to_thread(self._shown, part)
        if not asked:
            return self._left("left_out", "No failed quote has a mark of its own that could be replaced.")
        try:
            return await self._asked(part, asked)
        except StoreUnavailable:
            raise
        except UnabridgedError as error:
            return self._left("failed", error.detail)

    async def _asked(self, part: int, asked: Sequence[int]) -> Checked:
        if self._run.answer.engine != self._run.ctx.provider.name:
            return self._left("failed", "The service runs with another engine than the price was for.")
        try:
            call = await make_call(self._run, part, findings=(self._task(asked),), aloud=False)
        except Stopped as stopped:
            if stopped.status is AnswerStatus.IN_DOUBT:
                raise
            return self._left("failed", stopped.failure.detail)
        return await self._applied(asked, repairs.corrections(call.text))

    def _left(self, status: str, because: str | None) -> Checked:
        told = self._told(status, because, asked=0, corrections=[])
        return Checked(self._said.text, tuple(self._citations), told)

    def _task(self, asked: Sequence[int]) -> str:
        return repairs.task([repairs.excerpt(self._said, one, self._citations[one]) for one in asked])

    def _shown(self, part: int) -> list[int]:
        """Those of the failed statements that fit what the plan holds for them, the first ones first."""
        planned, answer = self._run.planned[part], self._run.planned[0]
        room = planned.input_tokens - answer.input_tokens
        room += answer.shown.tokens_max - planned.shown.tokens_max
        room += count_tokens(task_of(self._run.question, "answer"))
        shown = repairs.failed(self._said, self._citations)
        while shown and count_tokens(self._task(shown)) > room:
            shown = shown[: len(shown) * 3 // 4] if len(shown) > 1 else []
        return shown

    async def _applied(self, asked: Sequence[int], offered: dict[int, Correction]) -> Checked:
        """Put in what is true and clean; from the last statement to the first, so that places stay right."""
        said, done = self._said, []
        citations: list[dict[str, Any]] = list(self._citations)
        for number, place in reversed(list(enumerate(asked, 1))):
            was = citations[place]
            correction = offered.get(number)
            now = await self._verified(correction, was)
            then = None
            if correction is not None and (now is None) == (correction.claim is None):
                then = await asyncio.to_thread(statements.replaced, said, place, correction.claim)
            if then is not None:
                said = then
                citations[place : place + 1] = [] if now is None else [now]
            done.append(_correction(was, correction, now, applied=then is not None))
        done.reverse()
        for citation in citations:
            if citation["repaired"]:
                self._run.cite_again(citation)
        self._run.citations = citations
        told = self._told("done", None, asked=len(asked), corrections=done, after=precision(citations))
        return Checked(said.text, tuple(citations), told)

    async def _verified(self, correction: Correction | None, was: dict[str, Any]) -> dict[str, Any] | None:
        """The citation of a correction; None of a withdrawal, and of a quote that fails as well."""
        if correction is None or correction.claim is None:
            return None
        claim = correction.claim
        found = await asyncio.to_thread(self._sources.citation, claim, path=was["path"], index=was["index"])
        return None if found["verdict"] in repairs.FAILED else {**found, "repaired": True}

    def _told(
        self,
        status: str,
        because: str | None,
        *,
        asked: int,
        corrections: list[dict[str, Any]],
        after: float | None = None,
    ) -> dict[str, Any]:
        applied = [one for one in corrections if one["applied"]]
        return {
            "status": status,
            "because": because,
            "asked": asked,
            "corrected": sum(not one["withdrawn"] for one in applied),
            "withdrawn": sum(one["withdrawn"] for one in applied),
            "citation_precision_before": self._before,
            "citation_precision": after if status == "done" else self._before,
            "corrections": corrections,
        }


def _correction(
    was: dict[str, Any], correction: Correction | None, now: dict[str, Any] | None, *, applied: bool
) -> dict[str, Any]:
    claim: Claim | None = correction.claim if correction else None
    return {
        "index": was["index"],
        "marker": was["marker"],
        "was": was["quote"],
        "was_verdict": was["verdict"],
        "now": claim.quote if claim else None,
        "now_marker": claim.marker if claim else None,
        "verdict": now["verdict"] if now else None,
        "withdrawn": correction is not None and claim is None,
        "applied": applied,
    }
