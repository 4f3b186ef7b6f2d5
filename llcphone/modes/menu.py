"""The AI IVR's keys, and the recorded menu that callers get if no model is available.

The menu is joined from shipped recordings ("For sales," "press one."). A destination without a recording is
left out, but its key works. For such destinations, record a menu of your own (``ivr.menu_file``).
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from llcphone.announcements import prompt, stored
from llcphone.audio import BYTES_PER_MS, SILENCE
from llcphone.errors import ConfigError
from llcphone.modes.desk import VOICEMAIL

if TYPE_CHECKING:
    from llcphone.modes.base import House

PAUSE_MS = 5_000
"""What a caller gets to find the key, after each time the menu was said."""
SPOKEN = ("sales", "support", "billing", "scheduling", VOICEMAIL)
"""What the shipped words can name."""


def keys_of(house: House) -> dict[str, str]:
    """Key to destination, as configured, else in the order of the destinations.

    Raises:
        ConfigError: a key leads to a destination that does not exist.
    """
    transfers = house.config.transfers
    named = house.config.ivr.keys
    known = [*house.destinations, *([VOICEMAIL] if transfers.voicemail else [])]
    for name in named.values():
        if name not in known:
            raise ConfigError(
                "ivr.keys",
                f"{name}: is neither in transfers.destinations nor voicemail",
                "add it to transfers.destinations, or name another",
            )
    return dict(named) or {str(key): name for key, name in enumerate(known[:9], 1)}


def stored_menu(house: House) -> bytes:
    """The menu and the pause after it, as raw µ-law; empty: nothing of it can be said."""
    file = house.config.ivr.menu_file
    keys = {key: name for key, name in keys_of(house).items() if name in SPOKEN}
    if file:
        pieces = list(prompt(file, "", "ivr.menu_file"))
    else:
        spoken = (house.config.company.language, house.config.company.language_folder)
        pieces = [
            piece
            for key, name in sorted(keys.items())
            for piece in (*stored(f"menu_{name}", *spoken), *stored(f"menu_press_{key}", *spoken))
        ]
    said = b"".join(base64.b64decode(piece) for piece in pieces)
    return said + bytes((SILENCE,)) * (PAUSE_MS * BYTES_PER_MS) if said else b""
