"""SQL on imports, their batches and their rows."""
