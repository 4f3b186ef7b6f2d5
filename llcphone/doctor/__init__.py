"""The debugging checklist as a program: ``llcphone doctor``.

Most failed calls fail because of the infrastructure: a webhook that leads elsewhere, a second listener, a
closed tunnel. So the infrastructure is checked first, and the model's session after it. Each check gathers
facts, and a plain function judges them. A finding says what was seen and how to fix it, with the command.

Modules:

    report      what a finding is, and how findings are shown
    context     what a check may look at; ``conceal`` keeps secrets out of every text
    checks      the groups of checks in their order
    settings    configuration, file modes, the last good snapshot
    start       what a start would refuse: files, addresses to listen on
    agents      who answers: loaded once, within a limit
    process     pid file, port, health, log
    machine     descriptors, clock; places: folders and disk; databases: do they answer
    public      the public URL: address, tunnel, upgrade, webhook route
    twilio      account, number, alerts
    session     key, model, dialect, session configuration
    vendors     the vendors' status pages
    fix         the safe fixes, each with a question
"""
