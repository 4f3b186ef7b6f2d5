"""Values from outside: function arguments, text, phone numbers."""
