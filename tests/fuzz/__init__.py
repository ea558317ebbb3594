"""``make fuzz``: inputs that nobody thought of, for what reads files; what is found becomes a test."""
