"""Look at what the service runs on: its Python, and the packages it is built from."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from service.domain.findings import Finding

OLDEST = (3, 11)


def check_python(found: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """Say whether this Python will do."""
    said = f"Python {'.'.join(map(str, found))} on {platform.system()} {platform.machine()}"
    if found[:2] < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return Finding("python", "fail", f"{said} is too old.", f"Install Python {oldest} or newer.")
    return Finding("python", "ok", f"{said}.")


def check_packages() -> Finding:
    """Say whether every package is there that this version needs, in a version that it takes."""
    try:
        return held_against(requires("unabridged") or (), installed)
    except PackageNotFoundError:
        return Finding(
            "packages",
            "warn",
            "unabridged itself is not installed, so nothing says which packages it needs.",
            "Install it: pip install .",
        )


def held_against(requirements: Iterable[str], found: Callable[[str], str | None]) -> Finding:
    """Hold requirements against what is installed.

    Args:
        requirements: as package metadata has them; those of extras, and of other platforms, are passed over.
        found: returns a package's version, or None where it is not there.
    """
    needed = [one for one in map(Requirement, requirements) if one.marker is None or _holds(one)]
    wrong = [said for one in needed if (said := _wrong(one, found(one.name)))]
    if wrong:
        do = "Install it anew, in an environment of its own: pip install --force-reinstall unabridged"
        return Finding("packages", "fail", f"{'; '.join(wrong)}.", do)
    return Finding("packages", "ok", f"All {len(needed)} packages are there, in versions that fit.")


def installed(name: str) -> str | None:
    """Return a package's version; None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _holds(one: Requirement) -> bool:
    return one.marker is not None and one.marker.evaluate({"extra": ""})


def _wrong(one: Requirement, found: str | None) -> str:
    if found is None:
        return f"{one.name} is missing"
    fits = one.specifier.contains(found, prereleases=True)
    return "" if fits else f"{one.name} is {found}, and has to be {one.specifier}"
