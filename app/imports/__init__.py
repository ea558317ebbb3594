"""The life of an import: the actions on it, the work of the workers, and the repairs."""
