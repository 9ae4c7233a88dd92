"""What each provider is called, where it lives, and which parameters it is known to take."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal
from urllib.parse import urlsplit

from service.errors import Invalid

OutputLimit = Literal["max_completion_tokens", "max_tokens"]


@dataclass(frozen=True, slots=True)
class Profile:
    """A provider's dialect of chat completions; a parameter it is not known to take is left out of a request.

    Error envelopes are no part of it: a gateway may stand before any provider, so `errors` reads them all.

    Attributes:
        name: shown as the answer's `engine`.
        base_url: without a trailing slash; `/chat/completions` follows.
        model_ids: our model name → the provider's; names not in it go as they are.
        output_limit: what the output limit is called.
        stream_options: asks for the usage at a stream's end; without it a streamed answer's cost is
            estimated.
        sampling_while_reasoning: takes `temperature` and `top_p` although the model may be reasoning.
        reasoning_effort, verbosity, prompt_cache_key, service_tier: takes the parameter of that name.
        batches: has files and batches beside, as far as is known; a gateway may lack them all the same.
        batch_file_bytes, batch_file_lines: the most that one file of a batch holds.
    """

    name: str
    base_url: str
    model_ids: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    output_limit: OutputLimit = "max_completion_tokens"
    stream_options: bool = True
    reasoning_effort: bool = True
    verbosity: bool = True
    prompt_cache_key: bool = True
    service_tier: bool = True
    sampling_while_reasoning: bool = False
    batches: bool = False
    batch_file_bytes: int = 200_000_000
    batch_file_lines: int = 50_000


OPENAI = Profile(name="openai", base_url="https://api.openai.com/v1", batches=True)

OXEN = Profile(
    name="oxen",
    base_url="https://hub.oxen.ai/api/ai",
    model_ids=MappingProxyType({"gpt-5.5": "gpt-5-5-2026-04-23", "gpt-5.5-2026-04-23": "gpt-5-5-2026-04-23"}),
    output_limit="max_tokens",  # the only one its pages use
    stream_options=False,
    verbosity=False,
    prompt_cache_key=False,
    service_tier=False,
)
"""Its pages say "fully OpenAI-compatible" and show none of the parameters that are off here."""

MODELSTREAM = Profile(
    name="modelstream",
    base_url="https://api.modelstream.ai/v1",
    stream_options=False,
    prompt_cache_key=False,
    service_tier=False,
)
"""Its list has reasoning_effort, verbosity and max_completion_tokens; the wire form is unconfirmed."""

COMPATIBLE = Profile(
    name="compatible",
    base_url="http://127.0.0.1:11434/v1",
    output_limit="max_tokens",  # the one every local server takes
    reasoning_effort=False,
    verbosity=False,
    prompt_cache_key=False,
    service_tier=False,
    sampling_while_reasoning=True,
)
"""Ollama, vLLM, llama.cpp. For a gateway to OpenAI take `openai` with the gateway's URL."""

PROFILES: Mapping[str, Profile] = MappingProxyType(
    {profile.name: profile for profile in (OPENAI, OXEN, MODELSTREAM, COMPATIBLE)}
)


def named(name: str, *, base_url: str | None = None, model_ids: Mapping[str, str] | None = None) -> Profile:
    """The profile called `name`, at another URL or with more model names where configured.

    Raises:
        Invalid: no such profile, or a URL that is not plain http(s) or carries a password.
    """
    profile = PROFILES.get(name)
    if profile is None:
        raise Invalid(f"No provider is called {name[:40]!r}; there are {', '.join(PROFILES)}.")
    if base_url is not None:
        profile = dataclasses.replace(profile, base_url=_checked(base_url))
    if model_ids:
        merged = MappingProxyType({**profile.model_ids, **model_ids})
        profile = dataclasses.replace(profile, model_ids=merged)
    return profile


def _checked(base_url: str) -> str:
    """The URL without its trailing slash.

    Raises:
        Invalid: as in `named`. The text never shows the URL: it may hold a secret.
    """
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # a port that is no number, brackets that do not close
        usable = False
    if not usable:
        raise Invalid("The provider's URL must look like https://host/v1.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise Invalid(
            "The provider's URL must hold no user, password, query or fragment; the key has its own setting."
        )
    return base_url.rstrip("/")
