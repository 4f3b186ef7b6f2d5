"""Starting Debian's Chromium (``apt-get install chromium chromium-headless-shell``).

The shell is Chromium without windows: its pages, sound and sockets are the same, and it needs half of the
processor's time.
It has no microphone, asks for no permission, and hides no tab behind another one.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

CHROMIUM = shutil.which("chromium")
SHELL = shutil.which("chromium-headless-shell") or CHROMIUM
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


def start_shell(playwright: Playwright) -> Browser:
    """Start the shell, or Chromium where there is none."""
    return _start(playwright, SHELL)


def start_chromium(playwright: Playwright, *options: str, microphone: bool = True) -> Browser:
    """Start Chromium; it has a microphone that a page may be allowed to use, or none."""
    if microphone:
        options = ("--use-fake-device-for-media-stream", *options)
    return _start(playwright, CHROMIUM, *options)


def _start(playwright: Playwright, path: str | None, *options: str) -> Browser:
    return playwright.chromium.launch(
        executable_path=path, args=[*_QUIET, *options], ignore_default_args=[*_FOR_TESTS]
    )
