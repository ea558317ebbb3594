"""Running Sluice on one machine: the private PostgreSQL and Redis, and ``make run``."""
