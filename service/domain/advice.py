"""Which plan is recommended, and why, in a sentence.

What reads everything that is asked and costs least wins. Where that does not fit the model's window, the most
relevant pages win for an ordinary question, and several calls for one that asks for completeness.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from service.domain.planner import Plan
from service.domain.pricing import rounded_up
from service.domain.ranked import INDEX_BUILDING

_COMPLETE = (
    # English; `at all`, `each other` and `list price` ask for nothing complete
    r"(?<!\bat )(?<!\bafter )(?<!\babove )all|every(?:thing|one|body|where)?|each(?! other)|entire",
    r"throughout|list(?! prices?\b)|enumerate|compar(?:e|es|ing|isons?)|how (?:many|often)",
    r"summari[sz](?:e|es|ing)|a (?:\w+ )?summary|summary of|overview",
    # German
    "alle[nmrs]?|s\u00e4mtlich[a-z]*|jede[nmrs]?|liste[tn]?|auflist[a-z]*|aufz\u00e4hl[a-z]*",
    r"wie ?viele|wie oft|z\u00e4hle",
    r"vergleich[a-z]*|zusammenfass[a-z]*|fass(?:e|t|en)\b.*\bzusammen|\u00fcberblick",
    # French
    r"tous|toutes?|chaque|lister|listez|\u00e9num[\u00e8\u00e9]r[a-z]*|comparer|comparez|comparaisons?",
    "r\u00e9sum(?:e|er|ez|\u00e9)|synth\u00e8se|combien d(?:e(?!\\w)|['\u2019]\\w+)",
    # Spanish
    r"tod[oa]s?|cada|lista|listar|enumer(?:a|ar|e)|compara|comparar|comparaci\u00f3n",
    r"\Aresume|resumir|resumen|cu[\u00e1a]nt[oa]s",
)
"""Words of a question that a part of the documents can't answer, folded."""
_ASKS_FOR_ALL = re.compile(rf"(?<!\w)(?:{'|'.join(_COMPLETE)})(?!\w)")


@dataclass(frozen=True, slots=True)
class Asked:
    """What plans are judged by.

    Attributes:
        questions: as they were put.
        expected: how often the like will be asked of the same documents.
        pages: of all documents that are asked.
        fits: whether the documents fit the model's window in one call.
        threshold: whether the model has one.
    """

    questions: Sequence[str]
    expected: int = 1
    pages: int = 0
    fits: bool = True
    threshold: bool = True


def asks_for_all(question: str) -> bool:
    """Whether a question asks for completeness: all, every, list, compare, summarise, how many and the like.

    Judged by words, in English, German, French and Spanish.
    """
    folded = unicodedata.normalize("NFC", question).casefold().lstrip(' \u00bf\u00a1"')
    return _ASKS_FOR_ALL.search(folded) is not None


def recommended(plans: Sequence[Plan], asked: Asked) -> Plan | None:
    """Return the plan to take; None where none is feasible. One call wins a tie."""
    complete = _complete(plans, asked)
    ranked = _ranked(plans)
    if not complete or not ranked:
        return next(iter(complete or ranked), None)
    all_wanted = any(map(asks_for_all, asked.questions))
    return complete[0] if asked.fits or all_wanted else ranked[0]


def awaits_ranking(plans: Sequence[Plan], asked: Asked) -> bool:
    """Whether the most relevant pages would be taken, as `recommended` does, were they indexed already."""
    building = any(plan.infeasible_code == INDEX_BUILDING for plan in plans)
    return building and not (asked.fits or any(map(asks_for_all, asked.questions)))


def because(chosen: Plan, plans: Sequence[Plan], asked: Asked) -> str:
    """Return why this plan is recommended among these, with what the runner-up would cost."""
    price = _price(chosen, asked)
    at = "no price is published" if price is None else rounded_up(price) + _times(asked)
    if _reads_a_part(chosen):
        return f"{_partly(chosen, asked)}: {at}{_instead_of_all(plans, asked)}."
    said = f"{_reads(chosen, asked)}: {at}{_instead(chosen, plans, asked)}."
    return said + _part_would_cost(plans, asked, price)


