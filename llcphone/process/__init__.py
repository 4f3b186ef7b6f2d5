"""The server as a process: who it is, how it is stopped and started, and what a restart does.

Rooms:

    pidfile      which process serves, and whether that is still so
    supervisors  who keeps it running (systemd, pm2, docker), and the commands for that
    ending       waiting for a process to end; TERM, then KILL
    procedure    stop, start, restart, status, step by step
    marks        what ``serve`` does for all this: pid file, systemd's notifications, the last alarm
    units        unit files for systemd and pm2
    webhook      the number's voice URL; tunnel: a public URL for a machine without one
    setup        ``llcphone init``
"""
