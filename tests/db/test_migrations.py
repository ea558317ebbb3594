"""The migrated schema is the one that the models describe, and migrations go both ways."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import inspect, text

from app import create_app
from app.extensions import db


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
    """Every column, constraint and index, as the database itself describes it."""
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
    # That does not look at conditions and collations.
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
