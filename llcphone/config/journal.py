"""The section about calls that survive their process; `config` says how sections are read."""

from __future__ import annotations

from attrs import frozen

from llcphone.config.fields import Section, between, setting

DEFAULT_URL = "sqlite:///journal.db"
"""Where `llcphone serve` keeps its journal when no other place is set."""


@frozen(kw_only=True)
class JournalConfig(Section):
    """[journal]: what is needed to go on with a call whose process or media stream has died."""

    enabled: bool = setting(True)
    """Whether calls are journalled; a program of your own has to set `journal.url` too."""
    url: str = setting("", secret=True)
    """SQLAlchemy address of the journal; "" is `sqlite:///journal.db` for `llcphone serve`, else none."""
    max_resumes: int = setting(3, between(0, 100))
    """How often one call may be resumed after a fault, then it ends; restarts do not count. 0: never."""
    keep_days: float = setting(2.0, between(0.01, 3_650.0))
    """How long a call that nobody ended is kept; what was said in one that has ended is deleted at once."""
    progress_s: float = setting(1.0, between(0.1, 60.0))
    """While the agent speaks: how much of it the caller may hear twice after a crash."""
