"""What a user found out about a bill, and what it comes to."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from service.domain import pricing
from service.domain.answers import Answer, Call
from service.domain.catalog import Tier
from service.domain.usage import Usage
from service.errors import Invalid
from service.usecases.context import Context

OFFLINE = "offline"
"""The engine without a model, which is free."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the user found out.

    Attributes:
        billed: the provider charged for it.
        usage: what it was charged for.
        service_tier: as it was processed; None where as it was asked for.
        amount_usd: what the invoice says it cost, instead of a usage.
        call: which of the answer's calls, 0-based; None where only one can be meant.
    """

    billed: bool
    usage: Usage | None = None
    service_tier: str | None = None
    amount_usd: Decimal | None = None
    call: int | None = None

    @property
    def has_figures(self) -> bool:
        """Whether it says what was charged, not only that something was."""
        return self.usage is not None or self.amount_usd is not None

    def check(self) -> None:
        """Refuse what contradicts itself.

        Raises:
            Invalid: it does.
        """
        if self.has_figures and not self.billed:
            raise Invalid("What was not billed has no usage and no amount: leave it out.")
        if self.usage is not None and self.amount_usd is not None:
            raise Invalid("Say what was billed once: `usage` or `amount_usd`.")
        if self.usage is not None:
            _check_usage(self.usage)


def billed_usd(ctx: Context, answer: Answer, call: Call, verdict: Verdict) -> Decimal | None:
    """What was billed: the amount that was told, or the usage at the prices of the day on which it was sent.

    None where neither was told, or the price is unknown.
    """
    if answer.engine == OFFLINE or not verdict.billed:
        return Decimal(0)
    if verdict.amount_usd is not None:
        return verdict.amount_usd
    usage, asked = verdict.usage, cast("Tier", answer.plan["service_tier"])
    tier = pricing.billed_tier(verdict.service_tier, asked)
    if usage is None or tier is None:
        return None
    return pricing.cost(
        ctx.catalog.model(answer.model),
        tier=tier,
        on=(call.sent_at or ctx.now()).date(),
        input_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached_tokens,
        output_tokens=usage.completion_tokens,
        cache_write_tokens=usage.cache_write_tokens,
    )


def _check_usage(usage: Usage) -> None:
    if usage.cached_tokens + usage.cache_write_tokens > usage.prompt_tokens:
        raise Invalid("usage: cached_tokens and cache_write_tokens are part of prompt_tokens.")
    if usage.reasoning_tokens > usage.completion_tokens:
        raise Invalid("usage: reasoning_tokens are part of completion_tokens.")
