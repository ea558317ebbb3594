"""SQL on sellers, sessions and tokens."""
