"""Settings of [store]: the database of what outlives a call."""

from __future__ import annotations

from attrs import frozen

from llcphone.config.fields import Section, between, setting

DEFAULT_FILE = "phone.db"
"""What `llcphone serve` keeps its store in when no other place is set: beside llcphone.toml."""


@frozen(kw_only=True)
class StoreConfig(Section):
    """[store]: the database of calls, messages, customers and appointments."""

    enabled: bool = setting(True)
    """Whether there is a store. A program of yours must also set `store.url`."""
    url: str = setting("", secret=True)
    """SQLAlchemy address; "": phone.db beside llcphone.toml for `llcphone serve`, else no store."""
    lookup_url: str = setting("", secret=True, advanced=True)
    """The same database for look-ups, with a role that may only read; "": `store.url`, used read-only."""
    timeout_s: float = setting(2.0, between(0.1, 60.0), advanced=True)
    """Longest query. Then the model receives that the records cannot be reached."""
    threads: int = setting(4, between(1, 64), advanced=True)
    """Most look-ups, and most changes, at the same time. Each holds a connection; the writer and the deletion
    hold one more each."""
    keep_days: float = setting(365.0, between(0.0, 36_500.0))
    """How long a call is kept, with its messages and notes; 0: for ever."""
    transcript_days: float = setting(30.0, between(0.0, 36_500.0))
    """How long transcripts are kept if `records.transcript` is on; 0: as long as their call."""
