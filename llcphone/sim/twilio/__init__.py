"""A simulated Twilio: calls, media streams, REST API."""

from llcphone.sim.twilio.call import CallOver, SimCall
from llcphone.sim.twilio.handset import Handset
from llcphone.sim.twilio.http import sign
from llcphone.sim.twilio.record import CallbackFaults, Callbacks, CallFaults, EndedBy, Received, Signature
from llcphone.sim.twilio.simulator import ACCOUNT_SID, NUMBER, Ring, TwilioSimulator, open_twilio
from llcphone.sim.twilio.steps import Callee, DialOutcome
from llcphone.sim.twilio.unknowns import Unknowns

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
    "Handset",
    "Received",
    "Ring",
    "Signature",
    "SimCall",
    "TwilioSimulator",
    "Unknowns",
    "open_twilio",
    "sign",
]
