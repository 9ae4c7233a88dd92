"""What every question over a corpus pays for twice or for nothing, and what leaving that out saves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from service.domain import planner, waste
from service.domain.corpora import Member
from service.domain.documents import DocumentStatus
from service.domain.planner import Terms
from service.domain.pricing import Estimate, usd
from service.domain.questions import Question
from service.domain.waste import SWITCHES, Item, Likeness
from service.errors import Fix, NotFound
from service.store import corpora, documents
from service.usecases.context import Context
from service.usecases.leave_out_waste import likeness_of
from service.usecases.preview_question import terms_of
from service.usecases.suggest_fixes import leave_out_waste, not_read, saving


def report_waste(ctx: Context, tenant: str, corpus_id: str, *, model_name: str | None) -> dict[str, Any]:
    """Return the report as JSON. What is saved is the difference of whole plans, their threshold included.

    Documents that are not read (yet) do not count; a warning says so.

    Raises:
        NotFound: no such corpus or model.
    """
    model = ctx.catalog.model(model_name or ctx.terms.model)
    with ctx.db.read() as tx:
        if corpora.get(tx, tenant, corpus_id) is None:
            raise NotFound(f"There is no corpus {corpus_id}.")
        every = [one for one in corpora.members_of(tx, corpus_id) if not one.holds_files_alone]
        members = [member for member in every if member.status is DocumentStatus.READY]
        likeness = likeness_of(tx, members)
        troubles = documents.troubles_of(tx, [member.document_id for member in members])
    whole = _whole(members, terms_of(ctx, model, Question(text="", model=model.id)))
    lean = waste.without(members, SWITCHES, likeness=likeness)
    spared = sum(member.tokens for member in members) - lean.tokens
    saves = whole.saves(spared)
    return {
        "model": model.id,
        "tokens": spared,
        "share": round(spared / whole.tokens, 6),
        "per_question": {"cold_usd": saves["cold"], "warm_usd": saves["warm"]},
        "items": [_described(item, whole) for item in waste.items(lean, troubles)],
        "fixes": [fix.as_dict() for fix in _fixes(members, likeness, whole, spared=spared)],
        "warnings": not_read(len(every) - len(members)),
    }


@dataclass(frozen=True, slots=True)
class _Whole:
    """A question to everything as it is: its input and its price."""

    tokens: int
    terms: Terms
    estimate: Estimate | None

    def saves(self, tokens: int) -> dict[str, str | None]:
        """What it costs less without so many of them, cold and warm, in USD."""
        cold, warm = saving(self.estimate, planner.price_whole(self.tokens - tokens, self.terms))
        return {"cold": None if cold is None else usd(cold), "warm": None if warm is None else usd(warm)}


def _whole(members: Sequence[Member], terms: Terms) -> _Whole:
    tokens = planner.whole_input(members, terms.counts)
    return _Whole(tokens, terms, planner.price_whole(tokens, terms))


def _described(item: Item, whole: _Whole) -> dict[str, Any]:
    return {
        "kind": item.kind,
        "document_id": item.member.document_id,
        "filename": item.member.filename,
        "of": item.of.document_id if item.of else None,
        "of_filename": item.of.filename if item.of else None,
        "similarity": None if item.similarity is None else round(item.similarity, 2),
        "pages": item.pages,
        "tokens": item.tokens,
        "share": round(item.tokens / whole.tokens, 6),
        "saves_usd": whole.saves(item.tokens),
        "leave_out": item.switch,
    }


def _fixes(members: Sequence[Member], likeness: Likeness, whole: _Whole, *, spared: int) -> list[Fix]:
    """One for each switch that saves something, and one for all of them together."""
    full = sum(member.tokens for member in members)
    saved = {switch: full - waste.without(members, [switch], likeness=likeness).tokens for switch in SWITCHES}
    chosen: dict[tuple[str, ...], int] = {(switch,): tokens for switch, tokens in saved.items() if tokens}
    if len(chosen) > 1:
        chosen[tuple(switch for switch, tokens in saved.items() if tokens)] = spared
    return [leave_out_waste(names, tokens, whole.saves(tokens)["cold"]) for names, tokens in chosen.items()]
