"""Settings of [calendar]: a CalDAV calendar for appointments and busy times."""

from __future__ import annotations

from attrs import frozen

from llcphone.config.addresses import WEB_ADDRESS_OR_EMPTY
from llcphone.config.fields import Section, setting
from llcphone.errors import ConfigError


@frozen(kw_only=True)
class CalendarConfig(Section):
    """[calendar]: a CalDAV calendar. Appointments are written to it, and its events are busy times."""

    url: str = setting("", WEB_ADDRESS_OR_EMPTY, private=True)
    """Address of the calendar itself; "": none. It needs llcphone[calendar]."""
    user: str = setting("", private=True)
    """User name at the CalDAV server."""
    password: str = setting("", secret=True)
    """Password of that user."""
    name: str = setting("main", advanced=True)
    """The store's calendar that this one stands for."""

    def check_together(self) -> None:
        """A password needs a user."""
        if self.password and not self.user:
            raise ConfigError("calendar.user", "is not set, but calendar.password is", "set it")
