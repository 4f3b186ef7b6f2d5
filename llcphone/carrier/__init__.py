"""Twilio's REST API on Trio: dial, hang up, look up, numbers, text messages.

``orders`` are the values and errors that cross this room's border, ``http`` carries the requests of
the official ``twilio`` package, ``rest`` says which of them may be repeated.
"""
