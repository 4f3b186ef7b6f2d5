"""What ``/healthz`` and ``/readyz`` say, whichever port is asked.

The public listener answers them itself: a flood of other requests must not make a healthy process look
unhealthy, and the answer costs no more than a refusal.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from llcphone.runtime.host import PROCESS

if TYPE_CHECKING:
    from llcphone.phone.phone import Phone

PROBE = "doctor-probe"
"""The media stream of this token belongs to no call: a signed upgrade gets its 101, and then a Close."""
_NONCE = re.compile(r"[A-Za-z0-9]{1,64}")


def identity(nonce: str) -> dict[str, str]:
    """What ``/healthz`` adds if the request has a nonce.

    So a client of the public URL sees whether it leads to this process, to another one, or to a cache.
    """
    return {"process": PROCESS, "nonce": nonce} if _NONCE.fullmatch(nonce) else {}


def alive(phone: Phone, nonce: str = "") -> tuple[dict[str, Any], int]:
    """Whether the process should be replaced; for a nonce also the process's id."""
    reasons = phone.loop_monitor.reasons()
    return {"alive": not reasons, "reasons": reasons} | identity(nonce), 503 if reasons else 200


def ready(phone: Phone) -> tuple[dict[str, Any], int]:
    """Whether new calls are taken, or why not."""
    reasons = phone.ready()
    return {"ready": not reasons, "reasons": reasons}, 503 if reasons else 200


def health(phone: Phone, target: bytes) -> tuple[bytes, int] | None:
    """The answer as JSON, and its status; None for a target that asks something else."""
    path, _, query = target.partition(b"?")
    match path:
        case b"/healthz":
            nonce = parse_qs(query.decode("ascii")).get("nonce", [""])[0]
            said, status = alive(phone, nonce)
        case b"/readyz":
            said, status = ready(phone)
        case _:
            return None
    return json.dumps(said).encode(), status
