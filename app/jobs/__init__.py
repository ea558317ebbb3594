"""Jobs and workers. This package alone knows RQ."""
