"""Every request that comes to nothing is answered with a problem document, whatever it was."""

from __future__ import annotations

import uuid

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from app.imports.reports import progress
from tests.api.conftest import Program, problem


@pytest.mark.parametrize("path", ["/api/", "/api/v1/", "/api/v1/nowhere", "/api/v2/imports", "/api/v1/imports/1/x"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_address_that_is_none(app: Flask, path: str, method: str) -> None:
    problem(app.test_client().open(path, method=method), 404, "not-found")


def test_a_method_that_an_address_does_not_take(program: Program) -> None:
    answer = program.open("DELETE", "imports")
    problem(answer, 405, "method-not-allowed")
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))


def test_an_import_that_is_none(program: Program) -> None:
    problem(program.get(f"imports/{uuid.uuid4()}"), 404, "not-found")
    problem(program.get("imports/1"), 404, "not-found")


def test_addresses_outside_the_api_are_pages(client) -> None:
    for path in ("/api", "/apix", "/nowhere"):
        answer = client.get(path)
        assert (answer.status_code, answer.mimetype) == (404, "text/html")


def test_a_database_that_is_away(program: Program, monkeypatch) -> None:
    def be_away(*_: object, **__: object) -> None:
        raise OperationalError("select", {}, Exception("away"))

    monkeypatch.setattr(progress, "get", be_away)
    answer = program.get(f"imports/{uuid.uuid4()}")
    problem(answer, 503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    monkeypatch.setattr("app.identity.tokens.find_bearer", be_away)
    problem(program.get("imports"), 503, "unavailable")


def test_an_error_of_ours_tells_nothing_of_itself(app: Flask, program: Program, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr(progress, "get", fail)
    monkeypatch.setattr(app, "testing", False)
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)
    answer = program.get(f"imports/{uuid.uuid4()}")
    problem(answer, 500, "internal-error")
    assert "secret" not in answer.text


def test_a_storage_that_is_away(app: Flask, program: Program, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(app.extensions["sluice_storage"], "create", fail, raising=False)
    told = problem(program.send(b"MODE"), 503, "unavailable")
    assert "could not be stored" in told["detail"]
