"""What the use cases say, in the command line's words: options for fields, and rounded amounts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from service.domain.pricing import rounded_up

_WORDS = (
    (r"`?max_cost_usd`?", "--max-cost"),
    (r"`?max_completion_tokens`?", "--max-tokens"),
    (r"`?budget_tokens`?", "--budget-tokens"),
    (r"`?page_images`?", "--page-images"),
    (r"`?image_urls`?", "--image"),
    (r"Ask with image_detail low", "Show a smaller picture"),
    (r"Send the picture as a data URI", "Name its file instead of its address"),
    (r"at another `?service_tier`?", "at another --tier"),
    (r"`?service_tier`? batch", "--tier batch"),
    (r"`?service_tier`?", "--tier"),
    (r"`?reasoning_effort`?", "--effort"),
    (r"`?leave_out`?", "--leave-out"),
    (r"`?document_ids`?", "--only"),
    (r"leave `?conversation_id`? out, or name a new one", "--conversation new"),
    (r"`?conversation_id`?", "--conversation"),
    (r"`?limit_usd`?", "the limit"),
    (r"`?expires_at`?", "--expires"),
    (r"Question (\d+) of `questions`", r"Question \1 (--also)"),
    (r"`questions`", "The questions"),
    (r"questions, or shorten system_prompt", "questions"),
    (r"allow_long_context, choose such a plan, or ask", "--strategy whole, or ask"),
    (r"`?allow_long_context`?", "--strategy whole"),
    (r"strategy (whole|split|ranked|selected)\b", r"--strategy \1"),
)
"""Fields of REST and what stands for them here, in this order."""

_SCOPE = re.compile(r"\((?:tenant|corpus:\w+|key:\w+), ")
"""Of a budget, beside its name."""

_AMOUNT = re.compile(r"\$(\d+\.\d{3,})")


def in_options(said: str) -> str:
    """Return a sentence of the use cases with options for fields, and amounts as people read them."""
    for field, option in _WORDS:
        said = re.sub(rf"(?<![\w-]){field}(?![\w-])", option, said)
    said = _SCOPE.sub("(", said)
    return _AMOUNT.sub(lambda found: rounded_up(Decimal(found[1])), said)


def way(fix: Mapping[str, Any]) -> str:
    """Return a way out as what to type, with what it saves or adds where that is known."""
    typed = _TYPED.get(fix["do"], _nothing)(fix)
    said = in_options(str(fix.get("detail") or ""))
    if not said or fix["do"] in _SAY_ALL:
        said = typed or said or _plain(fix)
    elif typed and typed.split()[0] not in said:
        said = f"{said.removesuffix('.')}: {typed}"
    amounts = _amounts(fix)
    return " ".join([f"{said.removesuffix('.')}.", *amounts] if amounts else [said])


def _nothing(_: Mapping[str, Any]) -> str:
    return ""


def _plain(fix: Mapping[str, Any]) -> str:
    """A way out that has no sentence and no option: its name and its values."""
    values = ", ".join(f"{name} {value}" for name, value in fix.items() if name not in {"do", "detail"})
    return " ".join(part for part in (fix["do"].replace("_", " "), values) if part)


def _amounts(fix: Mapping[str, Any]) -> list[str]:
    said = []
    for verb in ("saves", "adds"):
        if f"{verb}_tokens" in fix:
            usd = fix.get(f"{verb}_usd")
            money = "" if usd is None else f", {rounded_up(Decimal(usd))}"
            said.append(f"It {verb} {fix[f'{verb}_tokens']:,} tokens{money}.")
    return said


_SAY_ALL = frozenset({"leave_out_waste", "use_plan"})
"""Ways out whose options say all that their sentences do."""


def _of(option: str, name: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda fix: f"{option} {fix[name]}" if name in fix else ""


def _money(option: str, name: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda fix: f"{option} {rounded_up(Decimal(fix[name])).removeprefix('$')}" if name in fix else ""


def _plan(fix: Mapping[str, Any]) -> str:
    budget = fix.get("budget_tokens")
    strategy = "whole" if fix["strategy"] == "selected" else fix["strategy"]  # of what --only names
    return f"--budget-tokens {budget}" if budget else f"--strategy {strategy}"


def _share(fix: Mapping[str, Any]) -> str:
    return f"reads {fix['tokens_share']:.0%} of the tokens"


def _waste(fix: Mapping[str, Any]) -> str:
    return " ".join(f"--leave-out {name}" for name in fix["leave_out"])


def _budget(fix: Mapping[str, Any]) -> str:
    if "scope" not in fix:
        return ""
    needed = rounded_up(Decimal(fix["limit_usd"])).removeprefix("$")
    return f"unabridged budget {fix['scope']} {needed}"


def _without(fix: Mapping[str, Any]) -> str:
    return "--without NAME for each" if fix.get("document_ids") else ""


_TYPED: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "use_plan": lambda fix: f"{_plan(fix)} ({_share(fix)} for at most {rounded_up(Decimal(fix['max_usd']))})",
    "resolve": lambda fix: f"unabridged resolve {fix['answer_id']} --billed (or --not-billed)",
    "replay": lambda fix: f"unabridged replay {fix['answer_id']}",
    "raise_max_cost": _money("--max-cost", "max_usd"),
    "raise_budget": _budget,
    "lower_max_completion_tokens": lambda fix: (
        _of("--max-tokens", "max_completion_tokens")(fix)
        or "Reserve less output with --max-tokens, or take a cheaper plan with --strategy."
    ),
    "raise_max_completion_tokens": _of("--max-tokens", "max_completion_tokens"),
    "use_strategy": _of("--strategy", "strategy"),
    "lower_budget": _of("--budget-tokens", "budget_tokens"),
    "lower_budget_tokens": _of("--budget-tokens", "most_tokens"),
    "lower_ceiling": _money("--max-tokens, --strategy or --tier for at most", "max_usd"),
    "leave_out_waste": _waste,
    "leave_out": _without,
    "send_page_images": _of("--page-images", "page_images"),
    "send_fewer_page_images": _of("--page-images", "page_images"),
    "narrow": lambda fix: "--only NAME for each" if fix.get("document_ids") else "",
    "allow_long_context": lambda _: "Accept the long-context price: --strategy whole.",
    "plan_again": lambda _: "Ask again: the price is made anew.",
}
"""What to type for each way out that has an option or a command."""
