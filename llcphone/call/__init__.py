"""One call's tasks: they wait, the engine decides.

``run.py`` is the nursery; ``phone_leg.py``, ``model_leg.py`` and ``deadlines.py`` are its three
standing tasks, ``tools.py`` runs one task per tool. Nothing here knows other calls.
"""
