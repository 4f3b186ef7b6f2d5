"""Starting Debian's Chromium (``apt-get install chromium``)."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

PATH = shutil.which("chromium")
_QUIET = (
    "--no-sandbox",  # CI runs as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


_FOR_TESTS = (
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
)
"""Playwright's own, which nobody else has: a hidden tab would be as fast as one in front."""


def start_chromium(playwright: Playwright, *options: str, microphone: bool = True) -> Browser:
    """Start it; it has a microphone that a page may be allowed to use, or none."""
    if microphone:
        options = ("--use-fake-device-for-media-stream", *options)
    return playwright.chromium.launch(
        executable_path=PATH, args=[*_QUIET, *options], ignore_default_args=[*_FOR_TESTS]
    )
