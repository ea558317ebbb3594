"""A database cluster, as far as one is there: CLUSTER_DATABASE_URL names it (see CONTRIBUTING.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app import diagnosis
from app.config import current_settings
from app.extensions import db
from app.http.failures import is_database_away, why_in_part
from app.imports import retention
from app.jobs import queue
from app.models import BY_SELLER, ON_ALL_NODES, Seller
from app.operators import cluster, overview
from app.queries import BatchKey, ImportKey, driver_cursor
from app.queries import cluster as queries_of_cluster
from app.queries.cluster import Node, get_extension
from app.queries.imports import corrections, housekeeping, lookups, transitions
from app.statuses import ImportStatus
from tests.conftest import CLUSTER
from tests.factories import csv_bytes, look, make_items, row, start

_TABLES = [model.__tablename__ for model in (*ON_ALL_NODES, *BY_SELLER)]
on_a_cluster = pytest.mark.skipif(not CLUSTER, reason="CLUSTER_DATABASE_URL names no database cluster")
#: What Citus 13.2 says when a node is stopped before a statement, in it, and before the commit.
_AWAY = [
    ("08006", "connection to the remote node sluice@10.0.0.7:5432 failed with the following error: Connection refused"),
    ("57P01", "terminating connection due to administrator command"),
    ("XX000", "SSL SYSCALL error: EOF detected"),
    ("XX000", "could not commit transaction for shard 102026 on at least one active node"),
]
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


@on_a_cluster
@pytest.mark.parametrize(
    "begin", [lambda key: transitions.lock_for_chunk(BatchKey(*key, 1), 1), corrections.lock], ids=["chunk", "answer"]
)
def test_the_ledger_and_a_sellers_rows_are_committed_together(
    seller: Seller, begin: Callable[[ImportKey], object]
) -> None:
    make_items()
    key = ImportKey(seller.id, start(seller, [row()]).id)
    assert transitions.claim(BatchKey(*key, 1), 1)
    db.session.commit()
    sent: list[str | None] = []
    driver_cursor().connection.add_notice_handler(lambda notice: sent.append(notice.message_primary))
    db.session.execute(text("set local citus.log_remote_commands = on"))
    assert begin(key)
    db.session.execute(text("delete from claims where seller_id = :seller"), {"seller": seller.id})
    db.session.commit()
    assert [one for one in sent if one and "PREPARE TRANSACTION" in one]


@on_one_server
@pytest.mark.parametrize("has_nodes", [False, True])
def test_a_chunk_pays_for_a_cluster_only_on_one(
    seller: Seller, monkeypatch: pytest.MonkeyPatch, *, has_nodes: bool
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(transitions, "commit_together", lambda: asked.append(True))
    make_items()
    key = BatchKey(seller.id, start(seller, [row()]).id, 1)
    assert transitions.claim(key, 1)
    if has_nodes:
        # Citus has such a table.
        db.session.execute(text("create temporary table pg_dist_node () on commit drop"))
    assert transitions.lock_for_chunk(key, 1)
    assert bool(asked) == has_nodes


def _raise(state: str, message: str) -> str:
    return f"raise exception using errcode = '{state}', message = '{message}'"


@pytest.mark.parametrize(("state", "message"), _AWAY)
def test_the_coordinator_tells_that_a_node_is_away(app: Flask, state: str, message: str) -> None:
    with pytest.raises(DBAPIError) as raised:
        db.session.execute(text(f"do $$ begin {_raise(state, message)}; end $$"))
    fault = diagnosis.of_node(raised.value)
    assert fault is not None
    assert ("10.0.0.7:5432" in fault.sentence) == ("10.0.0.7:5432" in message)
    assert is_database_away(raised.value)
    assert "with your listings" in (why_in_part(raised.value) or "")


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("XX000", 'duplicate key value violates unique constraint "pk__claims_102046"'),
        ("40P01", "canceling the transaction since it was involved in a distributed deadlock"),
        ("55P03", "canceling statement due to lock timeout"),
        # Of the class of lost connections: values were sent that PostgreSQL cannot read, and will not read next time.
        ("08P01", "insufficient data left in message"),
    ],
)
def test_other_errors_are_not_about_a_node(app: Flask, state: str, message: str) -> None:
    with pytest.raises(DBAPIError) as raised:
        db.session.execute(text(f"do $$ begin {_raise(state, message)}; end $$"))
    assert diagnosis.of_node(raised.value) is None


def test_an_ended_session_is_not_about_a_node(app: Flask) -> None:
    with pytest.raises(DBAPIError) as raised:
        db.session.execute(text("select pg_terminate_backend(pg_backend_pid())"))
    assert diagnosis.of_node(raised.value) is None


@contextmanager
def away(seller: Seller, when: str, state: str, message: str) -> Iterator[None]:
    """The node of a seller is away: ``when`` that happens (``before insert on listings``), there is an error."""
    row = "old" if "delete" in when else "new"
    db.session.execute(
        text(
            f"""
            create function node_is_away() returns trigger language plpgsql
                as $$ begin {_raise(state, message)}; end $$;
            create trigger node_is_away {when} for each row
                when ({row}.seller_id = {seller.id}) execute function node_is_away()
            """
        )
    )
    db.session.commit()
    try:
        yield
    finally:
        db.session.rollback()
        db.session.execute(text("drop function node_is_away cascade"))
        db.session.commit()


@on_one_server
@pytest.mark.parametrize(("state", "message"), _AWAY)
def test_a_node_that_is_away_costs_no_attempt_and_no_other_seller_anything(
    client: FlaskClient,
    seller: Seller,
    other_seller: Seller,
    run_jobs: Callable[[], None],
    state: str,
    message: str,
) -> None:
    make_items()
    imported = start(seller, [row()])
    of_other = start(other_seller, [row()])
    with away(seller, "before insert on listings", state, message):
        for _ in range(6):
            run_jobs()
            # Its rest is over.
            db.session.execute(text("update batches set updated_at = now() - interval '1 minute'"))
            db.session.commit()
            queue.send_waiting_jobs()
        assert (look(imported).status, look(of_other).status) == (ImportStatus.RUNNING, ImportStatus.COMPLETED)
        attempt, fruitless = db.session.execute(
            text("select attempt, fruitless_attempts from batches where seller_id = :seller"), {"seller": seller.id}
        ).one()
        assert (attempt > 5, fruitless) == (True, 0)
        assert db.session.scalar(text("select count(*) from lost_attempts")) == 0
        assert "Waiting for the part of the database" in client.get(f"/imports/{imported.public_id}").text
    run_jobs()
    assert look(imported).status is ImportStatus.COMPLETED
    assert "Waiting for the part" not in client.get(f"/imports/{imported.public_id}").text


@on_one_server
def test_retention_passes_over_the_sellers_of_a_node_that_is_away(
    app: Flask,
    seller: Seller,
    other_seller: Seller,
    run_jobs: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(app.extensions, "sluice_settings", replace(current_settings(), keep_errors_days=1))
    _, deleted, _ = (start(one, [row(price="x")]) for one in (seller, seller, other_seller))
    deleted_of_other = start(other_seller, [row(price="y")])
    run_jobs()
    for one in (deleted, deleted_of_other):
        assert housekeeping.delete(ImportKey.of(one))
    db.session.execute(text("update imports set finished_at = finished_at - interval '2 days'"))
    db.session.commit()

    def sellers_with_errors() -> list[tuple[int, int]]:
        query = "select seller_id, count(*) from row_errors group by 1 order by 1"
        return [tuple(one) for one in db.session.execute(text(query))]

    with away(seller, "before delete on row_errors", *_AWAY[0]):
        # The other's deleted import is found last.
        assert retention.remove_deleted()
        assert sellers_with_errors() == [(seller.id, 2), (other_seller.id, 1)]
        assert retention.remove_old()
        assert sellers_with_errors() == [(seller.id, 2)]
    assert retention.remove_old()
    assert sellers_with_errors() == []


def test_one_batch_of_the_seller_finds_out_whether_the_node_is_back(seller: Seller, other_seller: Seller) -> None:
    make_items()
    first, second, of_other = start(seller, [row()]), start(seller, [row()]), start(other_seller, [row()])
    key = ImportKey(seller.id, second.id)
    batch = BatchKey(*key, 1)

    def next_imports() -> set[int]:
        db.session.execute(text("update batches set dispatched_at = null"))
        return {waiting.key.import_id for waiting in lookups.find_next_to_dispatch(9)}

    assert next_imports() == {first.id, second.id, of_other.id}
    assert transitions.claim(batch, 1) is not None
    assert transitions.wait_for_node(batch, 1, reason="It waits.")
    assert next_imports() == {of_other.id}
    db.session.execute(text("update batches set updated_at = now() - interval '11 seconds'"))
    assert next_imports() == {second.id, of_other.id}
    # As long as it tries, nobody else does; then all of them go on.
    assert transitions.claim(batch, 2) is not None
    assert next_imports() == {of_other.id}
    transitions.advance(batch, transitions.Advance(lookups.list_batches(key)[0].cursor, 2, 0, 0, 0, 0))
    assert next_imports() == {first.id, of_other.id}
    db.session.rollback()


def test_a_silent_node_is_named_and_the_others_stay_ready(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = Node(2, "10.0.0.7:5432", is_coordinator=False, holds_shards=True, settings=None)
    monkeypatch.setattr(queries_of_cluster, "find_silent", lambda: [silent])
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json) == (
        200,
        {"database": "ok", "redis": "ok", "storage": "ok", "database node 2": "node unreachable"},
    )
    alarms = overview.find_alarms(overview.look())
    assert "The database node 10.0.0.7:5432 does not answer." in {alarm.sentence for alarm in alarms}
