"""An exported answer as Markdown that one can send to a colleague."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from service.domain.answers import AnswerStatus
from service.domain.markdown import inline, prose, quoted
from service.domain.verdicts import meaning
from service.usecases.export_answer import Exported, Part

_REASONS = {
    "joined_later": "it joined the corpus later",
    "not_selected": "not among the documents that were asked",
    "over_window": "does not fit the model's window",
    "ranked_lower": "other pages match the question better",
}
_BAD = {"altered", "missing"}
_MOST_RANGES = 40
"""Stretches of pages that are named of one document; the JSON form has every page."""


def write_markdown(exported: Exported) -> str:
    """Return the answer with its marks as numbered references, what was read, what was not, and the price.

    Whatever comes from documents, file names, questions and the model is shown as plain words.
    """
    numbers = _numbers(exported.described["citations"])
    sections = (
        _question(exported),
        _answer(exported, numbers),
        _references(exported, numbers),
        _read(exported),
        _left_out(exported),
        _facts(exported),
    )
    return "\n\n".join(section for section in sections if section) + "\n"


def _question(exported: Exported) -> str:
    shown = [f"- {_picture(one)}" for one in exported.described["question_images"]]
    beside = ["", "", "Shown with it:", "", *shown] if shown else []
    question = quoted(exported.described["question"])
    return f"# Answer\n\n## Question\n\n{question}" + "\n".join(beside)


def _picture(one: dict[str, Any]) -> str:
    """A picture by its name or address, and by its hash where it was sent as data."""
    if one["url"]:
        return f"a picture at {inline(one['url'])}"
    name = inline(one["name"] or "a picture")
    return f"{name}, {one['width']:,} by {one['height']:,} pixels, SHA-256 {one['sha256']}"


def _answer(exported: Exported, numbers: Sequence[int]) -> str:
    described = exported.described
    lines = ["## Answer", *_trouble(exported)]
    marks = [
        (
            start,
            end,
            f"\\[{number}\\]" if described["text"][start : start + 1] in {"[", "【"} else str(number),
        )
        for (start, end), number in zip(exported.spans, numbers, strict=False)
    ]
    if described["refusal"]:
        lines.append(f"The model refused: {inline(described['refusal'])}")
    lines.append(prose(described["text"], marks) if described["text"].strip() else "There is no text.")
    return "\n\n".join(lines)


def _trouble(exported: Exported) -> Iterator[str]:
    """Say before the text what is not well with it."""
    described = exported.described
    if exported.answer.status is not AnswerStatus.DONE:
        detail = (described["error"] or {}).get("detail", "")
        yield f"**This answer is not whole: {described['status'].replace('_', ' ')}.** {inline(detail)}"
    if described["finish_reason"] == "length":
        yield "**This answer was cut: it reached the output that was reserved for it.**"
    if described["finish_reason"] == "content_filter":
        yield "**This answer was cut: the provider's content filter ended it.**"
    for warning in exported.answer.warnings:
        yield f"**{inline(warning['detail'])}**"
    bad = sum(citation["verdict"] in _BAD for citation in described["citations"])
    if bad:
        of = len(described["citations"])
        yield f"**{bad} of {of} citations could not be confirmed: see the references.**"


def _numbers(citations: Sequence[dict[str, Any]]) -> list[int]:
    """Return each citation's number; the same words from the same place share one."""
    known: dict[tuple[str, str], int] = {}
    return [known.setdefault((one["marker"], one["quote"]), len(known) + 1) for one in citations]


def _references(exported: Exported, numbers: Sequence[int]) -> str:
    citations = exported.described["citations"]
    if not citations:
        return "## References\n\nThe answer cites nothing."
    first = dict(reversed(list(zip(numbers, citations, strict=True))))
    blocks = [_reference(number, first[number], exported) for number in sorted(first)]
    return "\n\n".join(["## References", *blocks])


def _reference(number: int, citation: dict[str, Any], exported: Exported) -> str:
    """Return one reference: where, the verdict, and the words as they stand in the source."""
    verdict = meaning(citation)
    shown = f"**{verdict}**" if citation["verdict"] in _BAD else verdict
    blocks = [f"\\[{number}\\] {_where(citation)}: {shown}."]
    found = citation["found"]
    if found is not None:
        blocks += _beside(citation, found, exported)
    elif citation["quote"].strip():
        blocks += ["The answer quotes:", quoted(citation["quote"])]
    if citation.get("source_gone"):
        blocks.append("The source has been deleted since; its words are those kept with the answer.")
    return "\n\n".join(blocks)


def _beside(citation: dict[str, Any], found: dict[str, Any], exported: Exported) -> list[str]:
    """Return the source's words, and the answer's before them where the two differ."""
    same = citation["verdict"] == "exact" or citation["quote"].split() == found["text"].split()
    where = ""
    if (found["document_id"], found["page"]) != (citation["document_id"], citation["page"]):
        where = f" ({_name(found['document_id'], citation, exported)}, page {found['page']})"
    answer = [] if same else ["The answer quotes:", quoted(citation["quote"])]
    return [*answer, f"The source says{where}:", quoted(found["text"])]


def _name(document_id: str, citation: dict[str, Any], exported: Exported) -> str:
    known = exported.documents.get(document_id)
    cited = citation["filename"] if document_id == citation["document_id"] else None
    packed = next((part.filename for part in exported.parts if part.document_id == document_id), None)
    return inline((known.filename if known else None) or packed or cited or document_id)


def _where(citation: dict[str, Any]) -> str:
    if citation["filename"] is None:
        return f"{inline(citation['marker'])}, a document that was not asked"
    name = f"**{inline(citation['filename'])}**"
    if citation["page"] is None:
        return name
    label = f" (labelled {inline(citation['label'])})" if citation["label"] else ""
    return f"{name}, page {citation['page']}{label}"


