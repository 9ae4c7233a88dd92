"""The settings: read once by an entry point, from the environment and `unabridged.toml`, then handed on."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal, Self

import platformdirs
from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from service.errors import Invalid

FILE = "unabridged.toml"

MOST_TOKENS = 10_000_000
_NO_BAND = "a share below 1, or whole tokens"
_NUMBER = re.compile(r"\d{1,3}(\.\d+)?")
_OURS = ("unabridged_", "openai_")
"""How names begin in the environment that are meant for this product, case aside."""

ProviderName = Literal["openai", "oxen", "modelstream", "compatible", "offline"]


def _aliases(name: str, *more: str) -> AliasChoices:
    return AliasChoices(f"UNABRIDGED_{name.upper()}", name, *more)


def _share(value: object) -> object:
    """Return a share that is said in per cent as a number; everything else as it is.

    Raises:
        ValueError: it is the whole or more, which as a number would be tokens.
    """
    said = value.strip() if isinstance(value, str) else ""
    number = said[:-1].strip()
    if not said.endswith("%") or not _NUMBER.fullmatch(number):
        return value
    if float(number) >= 100:  # noqa: PLR2004 - per cent
        raise ValueError(_NO_BAND)
    return float(number) / 100


def _whole_tokens(value: float) -> float:
    if value >= 1 and value != int(value):
        raise ValueError(_NO_BAND)
    return value


class Settings(BaseSettings):
    """What an installation can choose. Each has the environment variable `UNABRIDGED_<NAME>`."""

    model_config = SettingsConfigDict(
        frozen=True, toml_file=FILE, extra="ignore", populate_by_name=True, env_ignore_empty=True
    )

    data: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("unabridged", appauthor=False)),
        validation_alias=_aliases("data"),
        description="Folder for the database and the files.",
    )
    database_url: str = Field(
        default="",
        validation_alias=_aliases("database_url"),
        description="SQLAlchemy URL; SQLite under the data folder by default.",
    )
    blob_url: str = Field(
        default="",
        validation_alias=_aliases("blob_url"),
        description="Where files are kept; a folder under the data folder by default.",
    )
    provider: ProviderName | None = Field(
        default=None,
        validation_alias=_aliases("provider"),
        description="openai, oxen, modelstream, compatible or offline; offline without a key.",
    )
    provider_url: str | None = Field(
        default=None,
        validation_alias=_aliases("provider_url", "OPENAI_BASE_URL"),
        description="Base URL of the provider's API.",
    )
    provider_key: SecretStr | None = Field(
        default=None,
        validation_alias=_aliases("provider_key", "OPENAI_API_KEY"),
        description="The provider's API key.",
    )
    model: str = Field(
        default="gpt-5.5",
        validation_alias=_aliases("model"),
        description="The model that is asked where a request names none.",
    )
    models_file: Path | None = Field(
        default=None,
        validation_alias=_aliases("models_file"),
        description="TOML file with models (and prices) of your own, over the packaged catalog.",
    )
    guard_band: Annotated[float, BeforeValidator(_share), AfterValidator(_whole_tokens)] = Field(
        default=0.05,
        ge=0,
        le=MOST_TOKENS,
        validation_alias=_aliases("guard_band"),
        description="What counts as near below the threshold: a share of it (0.05, 5%), or from 1 on tokens.",
    )
    max_upload_bytes: int = Field(
        default=4 << 30,
        gt=0,
        validation_alias=_aliases("max_upload_bytes"),
        description="Largest upload, in bytes.",
    )
    plan_seconds: int = Field(
        default=3600,
        gt=0,
        validation_alias=_aliases("plan_seconds"),
        description="How long a plan's price is binding.",
    )
    batch_poll_seconds: float = Field(
        default=30.0,
        gt=0,
        le=3600,
        validation_alias=_aliases("batch_poll_seconds"),
        description="Seconds between the first looks at a batch; later ones are up to 20 times as far apart.",
    )
    ocr: str = Field(
        default="auto",
        pattern=r"^(?:[A-Za-z_]{3,24}(?:\+[A-Za-z_]{3,24})*)$",
        validation_alias=_aliases("ocr"),
        description="Reading scans: auto, off, or languages as Tesseract names them, such as eng+deu.",
    )
    debug: bool = Field(
        default=False,
        validation_alias=_aliases("debug"),
        description="Show where the command line failed.",
    )
    extractors: int = Field(
        default=0,
        ge=0,
        validation_alias=_aliases("extractors"),
        description="Documents read at once; 0 takes one more than there are cores.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the environment, the environment over the file.

        Of the environment, only the product's own names are read: `DEBUG` and `DATABASE_URL` are others'.
        """
        del dotenv_settings, file_secret_settings
        if isinstance(env_settings, EnvSettingsSource):
            ours = {name: said for name, said in env_settings.env_vars.items() if name.startswith(_OURS)}
            env_settings.env_vars = ours
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        data = self.data.expanduser().absolute()
        values = {
            "data": data,
            "database_url": self.database_url or f"sqlite:///{data / 'unabridged.db'}",
            "blob_url": self.blob_url or (data / "files").as_uri(),
            "provider": self.provider or self._usual_provider(),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        return self

    def _usual_provider(self) -> ProviderName:
        return "offline" if self.provider_url is None and self.provider_key is None else "openai"

    def check_data(self) -> None:
        """Make the data folder, where it is not there yet.

        Raises:
            Invalid: it cannot be made, or nothing can be written to it.
        """
        try:
            self.data.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Invalid(f"UNABRIDGED_DATA: {self.data} cannot be made a folder: {_why(error)}.") from error
        if not os.access(self.data, os.R_OK | os.W_OK | os.X_OK):
            raise Invalid(f"UNABRIDGED_DATA: the folder {self.data} cannot be written to.")

    def check_models_file(self) -> None:
        """Look whether the file with models of one's own is there.

        Raises:
            Invalid: it cannot be read, or is no text.
        """
        if self.models_file is None:
            return
        try:
            self.models_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            because = "it is no UTF-8 text" if isinstance(error, UnicodeDecodeError) else _why(error)
            raise Invalid(f"UNABRIDGED_MODELS_FILE: {self.models_file} cannot be read: {because}.") from error


def mistake(error: ValueError | OSError) -> Invalid:
    """Return what kept `Settings()` from being made: which setting it was, and what it may be."""
    if isinstance(error, ValidationError):
        return Invalid(" ".join(_wrong(one["loc"], one["msg"], one["input"]) for one in error.errors()))
    if isinstance(error, OSError):
        return Invalid(f"{FILE} cannot be read: {_why(error)}.")
    return Invalid(f"{FILE} is not TOML: {error}")


def _wrong(place: tuple[int | str, ...], message: str, given: object) -> str:
    """One setting's mistake in words; what stands where a secret belongs is not repeated."""
    said = str(place[0]) if place else "settings"
    name = next(
        (name for name in Settings.model_fields if said.casefold() in {name, f"unabridged_{name}"}), None
    )
    if name is None:
        name, said = ("provider_key", said) if "KEY" in said else ("", said)
    shown = "" if name == "provider_key" else f", not {str(given)[:40]!r}"
    in_file = f" ({name} in {FILE})" if name else ""
    return f"{said}{in_file}: {message.replace('Input should be', 'must be')}{shown}."


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
