"""One call's tasks: they wait, the engine decides.

``run.py`` is the nursery and keeps the deadlines; ``phone_leg.py`` and ``model_leg.py`` are its other
standing tasks, ``tools.py`` runs one task per tool. Nothing here knows other calls.
"""
