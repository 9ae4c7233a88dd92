"""The place that puts the worlds together."""

from __future__ import annotations

from pathlib import Path

from service.factory import account_of
from tests.support.server import settings_in


def test_accounts_are_told_apart_and_tell_nothing_of_their_keys(tmp_path: Path) -> None:
    url, key = "http://127.0.0.1:9/v1", "sk-one-0123456789"
    accounts = (
        (url, key),
        (url, "sk-two-0123456789"),
        (f"{url}/other", key),
        (url, key),
        (url, None),
    )
    told = [
        account_of(settings_in(tmp_path, provider="openai", provider_url=at, provider_key=secret))
        for at, secret in accounts
    ]
    assert len(set(told)) == 4
    assert told[0] == told[3]
    assert told[4] == ""
    assert {len(one) for one in told[:4]} == {12}
    assert not any(one in key for one in told[:4])
