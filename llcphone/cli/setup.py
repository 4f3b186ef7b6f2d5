"""``llcphone init``: the first settings."""

from __future__ import annotations

import getpass
import sys

from llcphone import settings
from llcphone.cli.options import ConfigPath
from llcphone.process.setup import run_init


def init(*, config: ConfigPath = None, force: bool = False) -> None:
    """Ask the few things that are needed, and write llcphone.toml and .env.

    Args:
        force: write the settings file anew though there is one.
    """

    def ask(question: str, secret: bool) -> str:
        return getpass.getpass(question) if secret and sys.stdin.isatty() else input(question)

    sys.exit(run_init(config or settings.DEFAULT_FILE, ask=ask, tell=print, force=force))
