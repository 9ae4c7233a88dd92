"""What looking at an installation brought to light."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        check: its name.
        state: `warn` is worth knowing, with `fail` something does not work.
        detail: in a sentence.
        do: what to do next; empty where nothing has to be done, or the detail says it.
    """

    check: str
    state: State
    detail: str
    do: str = ""

    def as_dict(self) -> dict[str, str]:
        """JSON-ready."""
        return asdict(self)
