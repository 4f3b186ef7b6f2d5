"""A page in the browser: a telephone, and what happens in calls."""
