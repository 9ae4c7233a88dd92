"""Leave out of a question what it would pay for twice or for nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ingest import resemblance
from service.domain import waste
from service.domain.corpora import Member
from service.domain.waste import Lean, Likeness, Sample
from service.store import documents
from service.store.session import Transaction


def leave_out_of(tx: Transaction, members: Sequence[Member], switches: Collection[str]) -> Lean:
    """Return the documents without the waste that the switches name; samples are read, texts are not."""
    if not switches:
        return Lean(tuple(members))
    likeness = likeness_of(tx, members) if "near_duplicates" in switches else None
    return waste.without(members, switches, likeness=likeness)


def likeness_of(tx: Transaction, members: Sequence[Member]) -> Likeness:
    """Return how to compare these documents."""
    sketches = documents.sketches_of(tx, [member.document_id for member in members])
    samples = {name: Sample(values, resemblance.phrases(values)) for name, values in sketches.items()}
    return Likeness(samples, resemblance.resemblance)
