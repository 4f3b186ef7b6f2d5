"""The section about calls that survive their process; `config` says how sections are read."""

from __future__ import annotations

from attrs import frozen

from llcphone.config.fields import Section, between, setting

DEFAULT_URL = "sqlite:///journal.db"
"""Where `llcphone serve` keeps its journal when no other place is set."""


@frozen(kw_only=True)
class JournalConfig(Section):
    """[journal]: what is needed to resume a call after its process or media stream has died."""

    enabled: bool = setting(True)
    """Whether calls are journalled. A program of yours must also set `journal.url`."""
    url: str = setting("", secret=True)
    """SQLAlchemy address; "": `sqlite:///journal.db` for `llcphone serve`, else no journal."""
    max_resumes: int = setting(3, between(0, 100), advanced=True)
    """How often one call is resumed after a fault before it ends; 0: never. Restarts do not count. The limit
    stops a call that crashes each process."""
    keep_days: float = setting(2.0, between(0.01, 3_650.0), advanced=True)
    """How long the entry of an unfinished call is kept. The words of a finished call are deleted at once."""
