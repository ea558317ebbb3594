"""Match your file: the pages of each step in a module that is called like it, and their addresses in ``routes``."""
