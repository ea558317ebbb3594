"""Whether an application says truly that it is alive, and that it is ready."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import make_url

from app import create_app
from app.extensions import db
from app.storage.local import LocalStorage

READY = {"database": "ok", "redis": "ok", "storage": "ok"}


@contextmanager
def before(environ: dict[str, str], **other: str) -> Iterator[FlaskClient]:
    """A browser before an application with other settings."""
    app = create_app({**environ, **other})
    yield app.test_client()
    with app.app_context():
        db.engine.dispose()


def test_strangers_may_ask(app: Flask) -> None:
    stranger = app.test_client()
    assert stranger.get("/healthz").json == {"status": "ok"}
    answer = stranger.get("/readyz")
    assert (answer.status_code, answer.json) == (200, READY)
    assert "Set-Cookie" not in answer.headers


def test_redis_away_is_named(app: Flask, take_redis_away: Callable[[], None]) -> None:
    take_redis_away()
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json) == (503, {**READY, "redis": "unreachable"})


def test_the_database_away_is_named(app: Flask, environ: dict[str, str]) -> None:
    with before(environ, DATABASE_URL="postgresql://nobody@127.0.0.1:1/none") as client:
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json) == (503, {**READY, "database": "unreachable"})
        assert "127.0.0.1" not in answer.text
        # Alive all the same: to start it again would not help.
        assert client.get("/healthz").status_code == 200


def test_before_the_migrations_nothing_is_ready(app: Flask, environ: dict[str, str]) -> None:
    name = "empty"
    empty = make_url(environ["DATABASE_URL"]).set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(environ["DATABASE_URL"], autocommit=True) as admin:
        admin.execute(f"create database {name}")
        try:
            with before(environ, DATABASE_URL=empty) as client:
                answer = client.get("/readyz")
                assert (answer.status_code, answer.json) == (503, {**READY, "database": "not migrated"})
        finally:
            admin.execute(f"drop database {name}")


def test_the_storage_away_is_named(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setitem(app.extensions, "sluice_storage", LocalStorage(tmp_path / "file" / "inside"))
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json) == (503, {**READY, "storage": "unreachable"})


def test_everything_away_is_named_at_once(app: Flask, environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with before(
        environ,
        DATABASE_URL="postgresql://nobody@127.0.0.1:1/none",
        REDIS_URL="redis://127.0.0.1:1/0",
        STORAGE_URL=f"file://{tmp_path / 'file' / 'inside'}",
    ) as client:
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json) == (503, dict.fromkeys(READY, "unreachable"))


def test_what_comes_back_is_ready_again(app: Flask, environ: dict[str, str]) -> None:
    client = app.test_client()
    with psycopg.connect(environ["DATABASE_URL"], autocommit=True) as admin:
        admin.execute("alter table reconciler rename to gone")
        try:
            assert client.get("/readyz").status_code == 503
        finally:
            admin.execute("alter table gone rename to reconciler")
    assert client.get("/readyz").json == READY
