"""What holds for every test: properties are judged by what they find, never by how fast they find it."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "shared", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=False
)
settings.load_profile("shared")
