"""``llcphone console``: a link to the console of a server that runs."""

from __future__ import annotations

from llcphone import settings
from llcphone.cli.options import ConfigPath
from llcphone.config import SETTINGS
from llcphone.console.access import link
from llcphone.console.console import origin_of
from llcphone.errors import ConfigError


def console(*, read: bool = False, config: ConfigPath = None) -> None:
    """Print a link to the console of the server that runs here; it is good once, and for two minutes.

    The link is signed with the key of the settings; the server is not asked.

    Args:
        read: print a read-only link.
    """
    ours = settings.load(config).config.console
    name = "console.read_key" if read else "console.key"
    key = ours.read_key if read else ours.key
    if not ours.port:
        raise ConfigError(
            "console.port", "is 0: the server has no console", "set it to 8082, then llcphone restart"
        )
    if not key:
        fix = f"set {SETTINGS[name].variable} in .env to 32 random characters or more, then llcphone restart"
        raise ConfigError(name, "is not set, and links are signed with it", fix)
    print(link(origin_of(ours, ours.port), key))
