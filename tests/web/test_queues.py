"""rq-dashboard shows operators the queues and changes nothing."""

from __future__ import annotations

import pickle
import re
import tracemalloc
import zlib
from base64 import b64encode
from collections.abc import Callable
from uuid import uuid4

import pytest
from flask import Flask, current_app
from flask.testing import FlaskClient
from rq import Worker
from rq.serializers import JSONSerializer

from app import redis_client as redis_module
from app.jobs.queue import AllowedJob, open_queue
from app.models import Seller
from app.redis_client import TIMEOUT_SECONDS, redis_client
from tests.factories import make_items, row, start

ROOT = "/ops/queues"


@pytest.mark.parametrize("path", ["/", "/0/view/workers", "/0/data/queues.json", "/static/js/jquery-3.5.1.min.js"])
def test_for_operators_only(app: Flask, client: FlaskClient, operator: FlaskClient, path: str) -> None:
    assert client.get(ROOT + path).status_code == 404
    assert app.test_client().get(ROOT + path).location.startswith("/login")
    assert operator.get(ROOT + path).status_code == 200


def test_it_shows_the_jobs(operator: FlaskClient, seller: Seller) -> None:
    make_items()
    started = start(seller, [row()])
    queues = operator.get(f"{ROOT}/0/data/queues.json").json["queues"]
    assert [(one["name"], one["count"]) for one in queues] == [("sluice", 1)]
    jobs = operator.get(f"{ROOT}/0/data/jobs/sluice/queued/8/asc/1.json").json["jobs"]
    job_id = f"b{started.id}-1-a1"
    assert [one["id"] for one in jobs] == [job_id]
    assert operator.get(f"{ROOT}/0/view/job/{job_id}").status_code == 200
    assert operator.get(f"{ROOT}/0/data/job/{job_id}.json").json["id"] == job_id


def register_worker() -> Worker:
    """Register a worker in Redis, through a separate client as in a worker's process."""
    connection = redis_module.connect(current_app.config["REDIS_URL"])
    queue = open_queue(connection)
    worker = Worker([queue], name=uuid4().hex, connection=connection, job_class=AllowedJob, serializer=JSONSerializer)
    worker.register_birth()
    return worker


def test_a_busy_worker_is_shown(operator: FlaskClient, seller: Seller) -> None:
    make_items()
    start(seller, [row()])
    register_worker().prepare_execution(open_queue(redis_client()).get_jobs()[0])
    (shown,) = operator.get(f"{ROOT}/0/data/workers.json").json["workers"]
    assert shown["current_job"]["job_id"].endswith("-1-a1")


def test_nothing_is_changed_through_it(app: Flask, operator: FlaskClient, seller: Seller) -> None:
    make_items()
    started = start(seller, [row()])
    before = {key: redis_client().type(key) for key in redis_client().scan_iter()}
    refused = 0
    for rule in app.url_map.iter_rules():
        if not rule.endpoint.startswith("rq_dashboard."):
            continue
        names = {"queue_name": "sluice", "job_id": f"b{started.id}-1-a1", "registry_name": "queued", "order": "asc"}
        values = {name: names.get(name, 0 if name == "instance_number" else 1) for name in rule.arguments}
        path = rule.build(values)[1]
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            token = re.search('csrf_token" value="([^"]+)', operator.get("/imports/upload").text)[1]
            answer = operator.open(path, method=method, data={"csrf_token": token} if method == "POST" else None)
            if method == "POST" or "requeue" in path:
                assert answer.status_code in {404, 405}, path
                refused += 1
    assert refused >= 5
    assert {key: redis_client().type(key) for key in redis_client().scan_iter()} == before


def test_its_pages_run_their_own_script_and_no_other(operator: FlaskClient) -> None:
    answer = operator.get(f"{ROOT}/")
    policy = answer.headers["Content-Security-Policy"]
    scripts = policy.partition("script-src ")[2].partition(";")[0]
    nonce = re.search("nonce-([^']+)", scripts)[1]
    assert "unsafe-inline" not in scripts
    inline = [tag for tag in re.findall("<script[^>]*>", answer.text) if "src=" not in tag and "template" not in tag]
    assert inline == [f'<script nonce="{nonce}" type="text/javascript">']
    assert nonce not in operator.get(f"{ROOT}/").text
    assert "unsafe" not in operator.get("/ops").headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path", ["/1/view/queues", "/0/view/jobs/a%5C/queued/8/asc/1", "/0/view/jobs/sluice/;alert(1)/8/asc/1"]
)
def test_what_is_no_name_is_not_there(operator: FlaskClient, path: str) -> None:
    assert operator.get(ROOT + path).status_code == 404


