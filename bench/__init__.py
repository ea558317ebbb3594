"""``make bench``: measures what Sluice promises about speed and memory, on services that it starts itself."""

from pathlib import Path

#: The checkout, where the programs find ``wsgi.py`` and ``worker.py``.
CHECKOUT = Path(__file__).resolve().parent.parent
