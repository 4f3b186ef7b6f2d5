"""Settings of [shared]: what several processes share."""

from __future__ import annotations

from attrs import frozen

from llcphone.config.addresses import NODE_ADDRESS_OR_EMPTY
from llcphone.config.fields import Section, between, setting


@frozen(kw_only=True)
class SharedConfig(Section):
    """[shared]: limits that hold over all processes of one account, on one machine or on many."""

    url: str = setting("", secret=True, advanced=True)
    """SQLAlchemy address of the database in which processes count together; "": `journal.url` if that is
    PostgreSQL, else none, and each process counts alone. SQLite serves the processes of one machine."""
    max_calls: int = setting(0, between(0, 1_000_000), advanced=True)
    """Most calls at the same time over all processes; `server.max_calls` is that of one process. The next
    caller gets the fallback. 0: no limit."""
    node_url: str = setting("", NODE_ADDRESS_OR_EMPTY, advanced=True, private=True)
    """Where other nodes reach this one without the proxy, such as http://10.0.0.5:8081. "": `server.host` and
    `server.port`. If that is all addresses (0.0.0.0), it is the address from which this machine reaches the
    database."""
    sweep: bool = setting(False, advanced=True)
    """Whether the other processes redirect the calls of a process that has died, by Twilio's REST API. Set it
    to true if Twilio leaves callers in silence after their stream has broken. Off by default, because Twilio
    asks by itself what next. It needs one journal for all processes (`journal.url`) and
    `twilio.account_sid`."""
