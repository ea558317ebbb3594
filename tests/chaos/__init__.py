"""Injects faults into real processes of Sluice: run by ``make chaos``, not by pytest."""
