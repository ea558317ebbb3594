"""What Sluice tells those who run it: logs, metrics and health."""
