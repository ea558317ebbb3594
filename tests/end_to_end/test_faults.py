"""Whatever dies, an import comes to what a quiet run comes to."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Iterator

import psutil
import psycopg
import pytest
from flask import Flask
from redis import Redis

from app.extensions import db
from app.imports import commands, conversions
from app.jobs import queue
from app.models import Batch, Conversion, Import, Seller
from app.statuses import ImportKind
from app.storage import current_storage
from tests import foreign
from tests.conftest import make_seller
from tests.factories import csv_bytes, failures, listed, look, make_items, row, start
from tests.gate import Gate
from tests.processes import children, horses, kill, wait_until, workers


@pytest.fixture
def slow(environ: dict[str, str]) -> dict[str, str]:
    """Workers with the smallest chunks, so that there is time to do something to them."""
    return {**environ, "CHUNK_SECONDS": "0.001"}


@pytest.fixture
def file(app: Flask, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Rows of every kind, also such that repeat each other across six batches."""
    monkeypatch.setattr("app.batch_plan.MIN_BATCH_ROWS", 2_000)
    make_items(400)
    return generate(12_000)


@pytest.fixture
def gate(app: Flask, environ: dict[str, str]) -> Iterator[Gate]:
    """What holds the workers still between two chunks; open at first."""
    gate = Gate(environ["DATABASE_URL"])
    yield gate
    gate.dispose()


