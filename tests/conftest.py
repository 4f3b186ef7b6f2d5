"""Hypothesis explores by chance at a desk and repeats itself in CI: what lands is decided the same twice."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")
