"""A service whose provider is some server on loopback, with less patience than usual."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service import factory
from service.provider.client import HttpProvider, Retries
from service.provider.profiles import named
from service.provider.ways import Timeouts
from tests.support.server import Server, serving, settings_in

SILENCE_S = 2.0
LONGEST_S = 8.0


@contextmanager
def impatient(folder: Path, url: str, key: str, *, profile: str = "openai") -> Iterator[Server]:
    """Serve until the block ends; a silence of two seconds ends a call, and waits begin with a short one."""
    provider = HttpProvider(
        named(profile, base_url=url),
        key,
        timeouts=Timeouts(connect_s=10, first_byte_s=SILENCE_S, idle_s=SILENCE_S, total_s=LONGEST_S),
        retries=Retries(first_wait_s=0.1),
    )
    settings = settings_in(folder, provider=profile, provider_url=url, provider_key=key)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(factory, "make_provider", lambda _: provider)
        with serving(settings) as running:
            yield running
