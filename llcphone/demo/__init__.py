"""``llcphone demo``: whole calls over loopback, no account needed, and a verdict. Start at ``run.py``."""
