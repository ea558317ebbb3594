"""Jobs and workers. Alone knows RQ."""
