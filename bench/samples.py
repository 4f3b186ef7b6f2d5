"""What one load asks for, and what its phones and sessions report to the measuring code.

``bench.load`` measures one fixed crowd, ``bench.churn`` callers who come and go. Phones and sessions know
neither: each is given a ``Samples``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol

import attrs

if TYPE_CHECKING:
    from bench.loop import Loop


@attrs.frozen
class Scenario:
    """What the callers and the model do."""

    calls: int
    bursts: bool = True
    """Answers of 4 s in 240 to 500 ms pieces, five times faster than speech; else endless 20 ms pieces."""
    turns: bool = True
    """The model detects turns; else it answers ``response.create`` only (the greeting)."""
    handshake_s: float = 0.0
    configure_s: float = 0.0
    think_s: float = 0.4
    ring_s: float = 0.0
    """From TwiML to the media stream."""
    ramp_s: float = 0.02
    """Between two calls' births."""
    warm_s: float = 4.5
    window_s: float = 8.0


class Session(Protocol):
    """A model session, as a load sees it."""

    deltas_at: list[float]
    """When each delta left, by its number."""
    sent_chars: int
    """Base64 characters of audio."""
    out_of_order: int
    """Caller frames that were not the next one."""

    def drop(self) -> None:
        """Break the connection."""


class Samples(ABC):
    """The load that phones and sessions belong to."""

    def __init__(self, loop: Loop, scenario: Scenario, *bridge_ports: int) -> None:
        self.loop, self.scenario, self._bridge_ports = loop, scenario, bridge_ports
        self.quiet = False
        """The window has closed: no new deltas."""
        self.model_of: dict[int, Session] = {}
        """The session of each call, once it is known."""

    def bridge_port(self, call: int) -> int:
        """Where this call rings: at each of several processes in turn."""
        return self._bridge_ports[call % len(self._bridge_ports)]

    @abstractmethod
    def session_opened(self, session: Session) -> None:
        """The bridge opened a session; whose it is shows later."""

    @abstractmethod
    def frame_arrived(self, call: int, number: int, when: float) -> None:
        """A caller's frame is at the model."""

    @abstractmethod
    def delta_arrived(self, at_call: int, call: int, number: int, when: float) -> None:
        """The last piece of a delta of a call is at the phone of ``at_call``."""

    @abstractmethod
    def call_without_frames(self) -> int:
        """The call of a session that speaks before it hears (its frames name it otherwise)."""
