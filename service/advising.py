"""What the command line says below the prices: why a plan is recommended, and other ways to pay."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from service.console import dollars


def lines(described: dict[str, Any]) -> Iterator[str]:
    """Yield what is said of the recommended one among described plans; nothing where none is."""
    plan = next((plan for plan in described["data"] if plan["id"] == described["recommended"]), None)
    if plan is None:
        return
    yield described["recommended_because"]
    if tiers := "; ".join(_at_tier(one) for one in plan["alternatives"] if one["cost"]):
        yield f"At other tiers: {tiers}."
    singly = (plan["cost"] or {}).get("one_by_one_usd")
    if singly is not None:
        yield f"One by one the {plan['questions']:,} questions would cost {dollars(singly)}."


def _at_tier(one: dict[str, Any]) -> str:
    cost, more = one["cost"], one["costs_more_usd"]
    said = f"{one['service_tier']} {dollars(cost['cold_usd'])} cold, {dollars(cost['warm_usd'])} warm"
    return f"{said} ({dollars(more)} more than asking now)" if more and Decimal(more) else said
