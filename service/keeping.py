"""The commands about what is kept: list corpora and documents, and remove them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from service import console, opening, terminal
from service.domain.corpora import Corpus
from service.errors import Invalid, NotFound
from service.usecases import arrange_corpus, read_document
from service.usecases.context import LOCAL, Context
from service.usecases.preview_question import meter
from service.usecases.remove_document import remove_document

AT_ONCE = 1_000

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@dataclass(frozen=True, slots=True)
class _Named:
    """A document with all that it answers to on the command line."""

    id: str
    filename: str
    ordinal: int | None = None

    def is_meant_by(self, said: str) -> bool:
        """Whether it is called so: by its id, its file name or its number in the corpus."""
        return said in {self.id, self.filename} or (
            self.ordinal is not None and said.upper() == f"D{self.ordinal}"
        )


def show(
    corpus: Annotated[
        str | None, typer.Option(help="Name or id of the corpus whose documents to list.")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """List the corpora, or a corpus's documents in the order in which they are packed.

    Example: unabridged list --corpus reports
    """
    ctx = opening.context(opening.settings())
    if corpus is not None:
        found = _documents(ctx, arrange_corpus.find(ctx, LOCAL, corpus))
    else:
        found = [_size(ctx, one) for one in _corpora(ctx)]
    if json:
        console.as_json(found)
    elif corpus is not None:
        console.show_documents(found)
    else:
        console.show_corpora(found)


@dataclass(frozen=True, slots=True)
class Part:
    """The documents of a corpus that are asked, by what was typed; nothing typed means all.

    Attributes:
        only: these alone.
        without: all but these.
    """

    only: Sequence[str] = ()
    without: Sequence[str] = ()

    def of(self, ctx: Context, corpus_id: str) -> tuple[str, ...]:
        """Return the ids of those documents in the corpus's order; empty means all.

        Raises:
            NotFound: there is none of a name.
            Invalid: there are several of a name, or none is left to ask.
        """
        if not self.only and not self.without:
            return ()
        corpus = arrange_corpus.get(ctx, LOCAL, corpus_id)
        members = list(_members(ctx, corpus))
        wanted = _meant(ctx, self.only, corpus) or members
        gone = _meant(ctx, self.without, corpus)
        left = tuple(one.id for one in members if one in wanted and one not in gone)
        if not left:
            raise Invalid("No document is left to ask: name fewer with --without.")
        return left


def remove(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Documents: file names, ids, or D1, D2, … of the corpus."),
    ] = None,
    corpus: Annotated[
        str | None, typer.Option(help="Take them out of this corpus; without names, forget the corpus.")
    ] = None,
    *,
    everywhere: Annotated[
        bool, typer.Option("--everywhere", help="Delete them for good, out of every corpus.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove without asking.")] = False,
) -> None:
    """Take documents out of a corpus, forget a corpus, or delete documents for good.

    Example: unabridged remove --corpus reports draft.docx D7
    """
    if everywhere and not names:
        raise Invalid("Name the documents to delete: unabridged remove --everywhere NAME")
    if corpus is None and not everywhere:
        raise Invalid(
            "Say out of what: --corpus NAME takes documents out of a corpus, --everywhere deletes for good."
        )
    ctx = opening.context(opening.settings())
    within = arrange_corpus.find(ctx, LOCAL, corpus) if corpus is not None else None
    meant = _meant(ctx, names or [], within)
    if everywhere:
        _delete(ctx, meant, yes=yes)
    elif within is not None and not meant:
        _forget(ctx, within, yes=yes)
    elif within is not None:
        _take_out(ctx, within, meant)


def _delete(ctx: Context, meant: Sequence[_Named], *, yes: bool) -> None:
    _require_agreement(f"Delete {_listed(meant)} for good, with all files inside?", yes=yes)
    _each(meant, lambda one: remove_document(ctx, LOCAL, one.id))
    console.say(f"Deleted: {_listed(meant)}.")


def _forget(ctx: Context, corpus: Corpus, *, yes: bool) -> None:
    holds = console.counted(corpus.documents, "document")
    _require_agreement(f"Forget the corpus {corpus.name}? Its documents ({holds}) are kept.", yes=yes)
    arrange_corpus.remove(ctx, LOCAL, corpus.id)
    console.say(f"Forgotten: {corpus.name}.")


def _take_out(ctx: Context, corpus: Corpus, meant: Sequence[_Named]) -> None:
    before = meter(ctx, LOCAL, corpus.id, model_name=None)["cache"]
    _each(meant, lambda one: arrange_corpus.take_out(ctx, LOCAL, corpus.id, one.id))
    left = console.counted(arrange_corpus.get(ctx, LOCAL, corpus.id).documents, "document")
    console.say(f"Taken out of {corpus.name}: {_listed(meant)}. It holds {left} now.")
    cache = meter(ctx, LOCAL, corpus.id, model_name=None)["cache"]
    if cache["lost_tokens"] > before["lost_tokens"]:  # what a split left cold is not of this removal
        cost = console.dollars(cache["lost_usd"])
        console.say(f"{cache['because']} That costs the next question {cost} more.")


def _each(meant: Sequence[_Named], act: Callable[[_Named], None]) -> None:
    """Do it to each of those; one that was inside another has gone with it."""
    for one in meant:
        with suppress(NotFound):
            act(one)


def _require_agreement(question: str, *, yes: bool) -> None:
    if not yes and not terminal.agrees(question):
        console.errors().print(f"Nothing was removed. {question} Say --yes.", markup=False)
        sys.exit(1)


def _listed(meant: Sequence[_Named]) -> str:
    return ", ".join(one.filename for one in meant)


def _meant(ctx: Context, names: Sequence[str], corpus: Corpus | None) -> list[_Named]:
    """Return the documents of these names, each once.

    Raises:
        NotFound: there is none of a name.
        Invalid: there are several.
    """
    if not names:
        return []
    known = list(_everything(ctx) if corpus is None else _members(ctx, corpus))
    return list(dict.fromkeys(_only([one for one in known if one.is_meant_by(said)], said) for said in names))


def _only(found: Sequence[_Named], said: str) -> _Named:
    if not found:
        raise NotFound(f"There is no document “{said}” there. `unabridged list --corpus NAME` shows them.")
    if len(found) > 1:
        ids = ", ".join(one.id for one in found)
        raise Invalid(f"“{said}” is the name of {len(found)} documents: {ids}. Say which by its id.")
    return found[0]


def _members(ctx: Context, corpus: Corpus) -> Iterator[_Named]:
    for one in arrange_corpus.members(ctx, LOCAL, corpus.id):
        yield _Named(one.document_id, one.filename, one.ordinal)


def _everything(ctx: Context) -> Iterator[_Named]:
    after: str | None = None
    while batch := read_document.list_documents(ctx, LOCAL, after=after, limit=AT_ONCE):
        yield from (_Named(one.id, one.filename) for one in batch)
        after = batch[-1].id


def _corpora(ctx: Context) -> Iterator[Corpus]:
    after: str | None = None
    while batch := arrange_corpus.list_corpora(ctx, LOCAL, after=after, limit=AT_ONCE):
        yield from batch
        after = batch[-1].id


def _size(ctx: Context, corpus: Corpus) -> dict[str, Any]:
    tokens = sum(one.pages_tokens for one in arrange_corpus.members(ctx, LOCAL, corpus.id))
    return {"id": corpus.id, "name": corpus.name, "documents": corpus.documents, "tokens": tokens}


def _documents(ctx: Context, corpus: Corpus) -> list[dict[str, Any]]:
    return [
        {
            "number": f"D{one.ordinal}",
            "id": one.document_id,
            "filename": one.filename,
            "pages": one.pages,
            "tokens": one.pages_tokens,
            "status": one.status.value,
        }
        for one in arrange_corpus.members(ctx, LOCAL, corpus.id)
    ]
