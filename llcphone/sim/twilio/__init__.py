"""A simulated Twilio: calls, media streams, REST API."""

from llcphone.sim.twilio.simulator import (
    ACCOUNT_SID,
    NUMBER,
    CallbackFaults,
    Callbacks,
    Callee,
    CallFaults,
    CallOver,
    DialOutcome,
    EndedBy,
    Received,
    Ring,
    Signature,
    SimCall,
    TwilioSimulator,
    open_twilio,
    sign,
)

__all__ = [
    "ACCOUNT_SID",
    "NUMBER",
    "CallFaults",
    "CallOver",
    "CallbackFaults",
    "Callbacks",
    "Callee",
    "DialOutcome",
    "EndedBy",
    "Received",
    "Ring",
    "Signature",
    "SimCall",
    "TwilioSimulator",
    "open_twilio",
    "sign",
]
