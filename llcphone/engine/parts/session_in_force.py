"""What a session is configured with: the opening settings, and later updates that the server has not
refused.

Every session of a call is set up with these settings. So a refused update must be taken out: with it, the
server would refuse the next session whole, and the call would end. An update counts from when it is sent;
a refusal takes it back. A server answers updates in order. It names the refused one by its event id; if
it names none, it is the oldest without an answer. An update that no session has confirmed is *unproven*:
if a set-up is refused, the engine asks again without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from llcphone.realtime.dialects import ErrorKind, error_kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.realtime.events import ModelError


@attrs.define(eq=False)
class _Later:
    name: str
    fields: Mapping[str, Any]
    event_id: str = ""
    """Of the ``session.update`` that last carried it to a session."""
    proven: bool = False


class SessionInForce:
    """The settings of one call's sessions."""

    def __init__(self, opening: Mapping[str, Any]) -> None:
        self._opening = opening
        self._later: list[_Later] = []
        self._waiting: list[str] = []
        """Updates of the present session that it has not answered, by event id."""

    @property
    def session(self) -> Mapping[str, Any]:
        """What a session is set up with."""
        fields = dict(self._opening)
        for each in self._later:
            fields |= each.fields
        return fields

    def sent(self, name: str, fields: Mapping[str, Any], event_id: str) -> None:
        """A later update is in force; ``event_id`` is empty when it only will be sent, with a set-up."""
        self._later.append(_Later(name, fields, event_id))
        if event_id:
            self._waiting.append(event_id)

    def sent_again(self, fields: Mapping[str, Any], event_id: str) -> None:
        """Later updates, or what of them differs, were sent to a session that stood by meanwhile."""
        for each in self._later:
            if not each.fields.keys().isdisjoint(fields):
                each.event_id, each.proven = event_id, False
        self._waiting.append(event_id)

    def begins(self) -> None:
        """Another session: what an older one has not answered, it never will."""
        self._waiting.clear()

    def set_up(self) -> None:
        """A session has taken all that is in force."""
        for each in self._later:
            each.proven = True

    def taken(self) -> None:
        """The session has taken the oldest update that waits."""
        if self._waiting:
            event_id = self._waiting.pop(0)
            for each in self._later:
                each.proven = each.proven or each.event_id == event_id

    def refused(self, error: ModelError) -> str:
        """Take back what this error refuses; returns its name, empty if it refuses no later update."""
        if error_kind(error) is ErrorKind.FATAL:
            return ""  # the account or the model, whichever event it answers
        event_id = error.event_id
        if not event_id and error_kind(error) is ErrorKind.SETUP and self._waiting:
            event_id = self._waiting[0]
        if event_id not in self._waiting:
            return ""
        self._waiting.remove(event_id)
        return self._take_back(
            [each for each in self._later if each.event_id == event_id and not each.proven]
        )

    def doubted(self) -> str:
        """A set-up was refused: take back what is unproven, else all later updates; returns their names."""
        return self._take_back([each for each in self._later if not each.proven] or list(self._later))

    def _take_back(self, refused: list[_Later]) -> str:
        self._later = [each for each in self._later if each not in refused]
        return ", ".join(each.name for each in refused)
