"""Media streams: the half of the phone that knows their one-time tokens, and joins each to its call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llcphone.call.endpoint import leg_limits
from llcphone.errors import JoinRefused
from llcphone.runtime.host import need_trio
from llcphone.validation.arguments import need, need_methods
from llcphone.wire.foreign_leg import QUART, TRIO_WEBSOCKET, ForeignLeg

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llcphone.call.call import Call
    from llcphone.config import Config
    from llcphone.phone.moved_calls import MovedCalls
    from llcphone.phone.resumption import CallResumption
    from llcphone.phone.transfers import Transfers
    from llcphone.wire.leg import Leg


class MediaStreams:
    """Gives streams to calls; ``Phone`` is the other half, and lets calls begin."""

    config: Config
    moved_calls: MovedCalls
    """Calls whose stream is followed by another."""
    transfers: Transfers
    resumption: CallResumption | None
    if TYPE_CHECKING:
        _by_token: dict[str, Call]

        def newest_run(self, call_sid: str) -> Call | None: ...

    def expects(self, token: str) -> bool:
        """Whether this one-time token is still good."""
        call = self._by_token.get(token)
        return self.moved_calls.expects(token) if call is None else not call.run.over

    def join(self, token: str, leg: Leg) -> None:
        """Hand a media stream's leg to the call that waits for it. Synchronous.

        The taker closes the leg; when this raises, the giver keeps it.

        Raises:
            JoinRefused: no call waits for this token.
        """
        need(token, str, "join: token", "the last part of the stream's path")
        self.moved_calls.take_over(token)
        call = self._by_token.pop(token, None)
        if call is None:
            raise JoinRefused("no call waits for this media stream")
        call.run.join(leg)

    async def serve_leg(self, websocket: Any, token: str | None = None) -> None:
        """Serve a foreign socket in its handler's task; returns when the call has ended.

        Args:
            websocket: quart's ``websocket`` or a trio-websocket connection, already accepted.
            token: the one-time token; None takes the last segment of the socket's own path.

        Raises:
            JoinRefused: no call waits for this token.
        """
        need_trio("serve_leg")
        websocket = getattr(websocket, "_get_current_object", lambda: websocket)()  # quart's is a proxy
        methods = TRIO_WEBSOCKET if hasattr(websocket, TRIO_WEBSOCKET[0]) else QUART
        fix = "quart's websocket, or a connection of trio-websocket"
        need_methods(websocket, methods, "serve_leg: websocket", fix)
        if token is None:
            token = str(websocket.path).partition("?")[0].rpartition("/")[2]
        leg = ForeignLeg(websocket, limits=leg_limits(self.config))
        self.join(token, leg)
        await leg.pump()

    # -- while another process has taken the port ------------------------------------------------

    def has_call(self, call_sid: str) -> bool:
        """Whether this process has this telephone call, or had its stream a moment ago."""
        return self.newest_run(call_sid) is not None or self.moved_calls.remembers(call_sid)

    async def let_go(self, form: Mapping[str, str], generation: int) -> bool:
        """The stream of this generation has ended, and the process that follows this one is asked what next.

        Returns:
            Whether it may answer by the journal, which has all that is known here; else we answer.
        """
        call_sid = form.get("CallSid", "")
        if self.transfers.has_left(call_sid, generation):
            return False
        if self.resumption is None:
            return not self.has_call(call_sid)
        return await self.resumption.let_go(form, generation)
