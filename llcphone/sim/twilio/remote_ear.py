"""The ear of a caller who is somebody outside: a mark is echoed when they say that they have heard it.

Where audio stands on the call's time is first reckoned as for any caller: played as it arrives, in real time.
A mark that is heard later than reckoned moves what was played since the one before it. So ``write_wav`` is
what was really heard, whatever the way to the ear cost.
"""

from __future__ import annotations

import attrs

from llcphone.sim.twilio.playout import Playout, Span

_CUT = -1
"""When a mark is due whose audio was cut away."""


@attrs.define
class RemoteEar(Playout):
    """What has been sent to the ear outside, and what it has confirmed."""

    _known: int = 0
    """Up to here the reckoning was confirmed, or the buffer was empty."""
    _confirmed: list[str] = attrs.field(factory=list)

    def play(self, audio: bytes, now: int) -> bool:
        """See ``Playout.play``."""
        self._known = max(self._known, now) if self.free_at < now else self._known
        return super().play(audio, now)

    def clear(self, now: int) -> None:
        """Empty the buffer; the ear confirms the pending marks, as it drops them."""
        self._cut(now)
        self._marks = type(self._marks)((_CUT, name) for _, name in self._marks)

    def stop(self, now: int) -> None:
        """See ``Playout.stop``."""
        self._confirmed.clear()
        super().stop(now)

    def confirm(self, name: str, now: int) -> bool:
        """The ear has heard a mark; False if it was not waited for."""
        for at, waiting in self._marks:
            if waiting == name:
                self._marks.remove((at, name))
                self._confirmed.append(name)
                if at != _CUT:
                    self._delay(max(0, now - at), min(at, self._known))
                    self._known = max(at, now)
                return True
        return False

    def due_marks(self, now: int) -> list[str]:
        """Takes out the marks that were confirmed."""
        names, self._confirmed = self._confirmed, []
        return names

    @property
    def next_mark_at(self) -> int | None:
        """Unknown: ``confirm`` says it."""
        return None

    @property
    def pending_marks(self) -> int:
        return len(self._marks) + len(self._confirmed)

    def _delay(self, lag: int, since: int) -> None:
        """What was to be heard from ``since`` on is heard so much later."""
        if not lag:
            return
        index = len(self.spans)
        while index and self.spans[index - 1].end > since:
            index -= 1
        if index < len(self.spans) and (first := self.spans[index]).start < since:
            head = since - first.start
            rest = Span(since, first.length - head, first.voiced, first.audio[head:])
            first.length, first.audio = head, first.audio[:head]
            index += 1
            self.spans.insert(index, rest)
        for span in self.spans[index:]:
            span.start += lag
        self.free_at += lag
        self._marks = type(self._marks)((at if at == _CUT else at + lag, name) for at, name in self._marks)
