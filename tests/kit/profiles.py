"""Hypothesis profiles: a fast one, alike in every run, and `HYPOTHESIS_PROFILE=nightly` with 10,000 new examples."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
_NAME = os.environ.get("HYPOTHESIS_PROFILE", "fast")
NIGHTLY = _NAME == "nightly"

# Drawn alike each time, so that no change fails by what another brought in; at night they are drawn anew.
settings.register_profile("fast", max_examples=20, deadline=None, derandomize=True, suppress_health_check=_SLOW)
settings.register_profile("nightly", max_examples=10_000, deadline=None, suppress_health_check=_SLOW)
settings.load_profile(_NAME)
