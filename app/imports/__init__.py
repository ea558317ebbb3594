"""The life of an import: what buttons do, what workers do, and what repairs it."""
