"""What a worker does with one batch."""
