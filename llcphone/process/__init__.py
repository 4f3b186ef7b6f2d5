"""The server as a process: how it is identified, stopped and started, and what a restart does.

Modules:

    pidfile      which process serves, and whether that is still so
    supervisors  what keeps it running (systemd, pm2, docker), and the commands for that
    terminate    waiting for a process to end; TERM, then KILL
    start        start and verify; stop: stop; status: what runs
    notify       what ``serve`` does for all this: systemd's notifications, the last alarm
    units        unit files for systemd and pm2
    init         ``llcphone init``
"""
