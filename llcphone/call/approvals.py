"""Tool calls that wait for a person's word: ``call.approvals``.

An onlooker (``open_phone(on_note=...)``) learns of one by the note ``approval asked``, shows what
is in ``waiting`` to somebody, and gives their word to ``answer``, at once or later, from anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import trio

from llcphone.engine.notes import ApprovalAsked

if TYPE_CHECKING:
    from collections.abc import Callable

    from llcphone.engine.note import Note
    from llcphone.tools.tool import Approval


@attrs.frozen
class ApprovalRequest:
    """One tool call that may not run yet."""

    tool_call_id: str
    name: str
    arguments: dict[str, Any] = attrs.field(repr=False)
    """Typed; they may hold what the caller said."""


@attrs.define(eq=False)
class _Question:
    request: ApprovalRequest
    answered: trio.Event = attrs.field(factory=trio.Event)
    verdict: Approval = False


class Approvals:
    """The open questions of one call."""

    def __init__(self, tell: Callable[[Note], None]) -> None:
        """Take the function that is called for a new question."""
        self._tell = tell
        self._open: dict[str, _Question] = {}

    @property
    def waiting(self) -> list[ApprovalRequest]:
        """What waits for a word, oldest first."""
        return [question.request for question in self._open.values()]

    def answer(self, tool_call_id: str, verdict: Approval) -> bool:
        """Let a tool call run, or not. Synchronous.

        Args:
            tool_call_id: the request's.
            verdict: True: it runs. False, or a reason that the model receives: it does not.

        Returns:
            Whether anybody still waited for it.
        """
        question = self._open.pop(tool_call_id, None)
        if question is None:
            return False
        question.verdict = verdict
        question.answered.set()
        return True

    async def ask(self, request: ApprovalRequest) -> Approval:
        """Wait for a verdict; the waiting task limits the time."""
        question = self._open[request.tool_call_id] = _Question(request)
        try:
            self._tell(ApprovalAsked(request.name, request.tool_call_id))
            await question.answered.wait()
        finally:
            self._open.pop(request.tool_call_id, None)
        return question.verdict
