"""The migrated schema is the one that the models describe, and migrations go both ways."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import inspect, text

from app import create_app
from app.extensions import db
from tests.processes import wait_until


@contextmanager
def scratch_database(environ: dict[str, str]) -> Iterator[None]:
    """An empty database, for an application that is the current one meanwhile."""
    name = f"{db.engine.url.database}_scratch"
    address = db.engine.url.set(database=name).render_as_string(hide_password=False).replace("+psycopg", "")
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as admin:
        admin.execute(text(f"create database {name}"))
        try:
            with create_app({**environ, "DATABASE_URL": address}).app_context():
                try:
                    yield
                finally:
                    db.session.remove()
                    db.engine.dispose()
        finally:
            admin.execute(text(f"drop database {name} with (force)"))


def shape() -> set[tuple[str, ...]]:
    """Every column, constraint, index and option, as the database itself describes it."""
    rows = db.session.execute(
        text(
            """
            select 'column', table_name, column_name,
                concat_ws(' ', udt_name, collation_name, is_nullable, column_default, identity_generation)
            from information_schema.columns where table_schema = 'public'
            union all
            select 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
            from pg_constraint where connamespace = 'public'::regnamespace
            union all
            select 'index', tablename, indexname, indexdef from pg_indexes where schemaname = 'public'
            union all
            select 'options', relname, '', array_to_string(reloptions, ' ') from pg_class
            where relnamespace = 'public'::regnamespace and reloptions is not null
            """
        )
    )
    found = {tuple(row) for row in rows if row[1] != "alembic_version"}
    db.session.rollback()
    return found


def test_the_models_describe_what_the_migrations_make(app: Flask, environ: dict[str, str]) -> None:
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, db.metadata) == []
    # That does not compare conditions and collations.
    migrated = shape()
    with scratch_database(environ):
        db.create_all()
        assert shape() == migrated


def test_all_the_way_down_and_up_again(app: Flask, environ: dict[str, str]) -> None:
    migrated = shape()
    with scratch_database(environ):
        upgrade()
        downgrade(revision="base")
        assert set(inspect(db.engine).get_table_names()) == {"alembic_version"}
        assert shape() == set()
        upgrade()
        assert shape() == migrated
        assert db.session.execute(text("select id from reconciler")).all() == [(1,)]


def test_constraints_are_added_without_a_look_at_the_rows(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    # With it, the table could not be read or written during the scan. ``migrations/env.py`` validates later.
    upgrade(sql=True)
    of_revisions = capsys.readouterr().out.split("-- Running upgrade ")[1:]
    assert len(of_revisions) >= 12
    for sql in of_revisions:
        made = set(re.findall(r"CREATE TABLE (\w+)", sql))
        added = re.findall(r"ALTER TABLE (\w+) ADD (?:CONSTRAINT \S+ )?(?:CHECK|FOREIGN KEY)([^;]*);", sql)
        scanning = [table for table, rest in added if table not in made and not rest.endswith("NOT VALID")]
        assert not scanning, f"add postgresql_not_valid=True in {sql.splitlines()[0]}: {scanning}"


def test_a_constraint_that_was_not_validated_is_so_by_the_next_upgrade(app: Flask, environ: dict[str, str]) -> None:
    migrated = shape()
    with scratch_database(environ):
        upgrade()
        db.session.execute(text("alter table sellers drop constraint ck__sellers__email_lower_case"))
        db.session.execute(
            text(
                "alter table sellers add constraint ck__sellers__email_lower_case "
                "check (email = lower(email)) not valid"
            )
        )
        db.session.commit()
        assert shape() != migrated
        upgrade()
        assert shape() == migrated


def test_a_migration_that_deadlocks_with_a_worker_is_tried_again(app: Flask, environ: dict[str, str]) -> None:
    with scratch_database(environ):
        upgrade(revision="0004")
        address = db.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
        with psycopg.connect(address) as worker, psycopg.connect(address, autocommit=True) as observer:
            # Its own deadlock is found by the migration, which is to give way.
            worker.execute("set local deadlock_timeout = '60s'")
            worker.execute("lock table batches")

            def is_waiting() -> bool:
                query = "select 1 from pg_locks where relation = 'batches'::regclass and not granted"
                return observer.execute(query).fetchone() is not None

            def work() -> None:
                wait_until(is_waiting)
                worker.execute("lock table imports in row exclusive mode")
                worker.commit()

            thread = threading.Thread(target=work)
            thread.start()
            upgrade()
            thread.join()
        assert db.session.execute(text("select id from reconciler")).all() == [(1,)]
