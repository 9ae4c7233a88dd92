"""What an installation chooses, and where it says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from service.settings import MOST_TOKENS, Settings


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("UNABRIDGED_PROVIDER", "UNABRIDGED_PROVIDER_URL", "UNABRIDGED_PROVIDER_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_settings_of_others_in_the_environment_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many hosts set `DATABASE_URL`, and many programs `DEBUG` or `MODEL`."""
    monkeypatch.setenv("UNABRIDGED_DATA", str(tmp_path))
    usual = Settings()
    for name in Settings.model_fields:
        monkeypatch.setenv(name.upper(), "harbour")
        monkeypatch.setenv(name, "harbour")
    assert Settings() == usual


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "unabridged.toml").write_text('model = "gpt-5.4"\nplan_seconds = 60\n')
    monkeypatch.setenv("unabridged_model", "gpt-5.5")  # the case of a name does not matter
    chosen = Settings()
    assert (chosen.model, chosen.plan_seconds) == ("gpt-5.5", 60)


def test_openais_names_are_read_behind_the_products_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-theirs")
    theirs = Settings()
    assert (theirs.provider, theirs.provider_url) == ("openai", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("UNABRIDGED_PROVIDER_KEY", "sk-ours")
    ours = Settings().provider_key
    assert ours is not None
    assert ours.get_secret_value() == "sk-ours"


@pytest.mark.parametrize(
    ("said", "band"),
    [("5%", 0.05), (" 2.5 % ", 0.025), ("0.1", 0.1), ("0", 0), ("1", 1), ("12000", 12_000)],
)
def test_a_guard_band_is_a_share_or_tokens(said: str, band: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNABRIDGED_GUARD_BAND", said)
    assert Settings().guard_band == pytest.approx(band)


@pytest.mark.parametrize(
    "said", ["-1", "1.5", "nan", "inf", "%", "five", "100%", "200 %", str(MOST_TOKENS + 1)]
)
def test_what_is_no_guard_band(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNABRIDGED_GUARD_BAND", said)
    with pytest.raises(ValidationError):
        Settings()
