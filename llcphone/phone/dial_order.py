"""What Twilio is asked to do for an outbound call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llcphone.carrier.orders import Amd, DialOrder

if TYPE_CHECKING:
    from llcphone.call.call import Call
    from llcphone.config import Config


def dial_order(config: Config, call: Call, time_limit_s: int) -> DialOrder:
    """The order for this call; Twilio ends it after so long."""
    outbound, public_url = config.outbound, config.server.public_url
    amd = None
    if outbound.amd != "off" and not call.first_digits:  # they turn detection off
        callback = f"{public_url}/amd/{call.status_token}" if outbound.amd == "async" else ""
        # Only a message needs the end of the machine's greeting, and the beep.
        to_the_end = outbound.machine == "leave_message"
        amd = Amd(outbound.amd, outbound.amd_timeout_s, callback, message_end=to_the_end)
    synchronous = amd is not None and amd.kind == "sync"
    return DialOrder(
        to=call.dialled,
        from_=call.caller,
        # Synchronous detection reports its verdict with the TwiML request only.
        twiml=None if synchronous else call.twiml,
        url=f"{public_url}/twiml/{call.status_token}" if synchronous else None,
        status_callback=f"{public_url}/status/{call.status_token}",
        amd=amd,
        ring_timeout_s=call.ring_timeout_s or outbound.ring_timeout_s,
        time_limit_s=time_limit_s,
        send_digits=call.first_digits or None,
    )
