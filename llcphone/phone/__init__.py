"""The phone: all that lives between calls and outlives each of them."""
