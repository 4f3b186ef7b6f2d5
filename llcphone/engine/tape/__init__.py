"""A call's tape: what the engine was given and what it decided, written and replayed."""
