"""Real processes of Sluice, and everything that can happen to them: run by ``make chaos``, not by pytest."""
