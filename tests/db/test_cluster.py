"""A database cluster, as far as one is there: CLUSTER_DATABASE_URL names it (see CONTRIBUTING.md)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from app.models import BY_SELLER, ON_ALL_NODES, Seller
from app.operators import cluster
from app.queries.cluster import get_extension
from tests.conftest import CLUSTER
from tests.factories import csv_bytes, make_items, row, start

_TABLES = [model.__tablename__ for model in (*ON_ALL_NODES, *BY_SELLER)]
on_a_cluster = pytest.mark.skipif(not CLUSTER, reason="CLUSTER_DATABASE_URL names no database cluster")
on_one_server = pytest.mark.skipif(bool(CLUSTER), reason="The database is a cluster.")


@on_one_server
def test_one_server_has_the_tables_and_no_cluster(app: Flask) -> None:
    facts = cluster.look()
    assert ([table.name for table in facts.tables], facts.nodes) == (_TABLES, [])
    assert all(table.is_local for table in facts.tables)
    result = app.test_cli_runner().invoke(args=["cluster", "distribute", "--dry-run"])
    assert result.exit_code == 2
    is_available = get_extension().is_available
    assert f"Citus is not installed {'in this database' if is_available else 'on this'}" in result.output
    assert app.test_cli_runner().invoke(args=["cluster", "status"]).exit_code == 2


@on_a_cluster
def test_nothing_is_left_to_distribute(app: Flask) -> None:
    facts = cluster.look()
    assert [table.by for table in facts.tables] == ["*"] * len(ON_ALL_NODES) + ["seller_id"] * len(BY_SELLER)
    assert cluster.plan(facts) == ([], [])
    result = app.test_cli_runner().invoke(args=["cluster", "distribute"])
    assert (result.exit_code, result.output) == (0, "Everything is distributed already.\n")


@on_a_cluster
def test_status_shows_where_sellers_lie(app: Flask, seller: Seller, run_jobs: Callable[[], None]) -> None:
    make_items()
    start(seller, csv_bytes([row()]))
    run_jobs()
    shown = app.test_cli_runner().invoke(args=["cluster", "status"])
    assert shown.exit_code == 0
    assert "seller@example.com (1 listing)" in shown.output
