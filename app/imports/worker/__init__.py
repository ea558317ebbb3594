"""How a worker processes a batch."""
