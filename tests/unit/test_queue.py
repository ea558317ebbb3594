"""What goes to Redis and what comes back from it, without a server."""

from __future__ import annotations

import pytest
from fakeredis import FakeRedis
from flask import Flask
from redis import ConnectionError as RedisConnectionError
from redis import Redis
from rq.job import Job
from rq.serializers import JSONSerializer

from app import redis_store
from app.imports import control, queue
from app.imports.queue import AllowedJob, ForbiddenFunction, open_queue
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
        redis_store.init_app(app, "redis://localhost")
        app.extensions["sluice_redis"] = client
        contexts.append(app.app_context())
        contexts[-1].push()

    contexts: list = []
    yield push
    for context in reversed(contexts):
        context.pop()


def test_a_signal_is_heard_until_it_is_cleared(app_with) -> None:
    app_with()
    listener = control.Listener(KEY)
    assert listener.poll() is None
    control.send(KEY, control.Signal.PAUSE)
    assert listener.poll() is control.Signal.PAUSE
    assert control.Listener(ImportKey(7, 43)).poll() is None
    control.clear(KEY)
    assert listener.poll() is None


def test_a_forgotten_signal_does_not_stay_for_ever(app_with, fake: FakeRedis) -> None:
    app_with()
    control.send(KEY, control.Signal.TERMINATE)
    assert 0 < fake.ttl("sluice:control:42") <= 24 * 3600


def test_a_redis_that_is_away_neither_fails_nor_is_asked_again_at_once(app_with) -> None:
    asked = 0

    class Away(FakeRedis):
        def execute_command(self, *args, **options):
            nonlocal asked
            asked += 1
            raise RedisConnectionError

    app_with(Away())
    control.send(KEY, control.Signal.PAUSE)
    control.clear(KEY)
    listener = control.Listener(KEY)
    before = asked
    assert [listener.poll() for _ in range(10)] == [None] * 10
    assert asked == before + 1


def test_a_job_carries_nothing_but_ids(app_with, fake: FakeRedis) -> None:
    app_with()
    key = BatchKey(7, 42, 3)
    queue._enqueue(queue.RUN_BATCH, (*key, 2), job_id=queue.batch_job_id(key, 2))
    assert queue.waiting_job_ids() == {"b42-3-a2"}
    job = AllowedJob.fetch("b42-3-a2", connection=fake, serializer=JSONSerializer)
    assert (job.func_name, job.args, job.kwargs) == ("app.imports.batch_job.run", [7, 42, 3, 2], {})


@pytest.mark.parametrize("function", ["os.system", "app.imports.commands.terminate", "subprocess.call"])
def test_other_functions_are_not_run_whatever_redis_says(fake: FakeRedis, function: str) -> None:
    job = Job.create(function, args=("true",), connection=fake, serializer=JSONSerializer, id="evil")
    job.save()
    fetched = AllowedJob.fetch("evil", connection=fake, serializer=JSONSerializer)
    with pytest.raises(ForbiddenFunction):
        fetched.perform()


def test_callbacks_are_not_run_whatever_redis_says(fake: FakeRedis) -> None:
    open_queue(fake).enqueue_call(queue.RECONCILE, args=[1, 2], job_id="r2")
    fake.hset("rq:job:r2", "success_callback_name", "os.abort")
    fake.hset("rq:job:r2", "failure_callback_name", "os.abort")
    fetched = AllowedJob.fetch("r2", connection=fake, serializer=JSONSerializer)
    assert fetched.success_callback is fetched.failure_callback is fetched.stopped_callback is None
