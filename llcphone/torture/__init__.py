"""``llcphone torture``: the calls that break bridges, held against any bridge, with a score.

A bridge is a program that joins Twilio Media Streams to the OpenAI Realtime API. It is started as a process
of its own between the two simulators of ``llcphone.sim``, once for each trial, and judged by what the
simulated caller's ear heard, what the simulated model was told and what the process kept open. Nothing here
knows llcphone: it is tested like every other bridge. Modules:

    profile    how a bridge is started, and what it can be asked for
    bridge     the process, and what it has open
    rig        both vendors around one bridge; what a caller does and hears
    sounds     tones that say which words were heard, through any codec
    judge      a verdict with its figures
    trials     the registry; trials_*: the trials themselves
    run        all of them, several at a time
    report     the table and the JSON

The trials repeat measurements made of other bridges (docs/vendor-facts.md, Other bridges). All times are
those at which the caller hears something.
"""
