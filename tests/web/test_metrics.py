"""Metrics for Prometheus, and the logs."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from app.extensions import db
from app.models import Seller
from app.observability import metrics
from app.observability.logs import JsonFormatter
from app.queries import BatchKey, operations
from tests.conftest import make_seller, sign_in
from tests.factories import make_items, row, start

TOKEN = {"Authorization": "Bearer for tests"}


@pytest.fixture(autouse=True)
def token(app: Flask) -> Iterator[None]:
    settings = app.extensions["sluice_settings"]
    object.__setattr__(settings, "metrics_token", "for tests")
    yield
    object.__setattr__(settings, "metrics_token", "")


def scrape(client: FlaskClient) -> dict[tuple[str, tuple[str, ...]], float]:
    """All samples by name and the values of their labels."""
    answer = client.get("/metrics", headers=TOKEN)
    assert answer.status_code == 200
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_only_who_shows_the_token_or_operates_sees_metrics(app: Flask, client: FlaskClient) -> None:
    stranger = app.test_client()
    assert stranger.get("/metrics").status_code == 404
    assert stranger.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 404
    assert client.get("/metrics").status_code == 404
    operator = make_seller("operator@example.com")
    operator.is_operator = True
    db.session.commit()
    assert sign_in(app, operator).get("/metrics").status_code == 200
    assert stranger.get("/metrics", headers=TOKEN).status_code == 200


def test_without_a_token_no_empty_one_will_do(app: Flask) -> None:
    object.__setattr__(app.extensions["sluice_settings"], "metrics_token", "")
    assert app.test_client().get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


def test_rows_and_stages_are_counted(app: Flask, seller: Seller, run_jobs: Callable[[], None]) -> None:
    make_items()
    stranger = app.test_client()
    before = scrape(stranger)
    start(seller, [row(), row(urn="urn:test:2"), row(urn="urn:none")])
    queued = scrape(stranger)
    assert queued["sluice_batches", ("queued",)] == 1
    assert queued["sluice_imports", ("running",)] == 1
    assert queued["sluice_largest_seller_share", ()] == 1
    run_jobs()
    operations.note_workers("host-a", [1, 2])
    db.session.commit()
    after = scrape(stranger)

    def grown(name: str, *labels: str) -> float:
        return after[name, labels] - before.get((name, labels), 0)

    assert grown("sluice_rows_total", "created") == 2
    assert grown("sluice_rows_total", "failed") == 1
    for stage in ("read", "items", "create", "errors", "commit"):
        assert grown("sluice_chunk_seconds_count", stage) == 1
    assert grown("sluice_attempts_total", "COMPLETED") == 1
    assert grown("sluice_queue_wait_seconds_count", "import") == 1
    assert after["sluice_http_seconds_count", ("GET", "/metrics", "200")] >= 2
    assert (after["sluice_redis_up", ()], after["sluice_database_up", ()]) == (1, 1)
    assert after["sluice_workers", ("host-a",)] == 2
    assert ("sluice_repairs_total", ("batches_reclaimed",)) in after


def test_metrics_are_there_when_redis_is_not(app: Flask, take_redis_away: Callable[[], None]) -> None:
    take_redis_away()
    assert scrape(app.test_client())["sluice_redis_up", ()] == 0


def test_a_slot_is_anothers_only_when_it_is_free(tmp_path) -> None:
    names = [metrics._take_slot(tmp_path, "worker") for _ in range(2)]
    assert names == ["worker0", "worker1"]


@pytest.mark.parametrize("name", ["a\nb.csv", 'a"b\u2028.csv', "\x1b[31m.csv"])
def test_a_log_line_is_one_line_whatever_a_file_is_called(name: str) -> None:
    record = logging.LogRecord("sluice", logging.INFO, __file__, 1, "got %s", (name,), None)
    record.batch = BatchKey(1, 2, 3)
    line = JsonFormatter().format(record)
    assert line.isascii()
    assert line.isprintable()
    told = json.loads(line)
    assert told["message"] == f"got {name}"
    assert (told["seller"], told["import"], told["batch"]) == (1, 2, 3)


def test_a_line_for_each_request_and_each_batch(
    client: FlaskClient, seller: Seller, run_jobs: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    make_items()
    made = start(seller, [row()])
    caplog.set_level(logging.INFO)
    client.get(f"/imports/{made.public_id}?secret=1")
    run_jobs()
    lines = [json.loads(JsonFormatter().format(record)) for record in caplog.records]
    (request,) = [line for line in lines if line["message"] == "request"]
    assert (request["method"], request["status"], request["seller"]) == ("GET", 200, seller.id)
    assert request["route"] == "/imports/<uuid:public_id>"
    assert "secret" not in json.dumps(request)
    (batch,) = [line for line in lines if line["message"] == "attempt ended"]
    assert {name: batch[name] for name in ("seller", "import", "batch", "attempt", "rows", "end")} == {
        "seller": seller.id,
        "import": made.id,
        "batch": 1,
        "attempt": 1,
        "rows": 1,
        "end": "COMPLETED",
    }
