"""What may go wrong at the simulated REST API: refusals, answers that are late, lost or cut off.

The dangerous ones are those after the deed: the call is placed, but the client never learns of it.
``done`` makes a fault one of these.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import attrs

Reply: TypeAlias = tuple[int, dict[str, Any]]

OPERATIONS = frozenset({"create", "fetch", "list", "update", "message", "numbers", "number", "set number"})
OPERATIONS |= {"application", "alerts"}
"""What a fault can be planted on. ``update`` is also how a call is hung up."""


class RestError(Exception):
    def __init__(self, status: int, code: int, text: str) -> None:
        super().__init__(status, code, text)
        self.reply: Reply = (
            status,
            {
                "code": code,
                "message": text,
                "more_info": f"https://www.twilio.com/docs/errors/{code}",
                "status": status,
            },
        )


def too_many_requests() -> RestError:
    """More API requests at once than the account may make; nothing was done."""
    return RestError(429, 20429, "Too Many Requests")


def unavailable() -> RestError:
    """Twilio's own trouble; a proxy's 503 may well come although the deed was done."""
    return RestError(503, 20503, "Service unavailable")


def not_found() -> RestError:
    return RestError(404, 20404, "The requested resource was not found")


@attrs.frozen(kw_only=True)
class RestFault:
    """What goes wrong with some requests.

    Raises:
        ValueError: no such operation.
    """

    on: str = ""
    """One of ``OPERATIONS``; empty: any request."""
    to: str = ""
    """Only what concerns calls to this number."""
    times: float = 1
    """How many requests it meets; ``math.inf`` is all of them."""
    done: bool = False
    """What was asked is done all the same."""
    refuse: RestError | None = None
    """This is the answer."""
    retry_after_s: int | None = None
    """The answer's ``Retry-After`` header."""
    delay_s: float = 0.0
    """The answer comes this much later; what was asked is done, and done at once."""
    hang: bool = False
    """The answer never comes; the connection stays open."""
    reset: bool = False
    """Instead of an answer the connection is reset."""

    def __attrs_post_init__(self) -> None:
        if self.on and self.on not in OPERATIONS:
            raise ValueError(f"no operation {self.on!r}; there are {', '.join(sorted(OPERATIONS))}")

    @property
    def spares_the_deed(self) -> bool:
        """Whether what was asked is done."""
        return self.done or not (self.refuse or self.hang or self.reset)


@attrs.define
class RestFaults:
    """Faults that are still to come, oldest first."""

    waiting: list[RestFault] = attrs.field(factory=list)

    def plant(self, **how: Any) -> None:
        """Plant one; see ``RestFault``."""
        self.waiting.append(RestFault(**how))

    def take(self, operation: str, number: str) -> RestFault | None:
        """The fault that this request meets, if any."""
        for at, fault in enumerate(self.waiting):
            if fault.on in ("", operation) and fault.to in ("", number):
                if fault.times > 1:
                    self.waiting[at] = attrs.evolve(fault, times=fault.times - 1)
                else:
                    del self.waiting[at]
                return fault
        return None
