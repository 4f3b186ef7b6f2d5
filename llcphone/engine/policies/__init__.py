"""The policies of the engine: each decides one thing."""
