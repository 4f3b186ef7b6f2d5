"""Running on Trio: other people's code contained, rationed and readable log lines, signals, time zones."""
