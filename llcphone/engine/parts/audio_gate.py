"""Decides whether the caller's frames go to the model; decided once per change, not once per frame.

The gate is closed until the stream has started and the session is configured, and while the greeting
guard is on. The guard keeps a caller's "hello?" from cutting the greeting: it ends when ``guard_ms`` of
the greeting was heard. Frames are counted in every case. With opening ``listen``, frames that come before
the session is ready are kept and sent when it is; with ``greet`` the guard would have dropped them.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llcphone.engine.call_setup import CallLimits

_LOST_FRAMES = 1500
"""Frames kept while a lost session is being replaced: 30 s."""


class AudioGate:
    """The gate between the phone leg and the model leg."""

    def __init__(self, limits: CallLimits, *, greets: bool) -> None:
        self._greets = greets and limits.greeting_guard_ms > 0
        self._guard_ms = limits.greeting_guard_ms
        self._guard_max_ms = limits.greeting_guard_max_ms
        most = max(1, limits.early_audio_ms // 20)
        self._early: deque[bytes] | None = None if greets else deque(maxlen=most)
        self._started = False
        self._ready = False
        self.open = False
        """True: a frame goes straight to the model."""
        self.guarding = False
        self.guard_ends_ms: int | None = None
        """Latest end of the guard, whatever the marks say."""
        self.held_back = 0
        """Frames that were counted but not sent."""
        self._muted = False

    def keep(self, payload: bytes) -> None:
        """A frame that came while the gate is closed."""
        early = self._early
        if early is not None and not self._ready:
            if len(early) == early.maxlen:
                self.held_back += 1  # the oldest falls out
            early.append(payload)
        else:
            self.held_back += 1

    def stream_started(self, now_ms: int) -> list[bytes]:
        """The media stream is up."""
        self._started = True
        return self._reconsider(now_ms)

    def session_ready(self, now_ms: int) -> list[bytes]:
        """The session is configured; returns frames kept for it."""
        self._ready = True
        return self._reconsider(now_ms)

    def session_lost(self) -> None:
        """The session is gone: keep what the caller says for the next one."""
        self._ready = self.open = self.guarding = False
        self.guard_ends_ms = None
        if self._started:  # the guard is for the first seconds only
            self._greets = False
            self._early = deque(maxlen=_LOST_FRAMES)

    def close(self) -> None:
        """From now on no frame reaches the model."""
        self.open = self.guarding = False
        self._started = False

    def mute(self, muted: bool) -> None:
        """Hold frames back while the agent begins to speak, or no longer; the guard goes before."""
        if muted is self._muted:
            return
        self._muted = muted
        if muted:
            self.open = False
        else:
            self.open = self._started and self._ready and not self.guarding

    def greeting_heard(self, heard_ms: int, *, over: bool, now_ms: int) -> bool:
        """Look at the guard again; True when it has just ended.

        ``over``: the greeting was heard to its end, failed, or will not come.
        """
        if not self.guarding:
            return False
        late = self.guard_ends_ms is not None and now_ms >= self.guard_ends_ms
        if heard_ms >= self._guard_ms or over or late:
            self.guarding = False
            self.guard_ends_ms = None
            self.open = not self._muted
            return True
        return False

    def guard_check_ms(self, heard_ms: int, now_ms: int) -> int | None:
        """When the guard may end if the greeting plays on without a pause."""
        if not self.guarding or self.guard_ends_ms is None:
            return None
        return min(self.guard_ends_ms, now_ms + max(1, self._guard_ms - heard_ms))

    def _reconsider(self, now_ms: int) -> list[bytes]:
        if not (self._started and self._ready) or self.open:
            return []
        if self._greets:
            self.guarding = True
            self.guard_ends_ms = now_ms + self._guard_max_ms
            return []
        self.open = not self._muted
        kept, self._early = self._early, None
        return list(kept or ())
