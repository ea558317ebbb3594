"""The migrated schema is the one that the models describe, and migrations go both ways."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import inspect, text

from app import create_app
from app.extensions import db


def test_the_models_describe_what_the_migrations_make(app: Flask) -> None:
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, db.metadata) == []


def test_all_the_way_down_and_up_again(app: Flask, environ: dict[str, str]) -> None:
    name = "migrations_only"
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as admin:
        admin.execute(text(f"drop database if exists {name}"))
        admin.execute(text(f"create database {name}"))
    address = db.engine.url.set(database=name).render_as_string(hide_password=False).replace("+psycopg", "")
    scratch = create_app({**environ, "DATABASE_URL": address})
    with scratch.app_context():
        upgrade()
        tables = set(inspect(db.engine).get_table_names())
        assert tables == {*db.metadata.tables, "alembic_version"}
        downgrade(revision="base")
        assert set(inspect(db.engine).get_table_names()) == {"alembic_version"}
        upgrade()
        assert set(inspect(db.engine).get_table_names()) == tables
        db.engine.dispose()
