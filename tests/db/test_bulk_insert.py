"""Rows of which some may exist go in together, or none of them does and the caller is told."""

from __future__ import annotations

import pyarrow as pa
import pytest
from flask import Flask
from psycopg import errors
from sqlalchemy import text

from app.extensions import db
from app.queries import binary
from app.queries.bulk_insert import insert_all

_ROWS = pa.table({"a": pa.array([1, 2], pa.int32())})


def _refuse(sentence: str) -> None:
    """Make a table whose inserts fail as those into a cluster do, whose coordinator passes on the error of a node."""
    db.session.execute(text("create temp table t (a int primary key)"))
    db.session.execute(
        text(
            f"""
            create function pg_temp.refuse() returns trigger language plpgsql as $$ begin
                raise exception '{sentence}' using errcode = 'internal_error';
            end $$
            """
        )
    )
    db.session.execute(text("create trigger refuse before insert on t for each row execute function pg_temp.refuse()"))


def test_a_duplicate_on_a_node_of_a_cluster_is_a_duplicate(app: Flask) -> None:
    _refuse('duplicate key value violates unique constraint "listings_pkey_102008"')
    assert not insert_all("t", ["a"], binary.encode_rows(_ROWS))
    # The transaction goes on.
    assert db.session.scalar(text("select count(*) from t")) == 0


def test_any_other_failure_of_a_node_is_raised(app: Flask) -> None:
    _refuse("connection to the remote node failed")
    with pytest.raises(errors.InternalError_, match="remote node"):
        insert_all("t", ["a"], binary.encode_rows(_ROWS))
    db.session.rollback()
