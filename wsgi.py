"""The WSGI application that gunicorn and the ``flask`` command serve."""

import gc

# Starting makes many objects and hardly any garbage: looking for it took a fifth of the time. Checking an upload makes
# millions, none of them in a cycle.
gc.set_threshold(100_000)

from app import create_app

app = create_app()
