"""Who may be dialled, and when."""
