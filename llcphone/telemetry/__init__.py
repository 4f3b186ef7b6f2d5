"""Logs, metrics and traces, and what must not be in them."""
