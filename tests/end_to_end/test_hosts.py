"""Web on one host, workers on two others, database, Redis and storage on a fourth; one is cut off and comes back."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from flask import Flask
from flask_migrate import upgrade

from app import create_app
from app.extensions import db
from app.imports import ledger
from app.models import Batch, Import, Seller
from tests.conftest import PASSWORD, make_seller
from tests.end_to_end.test_faults import generate, run_quietly
from tests.end_to_end.test_web import Browser, attributes
from tests.factories import failures, listed, look, make_items
from tests.gate import Gate
from tests.hosts import hosts, postgres_on, redis_on
from tests.processes import answers, wait_until, web_server, workers
from tests.s3_server import BUCKET, s3_server


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make network namespaces")
def test_an_import_across_hosts_of_which_one_is_cut_off(
    app: Flask,
    environ: dict[str, str],
    other_seller: Seller,
    run_jobs: Callable[[], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_items(400)
    file = generate(20_000)
    quiet = run_quietly(file, other_seller, run_jobs)
    # The other database is polled for a minute or more; a transaction on this one would be ended meanwhile.
    db.session.rollback()
    with ExitStack() as stack:
        web, first, second, data = stack.enter_context(hosts("web", "w1", "w2", "data"))
        database, local_database = stack.enter_context(postgres_on(data))
        across = {
            **environ,
            "DATABASE_URL": database,
            "REDIS_URL": stack.enter_context(redis_on(data, tmp_path)),
            "S3_ENDPOINT_URL": stack.enter_context(s3_server(monkeypatch, data)),
            "STORAGE_URL": f"s3://{BUCKET}",
            "CHUNK_SECONDS": "0.001",
            **{name: value for name, value in os.environ.items() if name.startswith("AWS_")},
        }
        # This process uses a local socket; all others use the network.
        looking_on = create_app({**across, "DATABASE_URL": local_database, "LEASE_SECONDS": "60"})
        with looking_on.app_context():
            upgrade()
            make_items(400)
            seller = make_seller("seller@example.com")
            port = stack.enter_context(web_server(across, on=web.prefix))
            for host in (first, second):
                stack.enter_context(workers(across, 2, on=host.prefix))
            gate = Gate(local_database)
            stack.callback(gate.dispose)
            gate.close()
            with web.entered():
                address = f"http://127.0.0.1:{port}"
                wait_until(lambda: answers(f"{address}/readyz"))
                browser = Browser(address)
                browser.sign_in(seller.email, PASSWORD)
                browser.upload(file)
                details = browser.url
            started = db.session.scalars(db.select(Import)).one()
            # All four have written a chunk, and wait with the next one.
            gate.wait_for(4)
            gate.step()
            gate.wait_for(4)
            second.unplug()
            gate.open()
            # The other host takes its batches over.
            wait_until(lambda: highest_attempt() > 1)
            second.plug()
            wait_until(lambda: look(started).status == "FAILED")
            ended = look(started)
            assert ended.not_processed == 0
            assert ended.failed == len(failures(started))
            keys = {one[:3] for one in listed(seller)}
            assert (ended.status, ended.total, ended.created, ended.failed, keys) == quiet
            assert list(verify_across(looking_on, data, started)) == []
            with web.entered():
                assert attributes(browser.get(details))["status"] == "FAILED"
            db.session.remove()
            db.engine.dispose()


def highest_attempt() -> int:
    db.session.rollback()
    return max(db.session.scalars(db.select(Batch.attempt)))


def verify_across(looking_on: Flask, data, started: Import) -> list[str]:
    """The faults in the books, with the source read where the storage is."""
    with data.entered():
        return list(ledger.find_faults(started))