def _complete(plans: Sequence[Plan], asked: Asked) -> list[Plan]:
    """The feasible plans that read everything, the cheapest first; an unknown price is the dearest."""
    found = [plan for plan in plans if plan.feasible and not _reads_a_part(plan)]
    return sorted(found, key=lambda plan: _cost(plan, asked))


def _ranked(plans: Sequence[Plan]) -> list[Plan]:
    """The feasible plans that read a part, the largest budget first."""
    found = [plan for plan in plans if plan.feasible and _reads_a_part(plan)]
    return sorted(found, key=lambda plan: -(plan.budget_tokens or 0))


def _reads_a_part(plan: Plan) -> bool:
    name: str = plan.strategy
    return name == "ranked"


def _cost(plan: Plan, asked: Asked) -> tuple[bool, Decimal, int]:
    price = _price(plan, asked)
    known = price if price is not None else Decimal(plan.input_tokens)
    return price is None, known, len(plan.calls)


def _price(plan: Plan, asked: Asked) -> Decimal | None:
    if plan.estimate is None:
        return None
    return plan.for_questions(asked.expected) if asked.expected > 1 else plan.estimate.expected_usd


def _times(asked: Asked) -> str:
    return f" for {asked.expected:,} questions" if asked.expected > 1 else ""


def _reads(plan: Plan, asked: Asked) -> str:
    what = "the only page" if asked.pages == 1 else f"all {asked.pages:,} pages"
    if plan.strategy == "selected":
        what += " of the selected documents"
    return f"Reads {what} in {_calls(plan, asked)}"


def _calls(plan: Plan, asked: Asked) -> str:
    parts = sum(call.kind == "part" for call in plan.calls)
    if parts:
        where = " at or below the threshold" if asked.threshold else ""
        return f"{parts:,} calls{where} and one that merges them"
    return "one call above the threshold" if plan.crosses_threshold else "one call"


def _instead(chosen: Plan, plans: Sequence[Plan], asked: Asked) -> str:
    """What the next best plan that reads everything costs, or why there is none to speak of."""
    others = [plan for plan in _complete(plans, asked) if plan is not chosen]
    price = _price(others[0], asked) if others else None
    if others and price is not None:
        return f" instead of {rounded_up(price)} in {_calls(others[0], asked)}"
    single = next((plan for plan in plans if plan.strategy in {"whole", "selected"}), None)
    too_large = single is not None and single.infeasible_code == "over_window"
    return ", since one call can't hold them" if too_large else ""


def _part_would_cost(plans: Sequence[Plan], asked: Asked, price: Decimal | None) -> str:
    """What reading the most relevant pages alone would cost, where that is less."""
    part = next(iter(_ranked(plans)), None)
    cost = _price(part, asked) if part else None
    if part is None or cost is None or price is None or cost >= price:
        return ""
    return f" The most relevant {_budget(part)} alone would cost {rounded_up(cost)}."


def _partly(plan: Plan, asked: Asked) -> str:
    why = "" if asked.fits else ", since not all of them fit the model's window"
    pages = f"the {asked.pages:,} pages" if asked.pages != 1 else "the page"
    return f"Reads the most relevant {_budget(plan)} of {pages} in {_calls(plan, asked)}{why}"


def _budget(plan: Plan) -> str:
    return f"{plan.budget_tokens:,} tokens" if plan.budget_tokens else "part"


def _instead_of_all(plans: Sequence[Plan], asked: Asked) -> str:
    everything = next(iter(_complete(plans, asked)), None)
    price = _price(everything, asked) if everything else None
    if everything is None or price is None:
        return ""
    return f" instead of {rounded_up(price)} for all in {_calls(everything, asked)}"
