"""The ``llcphone`` command: everything a person runs. Start at ``entry.py``."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C is one line at any moment, also while the commands are imported."""
    try:
        from llcphone.cli.entry import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        print("llcphone: interrupted", file=sys.stderr)
        code = 130
    sys.exit(code)
