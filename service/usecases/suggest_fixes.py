"""Name the ways out of too many tokens, each with what it saves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from service.domain import planner, pricing, waste
from service.domain.cliff import least_to_leave_out
from service.domain.corpora import Member
from service.domain.manner import Images
from service.domain.planner import Terms
from service.domain.pricing import Estimate
from service.domain.shown_images import ShownImage
from service.domain.waste import Spare
from service.errors import Fix

MAX_NAMES = 10
WORTH_LEAVING_OUT = Decimal("0.9")
"""Where a larger share of the tokens would have to go, naming documents is no help: ask a part of them."""

_NAMES = {
    "duplicates": "documents that are there twice",
    "near_duplicates": "documents that say nearly the same",
    "repeated": "repeated headers and footers",
    "blank": "blank pages",
}


def ways_below(
    members: Sequence[Member], over: int, terms: Terms, priorities: Mapping[str, int] | None = None
) -> tuple[Fix, ...]:
    """Return the ways out of being so many tokens over a limit.

    Split; leave out waste, where that is enough; leave out the documents that lose the least.
    """
    fixes = [Fix("use_strategy", "Ask with strategy split.", (("strategy", "split"),))]
    spare = waste.by_counts(members)
    if spare.tokens >= over:
        saves = pricing.known_usd(cold_saving(members, spare.lean.kept, terms))
        fixes.append(leave_out_waste(spare.switches, spare.tokens, saves))
    most = WORTH_LEAVING_OUT * sum([member.most_tokens for member in members])
    gone = least_to_leave_out(members, over, priorities=priorities) if over <= most else None
    if gone and len(gone) < len(members):
        left = {member.document_id for member in gone}
        others = [member for member in members if member.document_id not in left]
        fixes.append(leave_out(gone, cold_saving(members, others, terms)))
    return tuple(fixes)


def cold_saving(members: Sequence[Member], kept: Sequence[Member], terms: Terms) -> Decimal | None:
    """What a cold question over fewer documents costs less; None where a price is unknown."""
    return saving(price_of(members, terms), price_of(kept, terms))[0]


def price_of(members: Sequence[Member], terms: Terms) -> Estimate | None:
    """What a question to these documents in one call costs."""
    spread = sum([member.images.spread for member in members if member.images.pages])
    return planner.price_whole(planner.whole_input(members, terms.counts), terms, spread=spread)


def saving(now: Estimate | None, then: Estimate | None) -> tuple[Decimal | None, Decimal | None]:
    """What a question costs less, cold and warm, in USD.

    A cache serves whole steps, so a shorter prefix may cost up to a step more when warm: that saves nothing.
    """
    if now is None or then is None:
        return None, None
    least = Decimal(0)
    return max(now.cold_usd - then.cold_usd, least), max(now.warm_usd - then.warm_usd, least)


def leave_out(gone: Sequence[Member], saves: Decimal | None) -> Fix:
    """Return the fix of leaving out these documents; of one alone it names `document_id` too."""
    ids = [member.document_id for member in gone]
    alone = (("document_id", ids[0]),) if len(ids) == 1 else ()
    saved = _saved(sum(member.most_tokens for member in gone), pricing.known_usd(saves))
    return Fix("leave_out", f"Leave out {names_of(gone)}.", (*alone, ("document_ids", ids), *saved))


def names_of(members: Sequence[Member]) -> str:
    """Return the documents' names, the first of many."""
    shown = ", ".join(member.filename for member in members[:MAX_NAMES])
    return shown + (f" and {len(members) - MAX_NAMES:,} more" if len(members) > MAX_NAMES else "")


def leave_out_waste(switches: Sequence[str], tokens: int, saves_usd: str | None) -> Fix:
    """Return the fix of leaving out waste of these kinds."""
    values = (("leave_out", list(switches)), *_saved(tokens, saves_usd))
    return Fix("leave_out_waste", f"Leave out {_named(switches)}.", values)


def send_page_images(members: Sequence[Member], unseen: Images, detail: str, terms: Terms) -> Fix:
    """Return the fix of sending pages without text as pictures; what that adds is the most it can.

    Args:
        members: the documents that are asked.
        unseen: the pictures that would be added to them.
        detail: of those.
        terms: as for every plan.
    """
    now = planner.whole_input(members, terms.counts)
    before, after = price_of(members, terms), planner.price_whole(now + unseen.tokens_max, terms)
    adds = after.cold_usd - before.cold_usd if before and after else None
    values = (
        ("page_images", "without_text"),
        ("image_detail", detail),
        ("pages", unseen.pages),
        ("adds_tokens", unseen.tokens_max),
        ("adds_usd", pricing.known_usd(adds)),
    )
    return Fix("send_page_images", f"Send {unseen.pages:,} of them as pictures.", values)


def warning(code: str, detail: str, fixes: Sequence[Fix] = ()) -> dict[str, Any]:
    """Return a warning as plans and meters tell it."""
    return {"code": code, "detail": detail, "fixes": [fix.as_dict() for fix in fixes]}


def waste_warning(spare: Spare, saves: Decimal | None) -> dict[str, Any]:
    """Return the warning that a question pays for something twice or for nothing, with the way out."""
    share = spare.tokens / (spare.tokens + spare.lean.tokens)
    usd = "" if saves is None else f", ${pricing.usd(saves)} a question"
    detail = (
        f"{spare.tokens:,} tokens ({share:.0%}){usd} go to {_named(spare.switches)}: leave them out with "
        "leave_out."
    )
    fix = leave_out_waste(spare.switches, spare.tokens, pricing.known_usd(saves))
    return warning("waste", detail, [fix])


def unknown_sizes(shown: Sequence[ShownImage]) -> list[dict[str, Any]]:
    """Return the warning that pictures are at addresses: how large they are, nobody knows before the bill."""
    unknown = [one for one in shown if one.fitted is None]
    if not unknown:
        return []
    least, most = (sum(ends) for ends in zip(*(one.tokens for one in unknown), strict=True))
    pictures = "1 picture is" if len(unknown) == 1 else f"{len(unknown):,} pictures are"
    detail = (
        f"{pictures} at an address that only the provider fetches: the size is not known, so {least:,} to "
        f"{most:,} tokens are counted, and limits and ceiling hold the most."
    )
    fixes = (
        Fix("send_as_data", "Send the picture as a data URI.", (("images", len(unknown)),)),
        Fix("lower_image_detail", "Ask with image_detail low.", (("image_detail", "low"),)),
    )
    return [warning("image_size_unknown", detail, fixes)]


def not_read(documents: int) -> list[dict[str, Any]]:
    """Return the warning that so many documents do not count, if there are any."""
    if not documents:
        return []
    detail = f"Documents that are not read yet, or could not be: {documents}. They do not count here."
    return [warning("documents_not_ready", detail)]


def _named(switches: Sequence[str]) -> str:
    return ", ".join(_NAMES[switch] for switch in switches)


def _saved(tokens: int, saves_usd: str | None) -> tuple[tuple[str, int | str | None], ...]:
    return ("saves_tokens", tokens), ("saves_usd", saves_usd)
