"""What goes to Redis and what comes back from it, without a server."""

from __future__ import annotations

import tracemalloc
import zlib

import pytest
from fakeredis import FakeRedis
from flask import Flask
from redis import ConnectionError as RedisConnectionError
from redis import Redis, ResponseError
from rq import Queue
from rq.exceptions import StopRequested
from rq.job import Job
from rq.serializers import JSONSerializer

from app import diagnosis, redis_client
from app.deliveries import job
from app.imports import settling
from app.imports.worker import batch_job, stop_signal
from app.jobs import queue
from app.jobs.queue import AllowedJob, ForbiddenFunction, open_queue
from app.queries import BatchKey, ImportKey

KEY = ImportKey(7, 42)


@pytest.fixture
def fake() -> FakeRedis:
    return FakeRedis()


@pytest.fixture
def app_with(fake: Redis):
    """An application context whose Redis is the fake one, or another."""

    def push(client: Redis = fake) -> None:
        app = Flask("test")
        redis_client.init_app(app, "redis://localhost")
        app.extensions["sluice_redis"] = client
        contexts.append(app.app_context())
        contexts[-1].push()

    contexts: list = []
    yield push
    for context in reversed(contexts):
        context.pop()


def test_a_signal_is_heard_until_it_is_cleared(app_with) -> None:
    app_with()
    listener = stop_signal.Listener(KEY)
    assert not listener.poll()
    stop_signal.send(KEY)
    assert listener.poll()
    assert not stop_signal.Listener(ImportKey(7, 43)).poll()
    stop_signal.clear(KEY)
    assert not listener.poll()


@pytest.mark.parametrize("garbage", [b"pause", b"", b"\xff\xfe", b"STOP"])
def test_a_signal_that_is_none_of_ours_is_not_heard(app_with, fake: FakeRedis, garbage: bytes) -> None:
    app_with()
    fake.set("sluice:control:42", garbage)
    assert not stop_signal.Listener(KEY).poll()


def test_a_signal_of_another_type_is_not_heard(app_with, fake: FakeRedis) -> None:
    app_with()
    fake.rpush("sluice:control:42", "stop")
    assert not stop_signal.Listener(KEY).poll()


def test_a_forgotten_signal_does_not_stay_for_ever(app_with, fake: FakeRedis) -> None:
    app_with()
    stop_signal.send(KEY)
    assert 0 < fake.ttl("sluice:control:42") <= 24 * 3600


def test_a_redis_that_is_away_neither_fails_nor_is_asked_again_at_once(app_with) -> None:
    asked = 0

    class Away(FakeRedis):
        def execute_command(self, *args, **options):
            nonlocal asked
            asked += 1
            raise RedisConnectionError

    app_with(Away())
    stop_signal.send(KEY)
    stop_signal.clear(KEY)
    listener = stop_signal.Listener(KEY)
    before = asked
    assert [listener.poll() for _ in range(10)] == [False] * 10
    assert asked == before + 1


def test_a_job_carries_nothing_but_ids(app_with, fake: FakeRedis) -> None:
    app_with()
    key = BatchKey(7, 42, 3)
    queue._enqueue(queue.RUN_BATCH, (*key, 2), job_id=queue.batch_job_id(key, 2))
    assert queue.waiting_job_ids() == {"b42-3-a2"}
    job = AllowedJob.fetch("b42-3-a2", connection=fake, serializer=JSONSerializer)
    assert (job.func_name, job.args, job.kwargs) == ("app.imports.worker.batch_job.run", [7, 42, 3, 2], {})


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("app.imports.batch_job.run", batch_job.run),
        (queue.RUN_BATCH, batch_job.run),
        ("app.imports.reconcile.run", settling.run),
        (queue.DELIVER, job.run),
    ],
)
def test_jobs_of_this_release_and_the_one_before_are_run(fake: FakeRedis, name: str, function: object) -> None:
    Job.create(name, args=(1, 2), connection=fake, serializer=JSONSerializer, id="waiting").save()
    assert AllowedJob.fetch("waiting", connection=fake, serializer=JSONSerializer).func is function


@pytest.mark.parametrize("function", ["os.system", "app.imports.commands.terminate", "subprocess.call"])
def test_other_functions_are_not_run_whatever_redis_says(fake: FakeRedis, function: str) -> None:
    job = Job.create(function, args=("true",), connection=fake, serializer=JSONSerializer, id="evil")
    job.save()
    fetched = AllowedJob.fetch("evil", connection=fake, serializer=JSONSerializer)
    with pytest.raises(ForbiddenFunction):
        fetched.perform()


