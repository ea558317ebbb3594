"""The WSGI application that gunicorn and the ``flask`` command serve."""

from app import create_app

app = create_app()
