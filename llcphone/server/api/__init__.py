"""The HTTP API: routes, models, errors."""
