"""The parts of the engine: each keeps one fact of a call."""
