"""What outlives a call. For now: its record, as one JSON line."""
