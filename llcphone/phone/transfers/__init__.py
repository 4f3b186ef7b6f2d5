"""Callers who leave their agent: for a colleague, for voicemail, and back again.

A call's run ends when its media stream does; the telephone call need not. Every document that joins a
call to us says ``<Connect action>``, so Twilio asks what next as soon as we close the stream: whoever is
to be transferred is transferred by our answer. No REST request is needed for that, and no ``stop`` has to
be told apart from a hang-up: who hangs up during the good-bye has hung up, and Twilio says so when it asks.

    switchboard   what calls ask for, what is known of those who left (``Transfer``), Twilio's first question
    answers       Twilio's further questions: nobody answered, whispered, recorded, back again
    briefing      warm transfers: the agent that speaks to the colleague while the caller hears music
    recordings    who is told where voicemail and recorded calls are

What an address of ours must know to answer stands in its path (generation, destination), so that another
process can answer too; what only makes the answer better (the summary, the colleague's words) is in memory.
"""

from llcphone.phone.transfers.recordings import Recording as Recording
from llcphone.phone.transfers.transfers import Transfers as Transfers
