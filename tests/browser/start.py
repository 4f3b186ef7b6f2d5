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
    "--use-fake-device-for-media-stream",
)


def start_chromium(playwright: Playwright, *options: str) -> Browser:
    """Start it, with a microphone that a page may be allowed to use."""
    return playwright.chromium.launch(executable_path=PATH, args=[*_QUIET, *options])
