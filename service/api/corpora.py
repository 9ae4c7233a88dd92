"""Corpora, their meter and their plans over REST."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from service.api import paging
from service.api.access import tenant
from service.api.documents import described
from service.api.paging import AfterCorpus, Part, Place, Size
from service.api.schemas import Corpus, CorpusName, Document, Listing, NewCorpus, PlanRequest, Receipt
from service.api.wiring import context
from service.store import told
from service.usecases import arrange_corpus, preview_question
from service.usecases.context import Context
from service.usecases.report_waste import report_waste
from service.usecases.show_receipt import show_receipt
from service.usecases.take_images import showing

router = APIRouter(prefix="/v1", tags=["corpora"])

Ctx = Annotated[Context, Depends(context)]
Tenant = Annotated[str, Depends(tenant)]


@router.post("/corpora", status_code=201)
def create(ctx: Ctx, owner: Tenant, body: NewCorpus) -> Corpus:
    """Make a corpus."""
    corpus = arrange_corpus.create(ctx, owner, name=body.name, document_ids=body.document_ids)
    return _with_documents(ctx, owner, corpus.id)


@router.get("/corpora")
def list_corpora(ctx: Ctx, owner: Tenant, after: AfterCorpus = None, limit: Size = 100) -> Listing[Corpus]:
    """List corpora, oldest first."""
    found = arrange_corpus.list_corpora(ctx, owner, after=after, limit=limit + 1)
    shown = [Corpus.of(corpus) for corpus in found[:limit]]
    more = len(found) > limit
    return Listing(data=shown, has_more=more, next=shown[-1].id if more else None)


@router.get("/corpora/{corpus_id}")
def get_corpus(ctx: Ctx, owner: Tenant, corpus_id: str) -> Corpus:
    """Return a corpus with its documents in packed order."""
    return _with_documents(ctx, owner, corpus_id)


@router.patch("/corpora/{corpus_id}")
def rename(ctx: Ctx, owner: Tenant, corpus_id: str, body: CorpusName) -> Corpus:
    """Give a corpus another name."""
    arrange_corpus.rename(ctx, owner, corpus_id, body.name)
    return _with_documents(ctx, owner, corpus_id)


@router.delete("/corpora/{corpus_id}", status_code=204)
def delete(ctx: Ctx, owner: Tenant, corpus_id: str) -> Response:
    """Forget a corpus; its documents stay."""
    arrange_corpus.remove(ctx, owner, corpus_id)
    return Response(status_code=204)


@router.get("/corpora/{corpus_id}/documents")
def list_documents(
    ctx: Ctx,
    owner: Tenant,
    corpus_id: str,
    after: Place = 0,
    limit: Size = 100,
) -> Listing[Document]:
    """List a corpus's documents in packed order."""
    found = arrange_corpus.list_documents(ctx, owner, corpus_id, after=after, limit=limit + 1)
    more = len(found) > limit
    following = str(found[limit - 1].ordinal) if more else None
    return Listing(data=[described(one.document) for one in found[:limit]], has_more=more, next=following)


@router.put("/corpora/{corpus_id}/documents/{document_id}")
def append(ctx: Ctx, owner: Tenant, corpus_id: str, document_id: str) -> Corpus:
    """Put a document and the files inside it at the end; what is in already stays in its place."""
    arrange_corpus.append(ctx, owner, corpus_id, document_id)
    return _with_documents(ctx, owner, corpus_id)


@router.delete("/corpora/{corpus_id}/documents/{document_id}", status_code=204)
def take_out(ctx: Ctx, owner: Tenant, corpus_id: str, document_id: str) -> Response:
    """Take a document out, and the files that are in only through it."""
    arrange_corpus.take_out(ctx, owner, corpus_id, document_id)
    return Response(status_code=204)


@router.get("/corpora/{corpus_id}/meter")
def meter(ctx: Ctx, owner: Tenant, corpus_id: str, model: str | None = None) -> dict[str, Any]:
    """Show how full the window is and what a question costs, cold and warm."""
    return preview_question.meter(ctx, owner, corpus_id, model_name=model)


@router.get("/corpora/{corpus_id}/waste")
def waste(ctx: Ctx, owner: Tenant, corpus_id: str, model: str | None = None) -> dict[str, Any]:
    """Show what each question pays for twice or for nothing, and what leaving it out saves."""
    return report_waste(ctx, owner, corpus_id, model_name=model)


@router.post("/corpora/{corpus_id}/plans", status_code=201, response_model=dict[str, Any])
def plan(ctx: Ctx, owner: Tenant, corpus_id: str, body: PlanRequest) -> Response:
    """Price a question in every way that applies. Calls no model and costs nothing."""
    question = showing(ctx, body.as_question(ctx.terms.model), body.pictures)
    preview = preview_question.preview_question(ctx, owner, corpus_id, question)
    best = preview.recommended
    found = {
        "data": [offer.description for offer in preview.offers],
        "recommended": best.id if best else None,
        "recommended_because": preview.because,
        "warnings": best.description["warnings"] if best else [],
    }
    return Response(told.shown(found), status_code=201, media_type="application/json")


@router.get("/plans/{plan_id}")
def get_plan(ctx: Ctx, owner: Tenant, plan_id: str) -> dict[str, Any]:
    """Return a plan as it was offered."""
    return preview_question.get_plan(ctx, owner, plan_id).plan


@router.get("/plans/{plan_id}/pages")
def receipt(ctx: Ctx, owner: Tenant, plan_id: str, after: Place = 0, limit: Part = None) -> Receipt:
    """Return the receipt in full: every page that is read, in packed order, and the question's pictures."""
    plan = preview_question.get_plan(ctx, owner, plan_id).plan
    shown = plan.get("question_images", [])
    pages, following = paging.part(show_receipt(ctx, plan), after, limit)
    return Receipt(data=pages, has_more=following is not None, next=following, question_images=shown)


def _with_documents(ctx: Context, owner: str, corpus_id: str) -> Corpus:
    corpus = arrange_corpus.get(ctx, owner, corpus_id)
    members = arrange_corpus.members(ctx, owner, corpus_id)
    return Corpus.of(corpus, [member.document_id for member in members])
