"""The headers of every answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.factories import make_items, row, start
from tests.pages import csrf_token

EXPECTED = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@pytest.mark.parametrize(
    "path", ["/", "/login", "/imports", "/imports/template.csv", "/listings/export.csv", "/static/logo.svg", "/healthz"]
)
def test_every_answer_says_what_a_browser_may_do(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers
    assert {name: headers[name] for name in EXPECTED} == EXPECTED


@pytest.mark.parametrize("path", ["/nowhere", "/static/nowhere.css"])
def test_error_pages_too(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert {name: answer.headers[name] for name in EXPECTED} == EXPECTED


def test_errors_of_ours_too(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr("app.web.my_imports.progress.list_page", fail)
    monkeypatch.setitem(client.application.config, "PROPAGATE_EXCEPTIONS", False)
    answer = client.get("/imports")
    assert answer.status_code == 500
    assert {name: answer.headers[name] for name in EXPECTED} == EXPECTED


def test_a_seller_s_own_file_is_never_a_page(client: FlaskClient, seller) -> None:
    make_items(1)
    started = start(seller, [row(comment="<script>alert(1)</script>")])
    headers = client.get(f"/imports/{started.public_id}/source.csv").headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Disposition"].startswith("attachment")
    assert "script-src 'self'" in headers["Content-Security-Policy"]


def test_only_https_asks_for_https(client: FlaskClient) -> None:
    assert "Strict-Transport-Security" not in client.get("/imports").headers
    secure = client.get("/imports", base_url="https://localhost")
    assert secure.headers["Strict-Transport-Security"] == "max-age=63072000"


def test_forms_work_over_https(client: FlaskClient) -> None:
    # There the CSRF check also asks where the form came from, which the Referrer-Policy must let browsers tell.
    over_https = {"base_url": "https://localhost", "headers": {"Referer": "https://localhost/imports"}}
    answer = client.post("/logout", data={"csrf_token": csrf_token(client)}, **over_https)
    assert answer.status_code == 303


def test_no_answer_leads_where_a_made_up_host_does(app: Flask, operator: FlaskClient) -> None:
    for path in ("/ops/queues", "//imports", "/ops/queues/0/view"):
        answer = operator.get(path, headers={"Host": "evil.example"})
        assert answer.status_code == 308
        assert answer.location.startswith("/")
        assert not answer.location.startswith("//")


def test_examples_are_for_the_address_that_people_use(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = replace(client.application.extensions["sluice_settings"], public_url="https://sluice.example.com")
    monkeypatch.setitem(client.application.extensions, "sluice_settings", settings)
    text = client.get("/help/api", headers={"Host": "evil.example"}).text
    assert "evil.example" not in text
    assert "https://sluice.example.com/api/v1" in text
