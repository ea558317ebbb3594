"""The static files: their names, caching, and compression."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from flask import Flask, url_for
from flask.testing import FlaskClient

from tests.pages import page
from tests.processes import ROOT

SHEET = ROOT / "app/static/css/components.css"
FOR_EVER = "public, max-age=31536000, immutable"
IMPORT = re.compile(r'^import .* from "\./(.+)";$', re.MULTILINE)
PACKED = {"Accept-Encoding": "gzip, deflate, br"}


def address_of(app: Flask, name: str) -> str:
    with app.test_request_context():
        return url_for("static", filename=name)


@pytest.mark.parametrize("name", ["css/base.css", "js/dom.js", "logo.svg", "vendor/bootstrap-5.3.9/part.min.css"])
def test_the_name_tells_the_content_and_is_kept_for_ever(app: Flask, name: str) -> None:
    address = address_of(app, name)
    stem, suffix = re.escape(name.rpartition(".")[0]), name.rpartition(".")[2]
    assert re.fullmatch(rf"/static/{stem}\.[0-9a-f]{{16}}\.{suffix}", address)
    answer = app.test_client().get(address)
    assert answer.status_code == 200
    assert answer.data == (ROOT / "app/static" / name).read_bytes()
    assert answer.headers["Cache-Control"] == FOR_EVER


def test_another_content_has_another_name(app: Flask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(app, "static_folder", str(tmp_path))
    sheet = tmp_path / "own.css"
    sheet.write_text("a { color: red }")
    first = address_of(app, "own.css")
    sheet.write_text("a { color: blue }")
    second = address_of(app, "own.css")
    assert first != second
    client = app.test_client()
    assert client.get(second).text == "a { color: blue }"
    # A page from before the change still has its style sheet, but no browser keeps this answer.
    old = client.get(first)
    assert old.text == "a { color: blue }"
    assert old.headers["Cache-Control"] == "no-cache"


def test_a_module_imports_others_by_names_that_tell_their_content(
    app: Flask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(app, "static_folder", str(tmp_path))
    (tmp_path / "low.js").write_text("export const low = 1;")
    (tmp_path / "middle.js").write_text('import { low } from "./low.js";')
    (tmp_path / "high.js").write_text('import { low } from "./low.js";\nimport { low } from "./middle.js";')
    before = {name: address_of(app, name) for name in ("low.js", "middle.js", "high.js")}
    client = app.test_client()
    assert client.get(before["middle.js"]).text == f'import {{ low }} from ".{before["low.js"][7:]}";'
    (tmp_path / "low.js").write_text("export const low = 2;")
    # What imports a file that has changed has changed with it, however far away.
    assert all(address_of(app, name) != address for name, address in before.items())
    (tmp_path / "low.js").unlink()
    assert client.get("/static/high.js").status_code == 404


@pytest.mark.parametrize("path", ["/login", "/imports", "/imports/upload", "/listings", "/settings/account"])
def test_a_page_names_all_modules_that_it_needs(path: str, client: FlaskClient) -> None:
    """A browser that learned of a module only from another one would ask for it one round trip later."""
    if path == "/login":
        client = client.application.test_client()
    soup = page(client, path)
    named = [element["src"] for element in soup.select("script[type=module]")]
    imported = {f"/static/js/{name}" for one in named for name in IMPORT.findall(client.get(one).text)}
    assert imported
    assert imported <= set(named)
    assert len(named) == len(set(named)) <= 9


def test_the_plain_name_is_asked_for_each_time(client: FlaskClient) -> None:
    answer = client.get("/static/css/components.css")
    assert answer.data == SHEET.read_bytes()
    assert answer.headers["Cache-Control"] == "no-cache"
    again = client.get("/static/css/components.css", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    assert not again.data


def test_they_travel_packed_to_who_can_unpack_them(client: FlaskClient) -> None:
    plain, packed = client.get("/static/css/components.css"), client.get("/static/css/components.css", headers=PACKED)
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data == SHEET.read_bytes()
    assert packed.content_length < plain.content_length / 3
    assert packed.headers["ETag"] != plain.headers["ETag"]
    assert "Accept-Encoding" in plain.vary
    assert "Accept-Encoding" in packed.vary
    assert plain.content_type == packed.content_type == "text/css; charset=utf-8"


def test_who_refuses_gzip_gets_none(client: FlaskClient) -> None:
    answer = client.get("/static/css/components.css", headers={"Accept-Encoding": "gzip;q=0, br"})
    assert "Content-Encoding" not in answer.headers
    assert answer.data == SHEET.read_bytes()


def test_what_does_not_shrink_stays_as_it_is(app: Flask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(app, "static_folder", str(tmp_path))
    (tmp_path / "dot.svg").write_text("<svg/>")
    (tmp_path / "data").write_bytes(bytes(1000))
    client = app.test_client()
    for name in ("dot.svg", "data"):
        answer = client.get(f"/static/{name}", headers=PACKED)
        assert answer.status_code == 200
        assert "Content-Encoding" not in answer.headers


def test_pages_are_not_packed(client: FlaskClient) -> None:
    # They hold tokens, which the length of a packed page could give away.
    assert "Content-Encoding" not in client.get("/imports", headers=PACKED).headers


@pytest.mark.parametrize(
    "name", ["nowhere.css", "nowhere.0123456789abcdef.css", "vendor", "css/base.css/more", "../config.py", ""]
)
def test_there_is_nothing_else(client: FlaskClient, name: str) -> None:
    assert client.get(f"/static/{name}").status_code == 404
