"""Browsers whose requests have nothing in common but the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import redis_client
from app.extensions import db
from tests.conftest import make_seller, sign_in


class Browser(FlaskClient):
    """Gives each request a separate application context, as a server does, and reads its answer to the end.

    Otherwise all requests of a test would share the one that the test itself stands in, and with it what is remembered
    for the time of a request: who is signed in, and the token of their session.
    """

    def open(self, *args: Any, buffered: bool = True, **kwargs: Any) -> TestResponse:
        with self.application.app_context():
            return super().open(*args, buffered=buffered, **kwargs)


@pytest.fixture(autouse=True)
def own_contexts(migrated_app: Flask) -> Iterator[None]:
    migrated_app.test_client_class = Browser
    yield
    migrated_app.test_client_class = None


@pytest.fixture
def operator(app: Flask) -> FlaskClient:
    """A browser in which an operator is signed in."""
    made = make_seller("operator@example.com")
    made.is_operator = True
    db.session.commit()
    return sign_in(app, made)


@pytest.fixture
def take_redis_away(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Make Redis unreachable."""

    def take_away() -> None:
        monkeypatch.setitem(app.extensions, "sluice_redis", None)
        redis_client.init_app(app, "redis://127.0.0.1:1/0")

    return take_away
