"""The id of this process: a random word that ``/healthz`` sends if the request has a nonce.

So a client of the public URL can see whether it leads to this process, to another one, or to a cache.
"""

from __future__ import annotations

import re
import secrets

PROCESS = secrets.token_hex(8)
"""New with every process; it proves nothing else and opens nothing."""

PROBE = "doctor-probe"
"""The media stream of this token belongs to no call: a signed upgrade gets its 101, and then a Close."""

_NONCE = re.compile(r"[A-Za-z0-9]{1,64}")


def identity(nonce: str) -> dict[str, str]:
    """What ``/healthz`` adds if the request has a nonce."""
    return {"process": PROCESS, "nonce": nonce} if _NONCE.fullmatch(nonce) else {}
