"""Make a corpus of exactly these documents, or find the one that was made of them before."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from service.domain.corpora import Corpus
from service.errors import NotFound
from service.usecases import arrange_corpus, read_document
from service.usecases.context import Context

_SHOWN = 16


def gather_corpus(ctx: Context, tenant: str, document_ids: Sequence[str]) -> Corpus:
    """Return the corpus that holds these documents and nothing else.

    The same documents, named in any order, are the same corpus, packed in the order of their ids: a second
    question finds the prefix that the first one left in the cache.

    Raises:
        NotFound: a document does not exist; nothing is made then.
    """
    wanted = sorted(set(document_ids))
    known = read_document.get_documents(ctx, tenant, wanted)
    for document_id in wanted:
        if document_id not in known:
            raise NotFound(f"There is no document {document_id}.")
    name = f"files {hashlib.sha256(' '.join(wanted).encode()).hexdigest()[:_SHOWN]}"
    corpus = arrange_corpus.find_or_create(ctx, tenant, name)
    arrange_corpus.hold_exactly(ctx, tenant, corpus.id, wanted)
    return corpus
