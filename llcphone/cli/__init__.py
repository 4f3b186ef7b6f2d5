"""The ``llcphone`` command: everything a person runs. Start at ``entry.py``."""

import gc
import os
import signal
import sys


def main() -> None:
    """Run the command line; Ctrl-C is one line and 130 at any moment.

    While modules are imported and while the process ends, it leaves at once: an exception raised there may be
    swallowed, and the command would go on. In between, each command has its own way to stop.
    """
    heeds = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # else somebody ignores it for us
    try:
        if heeds:
            signal.signal(signal.SIGINT, _leave)
        from llcphone.cli.entry import load, run

        gc.disable()  # modules are no garbage: looking for it among them is a seventh of the start
        load(sys.argv[1:])
        _make_old()
        gc.enable()
        if heeds:
            signal.signal(signal.SIGINT, signal.default_int_handler)  # Trio heeds Ctrl-C in place of this one
        code = run(sys.argv[1:])
        if heeds:
            signal.signal(signal.SIGINT, _leave)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, _leave)
        print("llcphone: interrupted", file=sys.stderr)
        code = 130
    gc.freeze()  # the process ends: what it had need not be searched for garbage once more
    sys.exit(code)


def _make_old() -> None:
    """Put all objects into the oldest generation: else the collector looks at each of them twice more."""
    gc.freeze()
    gc.unfreeze()


def _leave(*_: object) -> None:
    os.write(2, b"llcphone: interrupted\n")
    os._exit(130)
