"""``llcphone certify``: asks a live account the questions that documentation leaves open.

docs/reliability.md lists them. Each one is a `Question`: what is asked, in bounded steps over real sessions
and calls; which answers are possible; which settings each of them decides; and the most that it costs.

    question   what a question is, and what the vendors may charge; answer   what it finds
    plan       which questions are asked, and what a person is told before
    talk       one session of the model: all that is said is recorded
    speech     the caller's recorded speech, sent as a telephone sends it
    formats, turns, memory, lifetime    the questions to the model
    run        asks them in their order, and writes the report after each
    results, report, compare            what was found, and what changed since the last report
    fixtures   the recorded events, with personal details replaced
"""
