"""The reconciler and the dispatcher: what they repair, what they leave alone, whose turn it is."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from flask import Flask
from redis import ConnectionError as RedisConnectionError
from redis import Redis
from redis.client import Pipeline
from sqlalchemy import event, text

from app.extensions import db
from app.imports import reconcile
from app.imports.reconcile import Repairs
from app.jobs import queue
from app.models import Batch, Import, Seller
from app.queries import BatchKey, ImportKey
from app.queries.imports import lookups, reconciler, transitions
from app.redis_client import redis_client
from tests.conftest import make_seller
from tests.factories import look, make_items, row, start
from tests.processes import wait_until

RunJobs = Callable[[], None]


@pytest.fixture(autouse=True)
def one_row_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.csvfile.scan.rows_per_batch", lambda *_: 1)


def upload(seller: Seller, batches: int = 1) -> Import:
    return start(seller, [row(urn=f"urn:test:{n}") for n in range(1, batches + 1)])


def sweep() -> Repairs:
    repairs = reconcile.sweep(force=True)
    assert repairs is not None
    return repairs


def age(statement: str) -> None:
    db.session.execute(text(statement))
    db.session.commit()


def numbers_waiting() -> list[str]:
    return [job_id.decode() for job_id in redis_client().lrange("rq:queue:sluice", 0, -1)]


def test_a_quiet_sweep_does_nothing(seller: Seller) -> None:
    make_items()
    upload(seller)
    assert sweep() == Repairs(0, 0, 0, 0)


def test_jobs_that_redis_has_lost_are_sent_again(seller: Seller, run_jobs: RunJobs) -> None:
    make_items()
    started = upload(seller, 3)
    redis_client().flushdb()
    assert sweep().lost_jobs == 0, "they may still be on their way"
    age("update batches set dispatched_at = dispatched_at - interval '1 minute'")
    assert sweep() == Repairs(0, 0, 3, 3)
    run_jobs()
    assert look(started).status == "COMPLETED"


def test_the_jobs_of_the_release_before_are_run(
    seller: Seller, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_items()
    monkeypatch.setattr(queue, "RUN_BATCH", "app.imports.batch_job.run")
    started = upload(seller, 3)
    monkeypatch.undo()
    run_jobs()
    assert look(started).status == "COMPLETED"


def test_a_job_that_waits_in_redis_is_not_lost_however_long_it_waits(seller: Seller) -> None:
    make_items()
    upload(seller)
    age("update batches set dispatched_at = dispatched_at - interval '1 day'")
    assert sweep() == Repairs(0, 0, 0, 0)


def test_an_upload_whose_jobs_never_reached_redis_is_sent_by_the_next_sweep(
    app: Flask, seller: Seller, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_items()
    with monkeypatch.context() as patch:
        patch.setitem(app.extensions, "sluice_redis", Redis(port=1))
        started = upload(seller, 2)
    assert numbers_waiting() == []
    assert sweep().sent == 2
    run_jobs()
    assert look(started).status == "COMPLETED"


def test_the_batch_of_a_dead_worker_is_reclaimed_and_finished(app: Flask, seller: Seller, run_jobs: RunJobs) -> None:
    make_items()
    started = upload(seller)
    key = BatchKey(seller.id, started.id, 1)
    redis_client().flushdb()
    assert transitions.claim(key, 1)
    age("update batches set heartbeat_at = now() - interval '1 hour'")
    assert sweep() == Repairs(1, 0, 0, 1)
    assert db.session.get_one(Batch, tuple(key)).attempt == 2
    run_jobs()
    assert look(started).status == "COMPLETED"


def test_a_worker_that_stands_still_in_the_middle_of_a_copy_loses_its_locks(app: Flask, seller: Seller) -> None:
    make_items()
    started = upload(seller)
    batch = BatchKey(seller.id, started.id, 1)
    transitions.claim(batch, 1)
    age("update batches set heartbeat_at = heartbeat_at - interval '1 hour'")
    address = db.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    with psycopg.connect(address) as frozen, psycopg.connect(address) as other:
        for connection, name in ((frozen, "sluice chunk"), (other, "somebody else")):
            connection.execute(f"set application_name = '{name}'")
            connection.execute("select 1")
        frozen.execute("select 1 from batches for no key update")
        copying = frozen.cursor().copy("copy listings from stdin")
        copying.__enter__()
        assert sweep().reclaimed == 0
        assert reconciler.end_overdue_transactions(lease_seconds=0) == 1
        db.session.commit()
        wait_until(lambda: sweep().reclaimed)
        with pytest.raises(psycopg.OperationalError):
            copying.__exit__(None, None, None)
        other.execute("select 1")


def test_a_batch_that_meets_with_trouble_again_rests_a_while(seller: Seller) -> None:
    make_items()
    started = upload(seller)
    redis_client().flushdb()
    assert transitions.claim(BatchKey(seller.id, started.id, 1), 1)
    age("update batches set heartbeat_at = now() - interval '1 hour', fruitless_attempts = 1")
    assert sweep() == Repairs(1, 0, 0, 0)
    assert numbers_waiting() == []
    age("update batches set updated_at = now() - interval '1 minute'")
    assert sweep().sent == 1


def test_a_pausing_import_whose_last_worker_died_is_paused(seller: Seller) -> None:
    make_items()
    started = upload(seller, 2)
    key = ImportKey(seller.id, started.id)
    assert transitions.claim(BatchKey(*key, 1), 1)
    assert transitions.request_pause(key)
    age("update batches set heartbeat_at = now() - interval '1 hour' where status = 'RUNNING'")
    assert sweep().settled == 1
    assert look(started).status == "PAUSED"


def test_an_import_whose_reconciler_job_was_lost_is_settled(seller: Seller, run_jobs: RunJobs) -> None:
    make_items()
    started = upload(seller)
    run_jobs()
    age("update imports set status = 'RUNNING', finished_at = null")
    assert sweep().settled == 1
    assert look(started).status == "COMPLETED"


def test_only_one_sweeps_at_a_time_and_not_twice_within_a_tick(app: Flask) -> None:
    assert reconcile.sweep(force=True) is not None
    assert reconcile.sweep() is None
    age("update reconciler set last_run_at = now() - interval '1 hour'")
    with db.engine.connect() as another, another.begin():
        another.execute(text("select 1 from reconciler for update"))
        assert reconcile.sweep(force=True) is None
    assert reconcile.sweep() is not None


@pytest.mark.parametrize("back", ["1 hour", "1 day"])
def test_a_clock_that_was_set_back_holds_nothing_up(seller: Seller, run_jobs: RunJobs, back: str) -> None:
    make_items()
    started = upload(seller, 3)
    key = ImportKey(seller.id, started.id)
    # Of three batches, one was running, one had failed again, and the job of the third is lost.
    redis_client().flushdb()
    assert transitions.claim(BatchKey(*key, 1), 1)
    age("update batches set fruitless_attempts = 4, dispatched_at = null where number = 2")
    sweep()
    age(f"""
        update batches set heartbeat_at = heartbeat_at + interval '{back}', updated_at = updated_at + interval '{back}',
            dispatched_at = dispatched_at + interval '{back}';
        update reconciler set last_run_at = last_run_at + interval '{back}'
    """)
    assert reconcile.sweep() == Repairs(1, 0, 1, 3)
    run_jobs()
    assert look(started).status == "COMPLETED"


def test_the_queue_holds_few_jobs_and_is_filled_again(seller: Seller) -> None:
    make_items(20)
    upload(seller, 20)
    assert len(numbers_waiting()) == 4
    assert queue.send_waiting_jobs().sent == 0


def test_all_that_there_is_room_for_goes_to_redis_at_once(seller: Seller, monkeypatch: pytest.MonkeyPatch) -> None:
    make_items(20)
    commits: list[object] = []
    sent: list[int] = []
    execute = Pipeline.execute

    def note(connection: object) -> None:
        commits.append(connection)

    monkeypatch.setattr(Pipeline, "execute", lambda self, **how: sent.append(len(self)) or execute(self, **how))
    with monkeypatch.context() as patch:
        patch.setattr("app.imports.commands.queue.send_waiting_jobs", lambda: None)
        upload(seller, 20)
    event.listen(db.engine, "commit", note)
    try:
        assert queue.send_waiting_jobs().sent == 4
    finally:
        event.remove(db.engine, "commit", note)
    assert (len(commits), len(sent)) == (1, 1)
    assert [name.split("-")[1] for name in numbers_waiting()] == ["1", "2", "3", "4"]


def test_batches_that_redis_does_not_take_wait_for_the_next_sweep(
    seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_items()

    def fail(self: Pipeline, **_: object) -> None:
        raise RedisConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(Pipeline, "execute", fail)
        upload(seller, 3)
        assert queue.send_waiting_jobs().trouble is not None
    assert numbers_waiting() == []
    assert sweep() == Repairs(0, 0, 0, 3)
    assert len(numbers_waiting()) == 3


def test_a_batch_that_another_process_writes_is_not_waited_for(app: Flask, seller: Seller) -> None:
    make_items()
    started = upload(seller, 3)
    redis_client().flushdb()
    age("update batches set dispatched_at = null")
    with db.engine.connect() as other:
        other.execute(text("select 1 from batches where number = 2 for update"))
        assert queue.send_waiting_jobs().sent == 2
    assert numbers_waiting() == [f"b{started.id}-1-a1", f"b{started.id}-3-a1"]
    assert queue.send_waiting_jobs().sent == 1


def test_turns_go_round_over_sellers_and_then_over_their_imports(seller: Seller) -> None:
    make_items(20)
    others = [make_seller(f"{name}@example.com") for name in ("b", "c")]
    first = upload(seller, 10)
    # Four of the first seller's batches are under way already.
    second, third, fourth = upload(seller, 3), upload(others[0], 3), upload(others[1], 1)
    turns = [(key.import_id, key.number) for key, _ in lookups.find_next_to_dispatch(9)]
    assert turns[:4] == [(third.id, 1), (fourth.id, 1), (third.id, 2), (third.id, 3)]
    # Then the first seller's: the second import has had no turn yet, so it comes first.
    assert turns[4:] == [(second.id, 1), (second.id, 2), (second.id, 3), (first.id, 5), (first.id, 6)]


def test_a_paused_import_gets_no_turn(seller: Seller, other_seller: Seller) -> None:
    make_items()
    started = upload(seller, 3)
    redis_client().flushdb()
    age("update batches set dispatched_at = null")
    assert transitions.request_pause(ImportKey(seller.id, started.id))
    assert lookups.find_next_to_dispatch(10) == []
