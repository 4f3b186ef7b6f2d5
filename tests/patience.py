"""Limits of tests in real time, which never judge how fast a busy machine is."""

from __future__ import annotations

HANG_S = 300.0
"""So long a test waits for what must come: the limit ends a test that hangs, and nothing else."""
START_S = 120.0
"""So long a process may take to start."""