def generate(count: int) -> bytes:
    """A file of ``count`` rows of which about one in ten fails."""
    chance = random.Random(7)
    conditions = "MT NM EX GD LP PL PO".split()
    variants = ["", "normal", "reverse", "de", "normal|de", "reverse|de", "normal|reverse", "normal|reverse|de"]
    keys = [(item, grade, kind) for item in range(1, 401) for grade in conditions for kind in variants]
    chance.shuffle(keys)
    rows = []
    for n in range(count):
        item, grade, kind = keys[n % (count * 19 // 20) % len(keys)]
        rows.append(row(urn=f"urn:test:{item}", condition=grade, variants=kind, price=n + 1, reference=f"R{n}"))
        if n % 40 == 0:
            rows[-1]["PRICE"] = "1.99"
        if n % 50 == 0:
            rows[-1]["URN"] = "urn:test:none"
    return csv_bytes(rows)


@pytest.fixture
def quiet(file: bytes, other_seller: Seller, run_jobs: Callable[[], None]) -> tuple[object, ...]:
    """What the file comes to when nothing goes wrong."""
    return run_quietly(file, other_seller, run_jobs)


def run_quietly(file: bytes, seller: Seller, run_jobs: Callable[[], None]) -> tuple[object, ...]:
    """Import a file in this process; once a file is enough."""
    if file not in _quiet:
        started = start(seller, file)
        run_jobs()
        _quiet[file] = outcome(finish(started), seller)
    return _quiet[file]


_quiet: dict[bytes, tuple[object, ...]] = {}


def finish(started: Import) -> Import:
    wait_until(lambda: look(started).status in {"COMPLETED", "FAILED"})
    return started


def outcome(started: Import, seller: Seller) -> tuple[object, ...]:
    """Counters, and which keys are listed; of rows that repeat each other any one may have won."""
    ended = look(started)
    assert ended.not_processed == 0
    assert ended.failed == len(failures(started))
    listings = listed(seller)
    assert ended.created == len(listings)
    return ended.status, ended.total, ended.created, ended.failed, {one[:3] for one in listings}


def under_way(started: Import) -> bool:
    return look(started).processed > 0


def begin(seller: Seller, data: bytes, gate: Gate) -> Import:
    """An import in its middle: a chunk of each worker is written, and both wait with the next one."""
    gate.close()
    started = start(seller, data)
    gate.wait_for(2)
    gate.step()
    gate.wait_for(2)
    return started


def test_a_killed_work_horse(slow: dict[str, str], file: bytes, seller: Seller, quiet: tuple[object, ...]) -> None:
    with workers(slow) as supervisor:
        started = start(seller, file)
        wait_until(lambda: under_way(started))
        for horse in wait_until(lambda: horses(supervisor)):
            kill(horse)
        assert outcome(finish(started), seller) == quiet


def test_a_work_horse_killed_before_there_is_a_job_is_replaced(environ: dict[str, str], seller: Seller) -> None:
    make_items()
    with workers(environ, 1) as supervisor:
        # One of them is a deliverer's.
        waiting = wait_until(lambda: found if len(found := horses(supervisor)) == 2 else None)
        # Pages come first where they share the processors.
        wait_until(lambda: {horse.nice() for horse in waiting} == {min(supervisor.nice() + 5, 19)})
        for horse in waiting:
            kill(horse)
        assert look(finish(start(seller, [row()]))).status == "COMPLETED"
        after = horses(supervisor)
    # They leave with their worker.
    wait_until(lambda: not any(horse.is_running() for horse in after))


def test_workers_stand_by_although_the_database_is_not_migrated_yet(app: Flask, environ: dict[str, str]) -> None:
    name = "sluice_test_empty"
    address = psycopg.conninfo.conninfo_to_dict(environ["DATABASE_URL"])
    elsewhere = environ["DATABASE_URL"].replace(f"/{address['dbname']}", f"/{name}")
    with psycopg.connect(environ["DATABASE_URL"], autocommit=True) as admin:
        admin.execute(f"create database {name}")
        try:
            with workers({**environ, "DATABASE_URL": elsewhere}, 1) as supervisor:
                waiting = wait_until(lambda: found if len(found := horses(supervisor)) == 2 else None)
                asked = "select count(*) from pg_stat_activity where datname = %s and state = 'idle'"
                wait_until(lambda: admin.execute(asked, [name]).fetchone() == (2,))
                wait_until(lambda: {horse.status() for horse in waiting} == {psutil.STATUS_SLEEPING})
        finally:
            admin.execute(f"drop database {name} with (force)")


def test_a_work_horse_killed_in_mid_conversion_leaves_nothing_behind(
    environ: dict[str, str], app: Flask, seller: Seller, gate: Gate, storage_files: Callable[[], list[str]]
) -> None:
    make_items(400, variants=("normal",))
    rows = [f"{n % 400 + 1};{'NM' if n % 2 else 'EX'};1,50;1;Row {n}" for n in range(4_000)]
    draft = foreign.draft(seller, rows)
    seller_id, public_id = seller.id, draft.public_id
    conversions.convert(seller_id, public_id, start_as=ImportKind.IMPORT)

    def now() -> Conversion:
        db.session.rollback()
        return conversions.get(seller_id, public_id)

    # It writes, and asks which listings the seller has.
    gate.close(mode="access exclusive")
    with workers(environ, 1) as supervisor:
        gate.wait_for(1)
        for horse in horses(supervisor):
            kill(horse)
        gate.open()
        wait_until(lambda: now().status == "CONVERTED")
        done = now()
        assert (done.attempt, done.rows, done.lines, done.converted + done.added) == (2, 4_000, 400, 4_000)
        started = wait_until(lambda: conversions.find_import(now()))
        assert started
        assert outcome(finish(started), seller)
    needed = {draft.storage_key, started.storage_key, *conversions.files_of(done)[:-1]}
    assert {name for name in storage_files() if not name.endswith(".part")} == needed
    current_storage().clean(older_than_seconds=-1)
    assert set(storage_files()) == needed


def test_a_killed_worker_leaves_its_batch_to_others(
    slow: dict[str, str], file: bytes, seller: Seller, quiet: tuple[object, ...]
) -> None:
    with workers(slow) as supervisor:
        started = start(seller, file)
        wait_until(lambda: under_way(started))
        busy = wait_until(lambda: [worker for worker in supervisor.children() if children(worker)])
        orphans = [horse for worker in busy for horse in children(worker)]
        for worker in busy:
            kill(worker)
        assert outcome(finish(started), seller) == quiet
        wait_until(lambda: not any(orphan.is_running() for orphan in orphans))


def test_a_killed_host(
    slow: dict[str, str], file: bytes, seller: Seller, gate: Gate, quiet: tuple[object, ...]
) -> None:
    with workers(slow) as supervisor:
        started = begin(seller, file, gate)
        for member in [supervisor, *supervisor.children(recursive=True)]:
            kill(member)
    gate.open()
    assert look(started).status == "RUNNING"
    with workers(slow):
        assert outcome(finish(started), seller) == quiet


def test_a_killed_supervisor_takes_its_workers_along(
    slow: dict[str, str], file: bytes, seller: Seller, gate: Gate
) -> None:
    with workers(slow) as supervisor:
        started = begin(seller, file, gate)
        family = supervisor.children(recursive=True)
        kill(supervisor)
        gate.open()
        wait_until(lambda: not any(member.is_running() for member in family))
    assert look(started).status == "RUNNING"


def test_a_shutdown_in_the_middle_goes_on_later(
    slow: dict[str, str], file: bytes, seller: Seller, gate: Gate, quiet: tuple[object, ...]
) -> None:
    with workers(slow) as supervisor:
        started = begin(seller, file, gate)
        supervisor.send_signal(signal.SIGTERM)
        gate.open()
        supervisor.wait(60)
    stopped = look(started)
    assert stopped.not_processed > 0
    # Released, not lost: no lease has to expire.
    assert not db.session.execute(db.text("select 1 from batches where status = 'RUNNING'")).first()
    with workers(slow):
        assert outcome(finish(started), seller) == quiet


def test_a_redis_that_forgets_everything(
    slow: dict[str, str], file: bytes, seller: Seller, quiet: tuple[object, ...]
) -> None:
    redis = Redis.from_url(slow["REDIS_URL"])
    with workers(slow):
        started = start(seller, file)
        wait_until(lambda: under_way(started))
        redis.flushdb()
        assert outcome(finish(started), seller) == quiet
    redis.close()


def test_connections_that_are_cut(slow: dict[str, str], file: bytes, seller: Seller, quiet: tuple[object, ...]) -> None:
    with workers(slow):
        started = start(seller, file)
        for _ in range(3):
            before = look(started).processed
            wait_until(lambda before=before: look(started).processed > before or look(started).finished_at)
            db.session.execute(
                db.text(
                    """
                    select pg_terminate_backend(pid) from pg_stat_activity
                    where datname = current_database() and pid <> pg_backend_pid()
                    """
                )
            )
            db.session.commit()
        assert outcome(finish(started), seller) == quiet


def test_a_frozen_work_horse_is_overtaken_and_writes_nothing_when_it_wakes(
    slow: dict[str, str], file: bytes, seller: Seller, gate: Gate, quiet: tuple[object, ...]
) -> None:
    with workers(slow) as supervisor:
        started = begin(seller, file, gate)
        # Not that of the deliverer, which has nothing to do.
        busy = db.session.scalars(db.select(Batch.worker).where(Batch.status == "RUNNING")).first()
        (frozen,) = (horse for horse in horses(supervisor) if busy.endswith(f":{horse.ppid()}"))
        frozen.suspend()
        gate.open()
        try:
            # The other worker overtakes it, once its lease is over.
            assert outcome(finish(started), seller) == quiet
        finally:
            frozen.resume()
        psutil.wait_procs([frozen], timeout=60)
        assert outcome(started, seller) == quiet


# Stops ----------------------------------------------------------------------------------------------------------------


def test_imports_are_paused_resumed_and_terminated_in_full_swing(
    slow: dict[str, str], file: bytes, seller: Seller, other_seller: Seller, gate: Gate, quiet: tuple[object, ...]
) -> None:
    """One test, because nothing here harms the workers, whose start takes longer."""
    with workers(slow):
        resumed = begin(seller, file, gate)
        pause_and_resume_five_times(resumed, seller, gate)
        third_seller = make_seller("third@example.com")
        see_that_nothing_is_written_after_terminate(begin(third_seller, file, gate), third_seller, gate)
    assert outcome(resumed, seller) == quiet


def pause_and_resume_five_times(running: Import, seller: Seller, gate: Gate) -> None:
    key = running.seller_id, running.public_id
    for _ in range(5):
        commands.pause(*key)
        gate.open()
        wait_until(lambda: look(running).status == "PAUSED")
        paused = look(running)
        assert paused.not_processed > 0
        for _ in range(3):
            assert paused.created == len(listed(seller))
            assert paused.failed == len(failures(running))
            assert look(running) == paused
        gate.close()
        commands.resume(*key)
        gate.step()
        wait_until(lambda paused=paused: look(running).processed > paused.processed)
    gate.open()
    finish(running)


def see_that_nothing_is_written_after_terminate(running: Import, seller: Seller, gate: Gate) -> None:
    # It waits behind the chunks of both workers.
    with gate.opened_behind(3):
        commands.terminate(running.seller_id, running.public_id)
    ended = look(running)
    assert (ended.status, ended.not_processed > 0) == ("TERMINATED", True)
    for _ in range(6):
        assert ended.created == len(listed(seller))
        assert ended.failed == len(failures(running))
        assert look(running) == ended


def test_what_others_have_written_into_redis_ends_no_import(
    environ: dict[str, str], app: Flask, seller: Seller
) -> None:
    make_items()
    foreign = Redis.from_url(environ["REDIS_URL"])
    foreign.set("rq:job:text", "x")
    foreign.hset("rq:job:hash", mapping={"data": b"\xff", "status": "none"})
    foreign.rpush("rq:queue:sluice", "nowhere", b"\xff", "text", "hash")
    foreign.close()
    with workers(environ):
        started = finish(start(seller, [row()]))
    assert look(started).created == 1
    assert queue.waiting_job_ids() == set()
