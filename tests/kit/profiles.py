"""Hypothesis profiles: a fast one for every run, and `HYPOTHESIS_PROFILE=nightly` with 10,000 examples."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

settings.register_profile("fast", max_examples=30, deadline=None, database=None, suppress_health_check=_SLOW)
settings.register_profile("nightly", max_examples=10_000, deadline=None, suppress_health_check=_SLOW)


def load_profile() -> None:
    """Load the profile that the environment names; the fast one otherwise."""
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


load_profile()
