"""What a call carries from run to run beside its conversation: the user's scratch space, and the cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from llcphone.runtime.containment import contained

if TYPE_CHECKING:
    from llcphone.call.call import Call

_LONGEST = 65_536
_SPENT = "llcphone.spent_usd"
"""What the call has cost so far, beside the user's own keys."""


def state_of(call: Call) -> str:
    """A call's state, if it is plain data of reasonable size; its cost in any case."""
    spent_usd = call.run.status.call_usd
    spent = {_SPENT: spent_usd} if spent_usd else {}
    return _as_json({**call.state, **spent}) or _as_json(spent)


def state_and_cost(text: str) -> tuple[dict[str, Any], float]:
    """The state, and what the call has cost."""
    state = msgspec.json.decode(text) if text else {}
    if not isinstance(state, dict):
        return {}, 0.0
    spent_usd = state.pop(_SPENT, 0.0)
    return state, float(spent_usd) if isinstance(spent_usd, int | float) else 0.0


def _as_json(state: dict[str, Any]) -> str:
    with contained():  # anything may be in it
        text = msgspec.json.encode(state)
        return text.decode() if 2 < len(text) <= _LONGEST else ""
    return ""
