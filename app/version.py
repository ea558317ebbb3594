"""The version of Sluice; ``pyproject.toml`` takes it from here."""

VERSION = "0.17.0"
