"""``make bench``: measures whether Sluice reaches its targets for speed and memory, on services that it starts."""

from pathlib import Path

#: The checkout, where the programs find ``wsgi.py`` and ``worker.py``.
CHECKOUT = Path(__file__).resolve().parent.parent