def _read(exported: Exported) -> str:
    rows = [
        f"| D{part.number} | {inline(part.filename)} | {_pages(part)} | {part.tokens:,} "
        f"| {_fingerprint(part, exported)} |"
        for part in exported.parts
    ]
    head = ["| | Document | Pages | Tokens | SHA-256 |", "|---|---|---|---:|---|"]
    return "\n".join(["## What was read", "", *head, *rows]) if rows else "## What was read\n\nNothing."


def _pages(part: Part) -> str:
    count = f"{len(part.pages):,}: " if len(part.pages) > 1 else ""
    return count + _stretches(part.pages)


def _stretches(pages: Sequence[int]) -> str:
    ranges = _ranges(pages)
    more = len(ranges) - _MOST_RANGES
    return ", ".join(ranges[:_MOST_RANGES]) + (f", and {more:,} more stretches" if more > 0 else "")


def _ranges(pages: Sequence[int]) -> list[str]:
    """Return rising page numbers as stretches: `1-3`, `7`."""
    runs = [[page for _, page in run] for _, run in groupby(enumerate(pages), lambda pair: pair[1] - pair[0])]
    return [f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]


def _fingerprint(part: Part, exported: Exported) -> str:
    known = exported.documents.get(part.document_id)
    return f"`{known.sha256}`" if known else "the source is gone"


def _left_out(exported: Exported) -> str:
    coverage = exported.described["coverage"] or {}
    lines = [
        f"- {_title(out['document_id'], exported)}: {_reason(out)}."
        for out in coverage.get("documents_out", ())
    ]
    lines += [
        f"- {_title(out['document_id'], exported)}, pages {_stretches(out['pages'])}: {_reason(out)}."
        for out in coverage.get("pages_out", ())
    ]
    lines += [
        f"- {_title(out['document_id'], exported)}: repeated headers and footers, {out['tokens']:,} tokens."
        for out in coverage.get("repeated_out", ())
    ]
    lines += [
        f"- An earlier turn of the conversation, `{out['answer_id']}`: {_reason(out)}."
        for out in coverage.get("history_out", ())
    ]
    if unseen := coverage.get("pages_without_text"):
        lines.append(f"- {unseen:,} of the pages hold no text that could be read.")
    return "\n".join(["## What was left out", "", *(lines or ["Nothing."])])


def _title(document_id: str, exported: Exported) -> str:
    known = exported.documents.get(document_id)
    packed = next((part.filename for part in exported.parts if part.document_id == document_id), None)
    return inline((known.filename if known else None) or packed or f"{document_id} (deleted since)")


def _reason(out: dict[str, Any]) -> str:
    """Return why, in words: a code of ours, or a sentence that is one already."""
    reason = str(out["reason"])
    words = reason if " " in reason else reason.replace("_", " ")
    return inline(_REASONS.get(reason, words).rstrip("."))


def _facts(exported: Exported) -> str:
    described, cost = exported.described, exported.described["cost"]
    catalog = exported.answer.plan.get("price_catalog") or {}
    facts = {
        "Model": f"{described['model']}, by {described['engine']}",
        "Asked": described["created_at"][:16].replace("T", " ") + " UTC",
        "Corpus": exported.corpus or f"{described['corpus_id']} (forgotten since)",
        "Plan": f"{described['strategy']}, {_share(described)}",
        "Price": _price(described),
        "Estimated before": f"{_usd(cost['estimated_usd'])}, at most {_usd(cost['max_usd'])}",
        "Tokens": _tokens(described["usage"]),
        "Prices as of": str(catalog.get("as_of", "unknown")),
        "Answer": described["id"],
        **_before(exported),
        "SHA-256 of the packed documents": _prefixes(exported.answer.plan),
        "Exported": exported.at.isoformat()[:16].replace("T", " ") + " UTC",
    }
    return "\n".join(
        ["## Model and price", "", *(f"- {name}: {inline(said)}" for name, said in facts.items())]
    )


def _before(exported: Exported) -> dict[str, str]:
    """Return the answer that this one goes on with, or whose pages it reads again."""
    calls = exported.answer.plan.get("calls", ())
    kept = sum(bool(call.get("kept")) for call in calls)
    told = {}
    if before := exported.described["retry_of"]:
        told["Goes on with"] = f"{before}, which paid for {kept:,} of its {len(calls):,} calls"
    if before := exported.described["replay_of"]:
        told["Reads the same pages as"] = before
    return told


def _prefixes(plan: dict[str, Any]) -> str:
    """Return what each call that read documents began with, as its fingerprint."""
    read = (call["prefix_sha256"] for call in plan.get("calls", ()) if call["documents"])
    return ", ".join(dict.fromkeys(read)) or "none"


def _share(described: dict[str, Any]) -> str:
    coverage = described["coverage"] or {}
    read, of = coverage.get("pages_in"), coverage.get("pages_total")
    return f"{read:,} of {of:,} pages read" if read is not None and of is not None else "coverage unknown"


def _price(described: dict[str, Any]) -> str:
    if described["engine"] == "offline":
        return "nothing: no model was asked, closest passages are shown"
    price = _usd(described["cost"]["actual_usd"])
    counted = described["cost"]["actual_is"] == "at_most"
    return f"at most {price} (the provider told no usage to bill)" if counted else price


def _tokens(usage: dict[str, Any] | None) -> str:
    if usage is None:
        return "not known"
    return (
        f"{usage['prompt_tokens']:,} in ({usage['cached_tokens']:,} of them cached), "
        f"{usage['completion_tokens']:,} out ({usage['reasoning_tokens']:,} of them reasoning)"
    )


def _usd(amount: str | None) -> str:
    return "unknown" if amount is None else f"${amount}"
