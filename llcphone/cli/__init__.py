"""The ``llcphone`` command: everything a person runs. Start at ``entry.py``."""


def main() -> None:
    """Run the command line."""
    from llcphone.cli.entry import main as run

    run()
