"""What holds for every test.

Hypothesis explores by chance at a desk and repeats itself in CI: what lands is decided the same twice.
"""

from __future__ import annotations

import gc
import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


def pytest_collection_finish() -> None:
    """Many tests collect garbage to see that nothing is left: not over all modules again each time."""
    gc.collect()
    gc.freeze()