def test_its_values_are_shown_as_texts(operator: FlaskClient, seller: Seller) -> None:
    make_items()
    started = start(seller, [row()])
    for path in ("", "0/view/workers", "0/view/jobs", f"0/view/job/b{started.id}-1-a1"):
        page = operator.get(f"{ROOT}/{path}", follow_redirects=True).text
        assert "<%-" in page
        assert "<%=" not in page
        assert 'href="/ops"' in page


def test_looking_at_it_leaves_the_application_its_patience(app: Flask, operator: FlaskClient) -> None:
    register_worker()
    assert operator.get(f"{ROOT}/0/data/workers.json").json["workers"]
    for client in (redis_client(), app.extensions["sluice_dashboard_redis"]):
        assert client.connection_pool.connection_kwargs["socket_timeout"] == TIMEOUT_SECONDS
    assert app.extensions["sluice_dashboard_redis"].connection_pool is not redis_client().connection_pool


def test_what_is_not_there_is_not_found(operator: FlaskClient) -> None:
    for path in (
        "view/job/x",
        "data/job/x.json",
        "view/jobs/sluice/queued/100000/asc/1",
        "data/jobs/x/queued/-1/asc/1.json",
    ):
        assert operator.get(f"{ROOT}/0/{path}").status_code == 404, path


def test_a_job_that_redis_has_lost_stays_where_it_is(operator: FlaskClient) -> None:
    redis_client().sadd("rq:queues", "rq:queue:sluice")
    redis_client().rpush("rq:queue:sluice", "lost")
    assert operator.get(f"{ROOT}/0/data/jobs/sluice/queued/8/asc/1.json").json["jobs"] == []
    assert redis_client().lrange("rq:queue:sluice", 0, -1) == [b"lost"]


@pytest.mark.parametrize("field", ["data", "exc_info", "description", "result"])
def test_what_is_too_large_for_a_job_is_not_brought_here(operator: FlaskClient, field: str) -> None:
    job = open_queue(redis_client()).create_job("app.imports.worker.batch_job.run", args=[1, 2, 3, 4], job_id="large")
    open_queue(redis_client()).enqueue_job(job)
    if field == "result":
        packed = b64encode(zlib.compress(bytes(64 << 20)))
        redis_client().xadd("rq:results:large", {"type": 2, "exc_string": packed, "created_at": "1"})
    else:
        content = "x" * (64 << 20) if field == "description" else zlib.compress(bytes(64 << 20))
        redis_client().hset("rq:job:large", field, content)
    operator.get(f"{ROOT}/0/view/workers")
    for path in ("view/job/large", "data/job/large.json", "data/jobs/sluice/queued/8/asc/1.json"):
        tracemalloc.start()
        answer = operator.get(f"{ROOT}/0/{path}")
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < 16 << 20, path
        assert answer.status_code in {200, 404}, path


@pytest.mark.parametrize(
    ("key", "field"),
    [("rq:job:odd", "data"), ("rq:job:odd", "status"), ("rq:job:odd", "created_at"), ("rq:queue:sluice", "")],
)
def test_what_rq_would_not_write_is_told_as_that(operator: FlaskClient, key: str, field: str) -> None:
    job = open_queue(redis_client()).create_job("app.imports.worker.batch_job.run", args=[1, 2, 3, 4], job_id="odd")
    open_queue(redis_client()).enqueue_job(job)
    redis_client().hset(key, field, "\0odd") if field else redis_client().set(key, "x")
    answers = [
        operator.get(f"{ROOT}/0/{path}") for path in ("data/jobs/sluice/queued/8/asc/1.json", "data/job/odd.json")
    ]
    # Data that is not packed RQ takes for what it is, and that is shown.
    assert {answer.status_code for answer in answers} == (
        {200} if field == "data" else {200, 404} if not field else {404}
    )


def test_nothing_that_lies_in_redis_is_unpickled(operator: FlaskClient, tmp_path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
            return (open, (str(tmp_path / "sprung"), "w"))

    job = open_queue(redis_client()).create_job("app.imports.worker.batch_job.run", args=[1, 2, 3, 4], job_id="trap")
    open_queue(redis_client()).enqueue_job(job)
    redis_client().hset("rq:job:trap", mapping={"meta": pickle.dumps(Trap()), "data": pickle.dumps(Trap())})
    for path in ("view/job/trap", "data/job/trap.json", "data/jobs/sluice/queued/8/asc/1.json"):
        operator.application.config["PROPAGATE_EXCEPTIONS"] = False
        operator.get(f"{ROOT}/0/{path}")
    operator.application.config["PROPAGATE_EXCEPTIONS"] = None
    assert not (tmp_path / "sprung").exists()


def test_without_redis_it_says_so(operator: FlaskClient, take_redis_away: Callable[[], None]) -> None:
    take_redis_away()
    answer = operator.get(f"{ROOT}/")
    assert answer.status_code == 503
    assert "Redis does not answer." in answer.text
