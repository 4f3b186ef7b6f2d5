"""``python -m llcphone`` is the ``llcphone`` command."""

from llcphone.cli import main

main()
