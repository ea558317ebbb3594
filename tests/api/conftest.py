"""Programs that show a token, each request with nothing in common with the next but the database."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.models import Seller
from app.statuses import TokenScope
from tests.conftest import make_token
from tests.web.conftest import own_contexts, take_redis_away

__all__ = ["own_contexts", "take_redis_away"]


class Program:
    """A program that shows a token."""

    def __init__(self, app: Flask, secret: str) -> None:
        self.secret = secret
        self.client: FlaskClient = app.test_client()

    def get(self, path: str, **kwargs) -> TestResponse:
        return self.open("GET", path, **kwargs)

    def post(self, path: str, **kwargs) -> TestResponse:
        return self.open("POST", path, **kwargs)

    def patch(self, path: str, **kwargs) -> TestResponse:
        return self.open("PATCH", path, **kwargs)

    def delete(self, path: str, **kwargs) -> TestResponse:
        return self.open("DELETE", path, **kwargs)

    def open(self, method: str, path: str, *, headers: dict[str, str] | None = None, **kwargs) -> TestResponse:
        path = path if path.startswith("/") else f"/api/v1/{path}"
        headers = {"Authorization": f"Bearer {self.secret}", **(headers or {})}
        return self.client.open(path, method=method, headers=headers, **kwargs)

    def send(self, data: bytes, path: str = "imports", **headers: str) -> TestResponse:
        """Send a file as it is."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.post(path, data=data, content_type="text/csv", headers=named)


def make_program(app: Flask, seller: Seller, scope: TokenScope = TokenScope.READ_WRITE) -> Program:
    """A program with a token of ``seller``."""
    return Program(app, make_token(seller, scope))


@pytest.fixture
def program(app: Flask, seller: Seller) -> Program:
    """A program that may do everything for the seller."""
    return make_program(app, seller)


def problem(response: TestResponse, status: int, name: str) -> dict[str, object]:
    """The problem document that ``response`` is, which has this status and type."""
    assert response.status_code == status, response.text
    assert response.content_type == "application/problem+json"
    document = response.get_json()
    assert document["type"] == f"/help/api#problem-{name}"
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    return document
