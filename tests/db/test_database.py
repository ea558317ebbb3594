"""Sessions have the timeouts that promises rest on, whatever stands between Sluice and PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import exc, text

from app import create_app, database, diagnosis
from app.extensions import db
from app.models import Seller
from app.queries import begin_repeatable_read
from tests.factories import csv_bytes, listed, make_items, row
from tests.pooler import pooler
from tests.processes import wait_until, workers

WANTED = ("3s", "30s", "UTC")
_SHOW = (
    "select current_setting('idle_in_transaction_session_timeout'), current_setting('lock_timeout'), "
    "current_setting('timezone')"
)


@contextmanager
def installed(environ: dict[str, str]) -> Iterator[Flask]:
    """An application with other settings."""
    app = create_app(environ)
    with app.app_context():
        try:
            yield app
        finally:
            db.session.remove()
            db.engine.dispose()


def settings() -> tuple[str, ...]:
    """What a transaction of the application is bound by."""
    found = tuple(db.session.execute(text(_SHOW)).one())
    db.session.rollback()
    return found


@pytest.fixture(params=["direct", "session", "transaction"])
def reached(
    app: Flask, environ: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[dict[str, str]]:
    """The environment of an installation that reaches the database in one of the ways."""
    if request.param == "direct":
        yield environ
        return
    with pooler(environ, tmp_path, request.param) as through:
        yield through


def test_every_transaction_has_the_timeouts(reached: dict[str, str]) -> None:
    with installed(reached):
        assert settings() == WANTED
        assert settings() == WANTED
        assert database.find_wrong_settings() == []
        begin_repeatable_read()
        assert settings() == WANTED


def test_a_transaction_that_sits_idle_is_ended(reached: dict[str, str], environ: dict[str, str]) -> None:
    with (
        installed({**reached, "LEASE_SECONDS": "0.2"}),
        psycopg.connect(environ["DATABASE_URL"], autocommit=True) as admin,
    ):
        db.session.execute(text("select 1 from reconciler for update"))
        process = db.session.execute(text("select pg_backend_pid()")).scalar_one()
        wait_until(lambda: admin.execute("select 1 from pg_stat_activity where pid = %s", [process]).fetchone() is None)
        with pytest.raises(exc.DBAPIError):
            db.session.execute(text("select 1"))
        db.session.rollback()


def test_a_database_that_cannot_hold_every_text_is_refused(app: Flask, environ: dict[str, str]) -> None:
    name = "sluice_test_ascii"
    address = psycopg.conninfo.conninfo_to_dict(environ["DATABASE_URL"])
    with psycopg.connect(environ["DATABASE_URL"], autocommit=True) as admin:
        admin.execute(f"create database {name} encoding 'SQL_ASCII' locale 'C' template template0")
        try:
            elsewhere = environ["DATABASE_URL"].replace(f"/{address['dbname']}", f"/{name}")
            with installed({**environ, "DATABASE_URL": elsewhere}), pytest.raises(exc.OperationalError) as refused:
                db.session.execute(text("select 1"))
            assert "encoded in SQL_ASCII, and Sluice needs UTF8" in str(refused.value)
            fault = diagnosis.of_database(refused.value)
            assert fault is not None
            assert fault.state == "wrong encoding"
        finally:
            admin.execute(f"drop database {name}")


def test_other_clients_of_a_pooler_inherit_nothing(app: Flask, environ: dict[str, str], tmp_path: Path) -> None:
    with pooler(environ, tmp_path, "transaction") as through:
        with installed(through):
            upgrade()
            assert settings() == WANTED
        with psycopg.connect(through["DATABASE_URL"]) as other:
            assert other.execute(_SHOW).fetchone() != WANTED
            assert other.execute("select current_setting('lock_timeout')").fetchone() == ("0",)
            held = other.execute("select count(*) from pg_locks where locktype = 'advisory'").fetchone()
            assert held == (0,)


def test_many_threads_share_the_sessions_of_a_pooler(app: Flask, environ: dict[str, str], tmp_path: Path) -> None:
    with pooler(environ, tmp_path, "transaction") as through, installed(through) as pooled:
        seen: list[tuple[str, ...]] = []

        def ask() -> None:
            with pooled.app_context():
                for _ in range(30):
                    seen.append(settings())

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(seen) == {WANTED}
        assert len(seen) == 120


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_an_import_runs_through_a_pooler(
    app: Flask, environ: dict[str, str], seller: Seller, tmp_path: Path, mode: str
) -> None:
    make_items()
    email = seller.email
    # Otherwise the session of the test would ask the pooler, too.
    db.session.rollback()
    file = tmp_path / "stock.csv"
    file.write_bytes(
        csv_bytes(
            [
                row(urn=f"urn:test:{1 + number % 2}", condition=condition)
                for number, condition in enumerate(["NM", "NM", "EX", "EX"])
            ]
        )
    )
    with pooler(environ, tmp_path, mode) as through, workers(through, 1), installed(through) as pooled:
        upgrade()
        result = pooled.test_cli_runner().invoke(args=["imports", "start", str(file), "--seller", email, "--wait"])
        assert result.exit_code == 0, result.output
    assert len(listed(seller)) == 4


def test_settings_that_something_has_changed_are_found(app: Flask, environ: dict[str, str]) -> None:
    with installed(environ):
        db.session.execute(text("set lock_timeout = 0"))
        assert database.find_wrong_settings() == ["lock_timeout"]


def test_an_older_server_is_refused_in_a_sentence(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    # No such server is available; only the reported version matters.
    monkeypatch.setattr(database, "LEAST_VERSION", 99)
    with (
        installed(environ),
        pytest.raises(exc.OperationalError, match=r"The database is PostgreSQL \d+, and Sluice needs 99"),
    ):
        db.session.execute(text("select 1"))


@contextmanager
def frozen(process: int) -> Iterator[None]:
    """Freeze a process of the server; its kernel continues to acknowledge what is sent to it."""
    server = psutil.Process(process)
    server.suspend()
    try:
        yield
    finally:
        server.resume()


def test_a_request_does_not_wait_for_ever_for_a_frozen_server(
    environ: dict[str, str], app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_ANSWER_TIMEOUT_SECONDS", 3.0)
    with installed(environ) as other, other.test_request_context():
        process = db.session.scalar(text("select pg_backend_pid()"))
        with frozen(process):
            # In the middle of a transaction, and of the next one's first look whether the connection is alive.
            with pytest.raises(exc.OperationalError) as raised:
                db.session.scalar(text("select 1"))
            assert isinstance(raised.value.orig, database.NoAnswer)
            db.session.rollback()
            assert db.session.scalar(text("select pg_backend_pid()")) != process
        db.session.rollback()
        process = db.session.scalar(text("select pg_backend_pid()"))
        db.session.rollback()
        with frozen(process):
            assert db.session.scalar(text("select pg_backend_pid()")) != process


def test_workers_and_commands_wait_for_the_server(
    environ: dict[str, str], app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_ANSWER_TIMEOUT_SECONDS", 0.01)
    assert db.session.scalar(text("select count(pg_sleep(0.1))")) == 1