def test_callbacks_are_not_run_whatever_redis_says(fake: FakeRedis) -> None:
    open_queue(fake).enqueue_call(queue.DELIVER, args=[], job_id="r2")
    fake.hset("rq:job:r2", "success_callback_name", "os.abort")
    fake.hset("rq:job:r2", "failure_callback_name", "os.abort")
    fetched = AllowedJob.fetch("r2", connection=fake, serializer=JSONSerializer)
    assert fetched.success_callback is fetched.failure_callback is fetched.stopped_callback is None


def take(fake: FakeRedis) -> str:
    """The id of the job that a worker would run next."""
    ours = open_queue(fake)
    taken = Queue.dequeue_any([ours], None, fake, job_class=AllowedJob, serializer=JSONSerializer)
    assert taken is not None
    return taken[0].id


@pytest.mark.parametrize(
    ("field", "poison"),
    [
        ("status", b"none"),
        ("timeout", b"soon"),
        ("created_at", b"yesterday"),
        ("origin", b"\xff"),
        ("dependency_ids", b"{"),
        ("result_ttl", b"x"),
    ],
)
def test_a_worker_passes_over_a_job_that_rq_has_not_written(
    app_with, fake: FakeRedis, field: str, poison: bytes
) -> None:
    app_with()
    for job_id in ("poisoned", "ours"):
        queue._enqueue(queue.DELIVER, (), job_id=job_id)
    fake.hset("rq:job:poisoned", field, poison)
    assert take(fake) == "ours"


def test_a_worker_passes_over_a_job_that_is_something_else(app_with, fake: FakeRedis) -> None:
    app_with()
    for job_id in ("poisoned", "ours"):
        queue._enqueue(queue.DELIVER, (), job_id=job_id)
    fake.delete("rq:job:poisoned")
    fake.set("rq:job:poisoned", "x")
    assert take(fake) == "ours"


@pytest.mark.slow
def test_a_worker_that_is_asked_to_stop_while_it_reads_a_job_stops(fake: FakeRedis, monkeypatch) -> None:
    # RQ's handler of the signal raises this wherever the worker is; passed over as a malformed job, it would be lost.
    def be_asked_to_stop(_: str) -> None:
        raise StopRequested

    monkeypatch.setattr(fake, "hgetall", be_asked_to_stop)
    with pytest.raises(StopRequested):
        AllowedJob("a-job", connection=fake, serializer=JSONSerializer).refresh()


def test_a_job_that_unpacks_to_more_than_ours_is_not_unpacked(app_with, fake: FakeRedis) -> None:
    app_with()
    for job_id in ("bomb", "ours"):
        queue._enqueue(queue.DELIVER, (), job_id=job_id)
    packing = zlib.compressobj(1)
    megabyte = bytes(1 << 20)
    packed = b"".join([*(packing.compress(megabyte) for _ in range(256)), packing.flush()])
    fake.hset("rq:job:bomb", "data", packed)
    tracemalloc.start()
    try:
        assert take(fake) == "ours"
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()


def test_what_can_be_no_id_is_removed_from_the_queues(app_with, fake: FakeRedis) -> None:
    app_with()
    queue._enqueue(queue.DELIVER, (), job_id="ours")
    for key in ("rq:queue:sluice", "rq:queue:sluice:intermediate", "rq:queue:sluice-deliveries"):
        fake.lpush(key, b"\xff", b"\xff")
    assert queue.waiting_job_ids() == {"\ufffd", "ours"}
    assert queue.remove_malformed_ids() == 6
    assert queue.remove_malformed_ids() == 0
    assert queue.waiting_job_ids() == {"ours"}


@pytest.mark.parametrize(
    "key", ["rq:queue:sluice", "rq:queue:sluice-deliveries", "rq:workers", "rq:workers:sluice", "rq:wip:sluice"]
)
def test_a_key_of_the_wrong_type_is_told(app_with, fake: FakeRedis, key: str) -> None:
    app_with()
    queue.check_accepts_jobs()
    fake.set(key, "x")
    with pytest.raises(ResponseError) as raised:
        queue.check_accepts_jobs()
    assert diagnosis.of_redis(raised.value).state == "foreign data"


def test_a_job_that_was_delivered_twice_has_not_failed(app_with, fake: FakeRedis) -> None:
    app_with()
    queue._enqueue(queue.DELIVER, (), job_id="twice")
    both = [AllowedJob.fetch("twice", connection=fake, serializer=JSONSerializer) for _ in range(2)]
    for one in both:
        one.cleanup(ttl=0, remove_from_queue=False)
    assert not fake.exists("rq:job:twice")
