"""The files that sellers have from other tools: reads them, matches their columns, and converts them."""
