"""What real workers report to operators, from start to end."""

from __future__ import annotations

from pathlib import Path

from flask import Flask
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from app.extensions import db
from app.models import Batch, Seller
from app.queries import operations
from tests.factories import look, make_items, row, start
from tests.processes import wait_until, workers


def known() -> list[operations.Worker]:
    db.session.rollback()
    return operations.list_workers()


def test_workers_are_known_while_they_live_and_count_what_they_do(
    app: Flask, environ: dict[str, str], seller: Seller, tmp_path: Path
) -> None:
    make_items()
    started = start(seller, [row(), row(urn="urn:test:2"), row(urn="urn:none")])
    with workers({**environ, "SLUICE_HOME": str(tmp_path)}, 2):
        wait_until(lambda: len(known()) == 2)
        wait_until(lambda: look(started).status == "FAILED")
        host, _, pid = (db.session.scalars(db.select(Batch.worker)).one() or "").partition(":")
        assert (host, int(pid)) in {(one.host, one.pid) for one in known()}
    assert known() == []
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(tmp_path / "metrics"))
    assert registry.get_sample_value("sluice_rows_total", {"outcome": "created"}) == 2
    assert registry.get_sample_value("sluice_rows_total", {"outcome": "failed"}) == 1
    assert registry.get_sample_value("sluice_chunk_seconds_count", {"stage": "commit"}) == 1
    assert len(list((tmp_path / "metrics").glob("counter_*.db"))) == 1, "one file a worker, not one a work-horse"
