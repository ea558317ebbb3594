"""rq-dashboard shows operators the queues and changes nothing."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from rq import Worker
from rq.serializers import JSONSerializer

from app.imports.queue import AllowedJob, open_queue
from app.models import Seller
from app.redis_store import redis_client
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


def test_a_busy_worker_is_shown(operator: FlaskClient, seller: Seller) -> None:
    make_items()
    start(seller, [row()])
    queue = open_queue(redis_client())
    worker = Worker([queue], connection=redis_client(), job_class=AllowedJob, serializer=JSONSerializer)
    worker.register_birth()
    worker.prepare_execution(queue.get_jobs()[0])
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


def test_nothing_that_lies_in_redis_is_unpickled(operator: FlaskClient, tmp_path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
            return (open, (str(tmp_path / "sprung"), "w"))

    job = open_queue(redis_client()).create_job("app.imports.batch_job.run", args=[1, 2, 3, 4], job_id="trap")
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
