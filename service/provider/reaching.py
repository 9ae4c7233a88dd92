"""Ask a provider for its list of models: whether it can be reached, and takes the key. Never a paid call."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from service.provider.profiles import Profile

MAX_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Reached:
    """What came of asking.

    Attributes:
        status: HTTP's; None where no answer came.
        models: the names that are listed; None where the answer is no list.
        because: why no answer came, in a few words.
    """

    status: int | None
    models: frozenset[str] | None = None
    because: str = ""


def reach(profile: Profile, key: str | None, *, seconds: float) -> Reached:
    """Ask `GET /models`, once and for at most so many seconds; redirects are not followed.

    Neither the key nor the answer's words are in what is returned. The environment (proxies, .netrc) is not
    read, as for a question.
    """
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    ends = time.monotonic() + seconds
    try:
        with (
            httpx.Client(timeout=seconds, trust_env=False) as client,
            client.stream("GET", f"{profile.base_url}/models", headers=headers) as response,
        ):
            listed = _listed(response, ends) if response.status_code == HTTPStatus.OK else None
            return Reached(response.status_code, listed)
    except httpx.TimeoutException:
        return Reached(None, because=f"no answer within {seconds:g} seconds")
    except httpx.ConnectError:
        return Reached(None, because="no connection comes about")
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeEncodeError):
        return Reached(None, because="the connection breaks, or it is no HTTP that answers")


def _listed(response: httpx.Response, ends: float) -> frozenset[str] | None:
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > MAX_BYTES or time.monotonic() > ends:
            return None
    try:
        said: Any = json.loads(bytes(content))
    except (ValueError, RecursionError):
        return None
    models = said.get("data") if isinstance(said, dict) else None
    if not isinstance(models, list):
        return None
    return frozenset(str(one["id"]) for one in models if isinstance(one, dict) and "id" in one)
