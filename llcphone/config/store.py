"""The sections about what outlives a call: [store] and [calendar]; `config` says how sections are read."""

from __future__ import annotations

from attrs import frozen

from llcphone.config.addresses import WEB_ADDRESS_OR_EMPTY
from llcphone.config.fields import Section, between, setting
from llcphone.errors import ConfigError

DEFAULT_FILE = "phone.db"
"""What `llcphone serve` keeps its store in when no other place is set: beside llcphone.toml."""


@frozen(kw_only=True)
class StoreConfig(Section):
    """[store]: the database of calls, messages, customers and appointments."""

    enabled: bool = setting(True)
    """Whether there is one; a program of your own has to set `store.url` too."""
    url: str = setting("", secret=True)
    """SQLAlchemy address; "" is phone.db beside llcphone.toml for `llcphone serve`, else none."""
    lookup_url: str = setting("", secret=True)
    """The same database for look-ups, with a role that may only read; "" is `store.url`, read-only too."""
    timeout_s: float = setting(2.0, between(0.1, 60.0))
    """Longest question; then the model is told that the records cannot be reached."""
    threads: int = setting(4, between(1, 64))
    """Look-ups at once; as many for changes. Each holds a connection; writer and purge hold one more each."""
    keep_days: float = setting(365.0, between(0.0, 36_500.0))
    """How long a call is kept, with its messages and notes; 0 for ever."""
    transcript_days: float = setting(30.0, between(0.0, 36_500.0))
    """How long what was said is kept, where `records.transcript` is on; 0 as long as its call."""


@frozen(kw_only=True)
class CalendarConfig(Section):
    """[calendar]: a CalDAV calendar that appointments are written to, and whose events are no free time."""

    url: str = setting("", WEB_ADDRESS_OR_EMPTY, private=True)
    """Address of the calendar itself; "" for none. Needs llcphone[calendar]."""
    user: str = setting("", private=True)
    """Who we are there."""
    password: str = setting("", secret=True)
    """And the proof."""
    timeout_s: float = setting(3.0, between(0.1, 60.0))
    """Longest question to it."""
    name: str = setting("main")
    """Which of our calendars it is."""

    def check_together(self) -> None:
        """A password for nobody is a mistake."""
        if self.password and not self.user:
            raise ConfigError("calendar.user", "is missing beside calendar.password")
