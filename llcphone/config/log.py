"""Settings of [log]: the log of the process; it never contains secrets, numbers or words of a call."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from llcphone.config.fields import Section, setting


@frozen(kw_only=True)
class LogConfig(Section):
    """[log]: the log of the process; it never contains secrets, numbers or words of a call."""

    level: Literal["debug", "info", "warning", "error"] = setting("info")
    """Lowest severity that is written."""
    format: Literal["console", "json"] = setting("console")
    """Lines for people or for programs."""
