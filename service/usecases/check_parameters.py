"""Refuse parameters that the model, or whoever serves it, is known not to take: before any money is held."""

from __future__ import annotations

from typing import get_args

from service.domain.catalog import Catalog, Model, Tier
from service.domain.questions import Question
from service.errors import Fix, Invalid, UnsupportedParameter
from service.provider import ChatRequest
from service.usecases.context import Context

SAMPLING: dict[str, float] = {
    "temperature": 1,
    "top_p": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
}
"""Parameters of sampling, with the values that ask for nothing."""

_NAMED = 5


def check_parameters(ctx: Context, model: Model, question: Question) -> None:
    """Hold a question's parameters against the model and its provider; the service tier is `tier_of`'s.

    Raises:
        UnsupportedParameter: one is known not to be taken; its fixes name the way out.
    """
    _require_chat(ctx, model)
    if question.images or question.page_images != "none":
        require_sight(ctx.catalog, model, "image_urls" if question.images else "page_images")
    _check_sampling(ctx, model, question)
    ctx.provider.parameters.check(
        ChatRequest(
            model=question.model,
            messages=(),
            max_completion_tokens=question.max_completion_tokens,
            reasoning_effort=question.reasoning_effort,
            verbosity=question.verbosity,
            temperature=question.temperature,
            top_p=question.top_p,
            presence_penalty=question.presence_penalty,
            frequency_penalty=question.frequency_penalty,
            seed=question.seed,
            stop=question.stop,
            response_format=question.response_format,
        )
    )


def _require_chat(ctx: Context, model: Model) -> None:
    """Refuse a model that its own vendor serves otherwise; another server may have its way with it."""
    if model.takes_chat or model.provider != ctx.provider.name:
        return
    others = [one.id for one in ctx.catalog.models if one.provider == model.provider and one.takes_chat]
    raise UnsupportedParameter(
        f"{model.id} takes no chat completions, by which questions are asked: ask another model.",
        param="model",
        fixes=tuple(Fix("use_model", f"Ask {name}.", (("model", name),)) for name in others[:_NAMED]),
    )


def require_sight(catalog: Catalog, model: Model, param: str = "image_urls") -> None:
    """Refuse pictures where the model takes none.

    Raises:
        UnsupportedParameter: it does not; the fixes name models that do.
    """
    if model.sees:
        return
    others = [one.id for one in catalog.models if one.sees and one.takes_chat][:_NAMED]
    fixes = [Fix("use_model", f"Ask {name}.", (("model", name),)) for name in others]
    leave = Fix("leave_out_parameter", f"Leave {param} out.", (("parameter", param),))
    raise UnsupportedParameter(
        f"{model.id} takes no pictures: leave {param} out, or ask a model that sees.",
        param=param,
        fixes=(leave, *fixes),
    )


def tier_of(ctx: Context, name: str | None) -> Tier:
    """Return the catalog's tier for a service tier.

    Raises:
        Invalid: there is none, or the provider can't be asked for it.
    """
    if name in {None, "auto", "default", "standard"}:
        return "standard"
    if not ctx.provider.takes_tiers:
        raise Invalid(f"{ctx.provider.name} can't be asked for a service tier: leave service_tier out.")
    tiers: tuple[Tier, ...] = get_args(Tier)
    for tier in tiers:
        if tier == name:
            return tier
    raise Invalid(f"service_tier must be one of auto, default, {', '.join(tiers)}.")


def _check_sampling(ctx: Context, model: Model, question: Question) -> None:
    """A model that reasons takes no parameters of sampling; values that ask for nothing are let pass."""
    if ctx.provider.samples_while_reasoning or question.reasoning_effort == "none":
        return
    for name, usual in SAMPLING.items():
        if getattr(question, name) not in {None, usual}:
            raise UnsupportedParameter(
                f"{model.id} takes no {name} while it reasons: leave it out, or say reasoning_effort none.",
                param=name,
                fixes=(
                    Fix("leave_out_parameter", f"Leave {name} out.", (("parameter", name),)),
                    Fix(
                        "change_parameter",
                        "Say reasoning_effort none.",
                        (("parameter", "reasoning_effort"), ("allowed", "none")),
                    ),
                ),
            )
