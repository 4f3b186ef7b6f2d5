"""Callers who leave their agent: for a colleague, for voicemail, and back again.

A call's run ends when its media stream does; the telephone call need not. Every document that joins a
call to us says ``<Connect action>``, so Twilio asks what next as soon as we close the stream: whoever is
to be transferred is transferred by our answer. No REST request is needed for that, and no ``stop`` has to
be told apart from a hang-up: who hangs up during the good-bye has hung up, and Twilio says so when it asks.

    registry        who was sent where
    requests        what calls ask for
    messages        text messages out of a call
    warm_transfer   the agent speaks to the colleague while the caller hears music
    webhooks        Twilio's further questions: nobody answered, whispered, recorded, back again
    transfers       callers who leave, and Twilio's first question
    recordings      who is told where voicemail and recorded calls are

What an address of ours must know to answer stands in its path (generation, destination), so that another
process can answer too; what only makes the answer better (the summary, the colleague's words) is in memory.
"""
