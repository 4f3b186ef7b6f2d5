"""Callers who leave their agent: for a colleague, for voicemail, and back again.

A call's run ends with its media stream, but the telephone call may continue. Every document that joins a
call to us contains ``<Connect action>``, so Twilio requests the next document as soon as we close the stream.
Our answer transfers the caller. That needs no REST request, and a ``stop`` need not be told apart from a
hang-up: if the caller hangs up during the good-bye, Twilio says so in its request.

    registry        which caller was sent where
    requests        what calls ask for
    messages        text messages out of a call
    warm_transfer   the agent speaks to the colleague while the caller hears music
    webhooks        Twilio's further requests: not answered, whispered, recorded, back again
    transfers       callers who leave, and Twilio's first question
    recordings      notifications of voicemail and recorded calls

Our addresses contain in their path what is needed to answer (run number, destination), so that another
process can answer, too. What only improves the answer (the summary, the colleague's words) is in memory.
"""
