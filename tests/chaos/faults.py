"""The faults: each is injected into a running import, whose outcome must be that of a run without faults."""

from __future__ import annotations

import contextlib
import random
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial

import psutil
import psycopg

from app.extensions import db
from app.imports import undo
from app.jobs import queue
from app.queries import BatchKey
from app.redis_client import redis_client
from tests.chaos.bench import Bench, Tally, Trial, in_mid_import
from tests.chaos.files import Key, opposed_files
from tests.chaos.home import Home
from tests.chaos.ledger import Shop, Started, book_faults
from tests.conftest import PASSWORD
from tests.end_to_end.test_web import Browser, form
from tests.factories import listed, look
from tests.processes import children, kill, wait_until
from tests.s3_proxy import Trouble

_HOUR_SECONDS = 3600
#: The time within which everything must have exited when asked to.
_LEAVE_SECONDS = 5.0


# Deaths ---------------------------------------------------------------------------------------------------------------


def _kill_again_and_again(trial: Trial, times: int, choose: Callable[[Trial], list[psutil.Process]], what: str) -> None:
    for _ in range(times):
        time.sleep(trial.chance.uniform(0, 0.25))
        # Short enough that a reclaimed batch does not die a second time: that would not be a single death.
        ends_at = time.monotonic() + 3
        while not (victims := choose(trial)) and not trial.watch.is_over and time.monotonic() < ends_at:
            time.sleep(0.005)
        if not victims:
            return
        for victim in victims:
            kill(victim)
        trial.tally.kills += len(victims)
        trial.watch.mark(what)


def _a_horse(trial: Trial) -> list[psutil.Process]:
    found = trial.home.horses()
    return [trial.chance.choice(found)] if found else []


def _a_busy_worker(trial: Trial) -> list[psutil.Process]:
    busy = [worker for worker in children(trial.home.workers()) if children(worker)]
    return [trial.chance.choice(busy)] if busy else []


def _a_busy_worker_with_its_horse(trial: Trial) -> list[psutil.Process]:
    return [process for worker in _a_busy_worker(trial) for process in (*children(worker), worker)]


def kill_horses(trial: Trial, times: int = 8) -> None:
    _kill_again_and_again(trial, times, _a_horse, "a work-horse killed")


def kill_workers(trial: Trial, times: int = 4) -> None:
    _kill_again_and_again(trial, times, _a_busy_worker, "a worker killed")


def kill_workers_with_horses(trial: Trial, times: int = 4) -> None:
    _kill_again_and_again(trial, times, _a_busy_worker_with_its_horse, "a worker and its work-horse killed")


def kill_tree(trial: Trial) -> None:
    trial.wait_for_moment()
    trial.tally.kills += trial.home.kill_workers()
    trial.watch.mark("all workers killed")
    trial.home.workers()


# Deliveries, freezes, shutdowns ---------------------------------------------------------------------------------------


def deliver_twice(trial: Trial) -> None:
    trial.wait_for_moment(latest=0.3)
    jobs = queue.open_queue(redis_client())
    for number, stand in trial.watch.look().items():
        key = BatchKey(trial.started.seller_id, trial.started.id, number)
        for job_id in (queue.batch_job_id(key, stand.attempt), f"again-{key.import_id}-{number}"):
            if stand.status in ("QUEUED", "RUNNING"):
                jobs.enqueue_call(
                    queue.RUN_BATCH, args=[*key, stand.attempt], job_id=job_id, at_front=trial.chance.random() < 0.5
                )


def freeze_horse(trial: Trial) -> None:
    trial.wait_for_moment(latest=0.5)
    frozen = _freeze_one_at_work(trial)
    if frozen is None:
        trial.tally.notes.append("none was at work")
        return
    try:
        # Until the others have overtaken it, and a little longer.
        ends_at = time.monotonic() + 30
        while any(mark.seconds is None for mark in trial.watch.marks) and time.monotonic() < ends_at:
            time.sleep(0.05)
        before = look(trial.started)
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            frozen.resume()
    psutil.wait_procs([frozen], timeout=10)
    if before.finished_at and look(trial.started) != before:
        trial.tally.troubles.append("the frozen work-horse wrote when it woke")


def _freeze_one_at_work(trial: Trial) -> psutil.Process | None:
    """Freeze a work-horse whose batch stops from then on; one between two batches is woken again."""
    while not trial.watch.is_over:
        for horse in trial.home.horses():
            with contextlib.suppress(psutil.NoSuchProcess):
                horse.suspend()
                trial.watch.mark("a work-horse frozen")
                time.sleep(0.5)
                if trial.watch.marks and trial.watch.marks[-1].seconds is None:
                    return horse
                trial.watch.marks.clear()
                horse.resume()
    return None


def terminate_all(trial: Trial) -> None:
    trial.wait_for_moment()
    seconds = trial.home.stop_workers()
    if seconds > _LEAVE_SECONDS:
        trial.tally.troubles.append(f"leaving took {seconds:.1f} s")
    stands = trial.watch.look().values()
    if any(stand.status == "RUNNING" for stand in stands):
        trial.tally.troubles.append("a batch was not released")
    trial.tally.notes.append(f"left in {seconds:.1f} s")
    trial.home.workers()


# Redis ----------------------------------------------------------------------------------------------------------------


def empty_redis(trial: Trial) -> None:
    trial.wait_for_moment()
    trial.home.kill_redis(forget=True)
    trial.tally.kills += 1
    trial.home.ensure_servers()
    trial.watch.mark("Redis came back empty")


def redis_away(trial: Trial, seconds: float | None = None) -> None:
    trial.wait_for_moment()
    trial.home.kill_redis(forget=False)
    trial.tally.kills += 1
    time.sleep(seconds or (10 if trial.quick else 30))
    trial.home.ensure_servers()
    trial.watch.mark("Redis came back")


def hang_redis(trial: Trial, seconds: float = 15) -> None:
    trial.wait_for_moment()
    server = trial.home.redis_process()
    server.suspend()
    try:
        time.sleep(seconds)
    finally:
        server.resume()
    trial.watch.mark("Redis woke")


# PostgreSQL -----------------------------------------------------------------------------------------------------------


def restart_postgres(trial: Trial) -> None:
    trial.wait_for_moment()
    trial.home.stop_postgres_fast()
    trial.home.ensure_servers()
    trial.watch.mark("PostgreSQL restarted")


def kill_postgres(trial: Trial) -> None:
    trial.wait_for_moment()
    trial.tally.kills += trial.home.kill_postgres()
    trial.home.ensure_servers()
    trial.watch.mark("PostgreSQL killed and started")


def cut_connections(trial: Trial, times: int = 4) -> None:
    with trial.home.connect() as connection:
        for _ in range(times):
            time.sleep(trial.chance.uniform(0.05, 0.4))
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sluice'"
            )
            trial.watch.mark("connections cut")


def oppose(bench: Bench, chance: random.Random) -> Tally:
    """Two imports of one seller over the same listings, and another client that locks these in a wrong order."""
    tally = Tally()
    opposed = opposed_files()
    seller = bench.new_seller()
    listings = _listings(seller)
    deadlocks = _deadlocks(bench)
    ends = threading.Event()
    stranger = threading.Thread(target=_lock_wrongly, args=(bench.home, seller.id, ends, chance.random()))
    started = [bench.upload(seller, file) for file in opposed.files]
    stranger.start()
    try:
        ended = [bench.wait_for_end(one) for one in started]
    finally:
        ends.set()
        stranger.join()
    if not all(ended):
        tally.troubles.append("the imports do not end")
        return tally
    tally.notes.append(f"{_deadlocks(bench) - deadlocks} deadlocks")
    seen = [look(one) for one in started]
    made = sum(one.created for one in seen)
    # Both files create the same 2,000 listings, and update 4,400 existing ones four times.
    tally.lost += max(0, 2_000 - made) + sum(max(0, 17_600 - one.updated - one.unchanged) for one in seen)
    tally.doubled += max(0, made - 2_000) + sum(max(0, one.updated + one.unchanged - 17_600) for one in seen)
    tally.lost += sum(one.not_processed for one in seen)
    # The values of either file, or the previous ones if neither names the listing.
    allowed = {key: {values} for key, values in listings.items()} | opposed.listings
    found = _listings(seller)
    tally.lost += len(allowed.keys() - found.keys())
    tally.doubled += len(found.keys() - allowed.keys())
    wrong = [key for key in found.keys() & allowed if found[key] not in allowed[key]]
    if wrong:
        tally.lost += len(wrong)
        tally.troubles.append(f"{len(wrong)} listings are what no row wants: {wrong[0]}: {found[wrong[0]]}")
    for one in started:
        bench.check_books(one, tally)
    return tally


def _listings(seller: Shop) -> dict[Key, tuple[str, ...]]:
    return {one[:3]: one[3:] for one in listed(seller)}


def _deadlocks(bench: Bench) -> int:
    with bench.home.connect() as connection:
        row = connection.execute("select deadlocks from pg_stat_database where datname = 'sluice'").fetchone()
    return row[0] if row else 0


def _lock_wrongly(home: Home, seller_id: int, ends: threading.Event, seed: float) -> None:
    chance = random.Random(seed)
    with home.connect() as connection:
        # It times out later than the chunks, so that the chunks lose.
        connection.execute("set deadlock_timeout = '3s'")
        while not ends.is_set():
            with contextlib.suppress(psycopg.errors.DeadlockDetected), connection.transaction():
                for item in sorted(chance.sample(range(1, 401), 6), reverse=True):
                    connection.execute(
                        "select 1 from listings where seller_id = %s and item_id = %s for update", (seller_id, item)
                    )
                    ends.wait(0.02)
            ends.wait(0.05)


def serialise(bench: Bench, chance: random.Random) -> Tally:
    """An import in a database that fails with serialisation failures whenever two transactions conflict."""
    home = bench.home
    with home.connect() as connection:
        connection.execute("alter database sluice set default_transaction_isolation = 'repeatable read'")
    try:
        with bench.watching(bench.upload(bench.new_seller(), bench.file)) as (started, watch):
            return bench.judge(started, Tally(), watch)
    finally:
        with home.connect() as connection:
            connection.execute("alter database sluice reset default_transaction_isolation")
        db.session.remove()
        db.engine.dispose()


# Storage --------------------------------------------------------------------------------------------------------------


def trouble_storage(trial: Trial, trouble: Trouble, seconds: float = 8) -> None:
    s3 = trial.home.s3
    assert s3
    trial.wait_for_moment(latest=0.5)
    # Some answers are late, others later than the client's timeout.
    s3.delay_seconds = trial.chance.choice((1, 3) if trial.quick else (1, 3, 12))
    before = s3.troubled
    with s3.making(trouble):
        time.sleep(seconds)
    trial.watch.mark(f"the storage is no longer {trouble.value}")
    trial.tally.notes.append(f"{s3.troubled - before} requests {trouble.value}")


# Clocks ---------------------------------------------------------------------------------------------------------------


def clock_step(whose: str, before: int, after: int) -> Callable[[Bench, random.Random], Tally]:
    """A trial in which a clock jumps, and a worker dies so close to it that its last heartbeat is an hour wrong."""

    def run(bench: Bench, chance: random.Random) -> Tally:
        clock = bench.home.clocks[whose]
        if not clock.works:
            return Tally(skipped="libfaketime does not work here")

        def die_and_step(trial: Trial) -> None:
            trial.wait_for_moment(latest=0.5)
            _kill_again_and_again(trial, 1, _a_busy_worker_with_its_horse, "a death as the clock jumped")
            clock.step_to(after)

        clock.step_to(before)
        try:
            return in_mid_import(die_and_step, lambda home: home.by_clock(whose))(bench, chance)
        finally:
            clock.step_to(0)

    return run


# Uploads --------------------------------------------------------------------------------------------------------------


def kill_web_during_upload(bench: Bench, chance: random.Random) -> Tally:
    tally = Tally()
    seller = bench.new_seller()
    before = _stored(bench)
    with bench.home.web() as (address, master):
        browser = _sign_in(address, seller.email)
        body, content_type = form(browser.token(), bench.file.data)
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(
                f"POST /imports/upload HTTP/1.1\r\nHost: {host}\r\nCookie: {browser.cookie()}\r\n"
                f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            )
            connection.sendall(body[: int(len(body) * chance.uniform(0.3, 0.95))])
            wait_until(lambda: _stored(bench) - before)
            time.sleep(chance.uniform(0, 0.3))
            tally.kills += bench.home.kill_web(master)
    left = _stored(bench) - before
    if bench.uploaded(seller):
        tally.troubles.append("an import was made of half a file")
    if not left or not all(name.endswith(".part") for name in left):
        tally.troubles.append(f"left in the storage: {sorted(left)}")
    bench.home.app.extensions["sluice_storage"].clean(older_than_seconds=0)
    if _stored(bench) - before:
        tally.troubles.append("the storage was not cleaned")
    return _upload_by_web(bench, seller, tally)


def upload_without_redis(bench: Bench, chance: random.Random) -> Tally:
    """As if the web server were killed between the commit and enqueueing the jobs."""
    return _upload_by_web(bench, bench.new_seller(), Tally(), REDIS_URL=f"unix://{bench.home.root}/nobody.sock")


def _upload_by_web(bench: Bench, seller: Shop, tally: Tally, **environ: str) -> Tally:
    bench.home.workers()
    with bench.home.web(**environ) as (address, master):
        _sign_in(address, seller.email).upload(bench.file.data)
        answered = time.monotonic()
        started = bench.uploaded(seller)
        if environ:
            wait_until(lambda: look(started).processed)
            tally.recoveries.append(time.monotonic() - answered)
            tally.kills += bench.home.kill_web(master)
        return bench.judge(started, tally)


def _sign_in(address: str, email: str) -> Browser:
    browser = Browser(address)
    page = browser.get("/login")
    token = page.split('name="csrf_token"')[1].split('value="')[1].split('"')[0]
    data = urllib.parse.urlencode({"email": email, "password": PASSWORD, "csrf_token": token}).encode()
    browser._open(urllib.request.Request(f"{address}/login", data))
    return browser


def _stored(bench: Bench) -> set[str]:
    return {str(path) for path in bench.home.storage.rglob("*") if path.is_file()}


def fill_disk(bench: Bench, chance: random.Random) -> Tally:
    tally = Tally()
    mount = bench.home.root / "full"
    mount.mkdir(exist_ok=True)
    size = chance.randrange(64, 1_200)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(mount)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        tally.skipped = "a small file system cannot be mounted here"
        return tally
    try:
        seller = bench.new_seller()
        with bench.home.web(STORAGE_URL=f"file://{mount}") as (address, _):
            browser = _sign_in(address, seller.email)
            status, text = _refused(browser, bench.file.data)
            if status != 503 or "could not be stored" not in text:
                tally.troubles.append(f"the answer was {status}")
            if bench.uploaded(seller) or any(path.is_file() for path in mount.rglob("*")):
                tally.troubles.append("something was left behind")
            if "data-import-id" in browser.get("/imports"):
                tally.troubles.append("an import is shown")
    finally:
        subprocess.run(["umount", "--lazy", str(mount)], check=True)
    return tally


def _refused(browser: Browser, data: bytes) -> tuple[int, str]:
    try:
        browser.upload(data)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    return 200, ""


# Poison ---------------------------------------------------------------------------------------------------------------


def poison(bench: Bench, chance: random.Random) -> Tally:
    """One batch kills every work-horse that claims it."""
    tally = Tally()
    home = bench.home
    home.stop_workers()
    number = chance.randint(2, 9)
    attempts = {"MAX_FRUITLESS_ATTEMPTS": "2"} if bench.quick else {}
    supervisor = home.start_workers(("-m", "tests.chaos.poisoned_worker"), POISONED_BATCH=str(number), **attempts)
    try:
        started = bench.upload(bench.new_seller(), bench.file)
        if not bench.wait_for_end(started, 240):
            tally.troubles.append("the import does not end")
            return tally
        _check_poisoned(bench, started, number, tally)
    finally:
        supervisor.terminate()
        home.reap(supervisor.pid, 30)
    return tally


def _check_poisoned(bench: Bench, started: Started, number: int, tally: Tally) -> None:
    with bench.home.connect() as connection:
        row = connection.execute(
            """
            select status, reason, total, attempt, "cursor" = start_byte from batches
            where import_id = %s and number = %s
            """,
            (started.id, number),
        ).fetchone()
    assert row
    status, reason, total, attempt, is_untouched = row
    tally.kills += attempt - 1
    ended = look(started)
    if (status, ended.status, is_untouched) != ("FAILED", "FAILED", True) or not reason:
        tally.troubles.append(f"the poisoned batch is {status} ({reason}), the import {ended.status}")
    tally.lost += max(0, ended.not_processed - total)
    tally.doubled += max(0, total - ended.not_processed)
    tally.notes.append(f"given up after {attempt - 1} attempts")
    tally.troubles += list(book_faults(started))[:5]


# The mix --------------------------------------------------------------------------------------------------------------


def _leave_and_return(trial: Trial) -> None:
    """SIGTERM alone: processes after another fault may be slow to exit, and cannot release their batches."""
    trial.home.stop_workers()
    trial.home.workers()


def _short_freeze(trial: Trial) -> None:
    found = trial.home.horses()
    if found:
        frozen = trial.chance.choice(found)
        frozen.suspend()
        time.sleep(trial.chance.uniform(0.5, 4 if trial.quick else 12))
        with contextlib.suppress(psutil.NoSuchProcess):
            frozen.resume()


def _wrong_for_a_while(trial: Trial) -> None:
    clock = trial.home.clocks[trial.chance.choice(("workers", "database"))]
    clock.step_to(trial.chance.choice((_HOUR_SECONDS, -_HOUR_SECONDS)))
    try:
        time.sleep(trial.chance.uniform(0.2, 3))
    finally:
        clock.step_to(0)


_MIX: dict[str, Callable[[Trial], None]] = {
    "horses killed": lambda trial: kill_horses(trial, 2),
    "workers killed": lambda trial: kill_workers(trial, 2),
    "a worker and its horse killed": lambda trial: kill_workers_with_horses(trial, 1),
    "the tree killed": kill_tree,
    "jobs delivered twice": deliver_twice,
    "a horse frozen": _short_freeze,
    "SIGTERM": _leave_and_return,
    "Redis emptied": empty_redis,
    "Redis away": lambda trial: redis_away(trial, 3),
    "Redis hung": lambda trial: hang_redis(trial, 3),
    "PostgreSQL restarted": restart_postgres,
    "PostgreSQL killed": kill_postgres,
    "connections cut": lambda trial: cut_connections(trial, 2),
    "storage answers 500": lambda trial: trouble_storage(trial, Trouble.ERRORS, 2),
    "storage slow": lambda trial: trouble_storage(trial, Trouble.SLOW, 2),
    "storage cuts off": lambda trial: trouble_storage(trial, Trouble.CUT, 2),
    "a clock wrong": _wrong_for_a_while,
}


@contextlib.contextmanager
def _for_all_of_them(home: Home) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        # Several faults may hit one batch before it makes progress, and it must not be given up for that.
        stack.enter_context(home.using(MAX_FRUITLESS_ATTEMPTS="20"))
        stack.enter_context(home.on_s3())
        # If clocks cannot be faked, their steps do nothing.
        for whose in [whose for whose, clock in home.clocks.items() if clock.works]:
            stack.enter_context(home.by_clock(whose))
        yield


def _several(trial: Trial) -> None:
    done = []
    for name in trial.chance.sample(list(_MIX), 2 if trial.quick else trial.chance.randint(2, 4)):
        if trial.watch.is_over:
            break
        trial.home.workers()
        _MIX[name](trial)
        done.append(name)
    # Faults overlap with each other's recovery, so their recovery times mean nothing.
    trial.watch.marks.clear()
    trial.tally.notes = [", then ".join(done)]


def undo_in_trouble(bench: Bench, chance: random.Random, *, workers: int) -> Tally:
    """An import is undone while workers die: its seller's listings must be those of before, each counted once."""
    with bench.home.using():
        bench.home.wanted_workers, usual = workers, bench.home.wanted_workers
        try:
            return _undo_in_trouble(bench, chance)
        finally:
            bench.home.stop_workers()
            bench.home.wanted_workers = usual


def _undo_in_trouble(bench: Bench, chance: random.Random) -> Tally:
    seller = bench.new_seller()
    before = _listings(seller)
    bench.home.workers()
    imported = bench.upload(seller, bench.file)
    tally = Tally()
    if not bench.wait_for_end(imported):
        tally.troubles.append("the import does not end")
        return tally
    undone = Started.of(undo.start(seller.id, look(imported).public_id))
    db.session.rollback()
    with bench.watching(undone) as (_, watch):
        kill_workers_with_horses(Trial(bench, bench.home, chance, undone, watch, tally), times=3)
        bench.home.workers()
        if not bench.wait_for_end(undone):
            tally.troubles.append("the undo does not end")
        tally.recoveries += [mark.seconds for mark in watch.marks if mark.seconds is not None]
    after, one = _listings(seller), look(undone)
    tally.lost += len(before.items() - after.items())
    tally.doubled += len(after.keys() - before.keys())
    if (one.not_processed, one.unchanged) != (0, 0):
        tally.troubles.append(f"{one.not_processed} listings were not reached, {one.unchanged} were kept")
    for each in (imported, undone):
        bench.check_books(each, tally)
    return tally


def faults() -> Iterator[tuple[str, str, int, Callable[[Bench, random.Random], Tally]]]:
    """The short name of each fault, its description, its default number of runs, and its function."""
    yield "horse", "kill -9 of work-horses", 5, in_mid_import(kill_horses)
    yield "worker", "kill -9 of workers", 4, in_mid_import(kill_workers)
    yield "both", "kill -9 of workers with their work-horses", 3, in_mid_import(kill_workers_with_horses)
    yield "tree", "kill -9 of the whole worker tree", 4, in_mid_import(kill_tree)
    yield "twice", "the same jobs delivered twice more", 3, in_mid_import(deliver_twice)
    yield "frozen", "a work-horse frozen past its lease, then woken", 3, in_mid_import(freeze_horse)
    yield "sigterm", "SIGTERM to everything, started again", 3, in_mid_import(terminate_all)
    yield "redis-empty", "Redis killed and started empty", 3, in_mid_import(empty_redis)
    yield "redis-away", "Redis away for 30 s", 1, in_mid_import(redis_away)
    yield "redis-hung", "Redis hung for 15 s", 2, in_mid_import(hang_redis)
    yield "postgres-fast", "PostgreSQL restarted fast", 3, in_mid_import(restart_postgres)
    yield "postgres-kill", "PostgreSQL killed with all its processes", 3, in_mid_import(kill_postgres)
    yield "connections", "all database connections cut, four times", 3, in_mid_import(cut_connections)
    for name, trouble in (("500", Trouble.ERRORS), ("slow", Trouble.SLOW), ("cut", Trouble.CUT)):
        act = partial(trouble_storage, trouble=trouble)
        yield (
            f"storage-{name}",
            f"every request to the storage {trouble.value} for 8 s",
            2,
            in_mid_import(act, Home.on_s3),
        )
    for whose in ("workers", "database"):
        for way, before, after in (("forward", 0, _HOUR_SECONDS), ("back", _HOUR_SECONDS, 0)):
            what = f"the clock of the {whose} set {way} by an hour, and a worker killed"
            yield f"clock-{whose}-{way}", what, 2, clock_step(whose, before, after)
    for name, workers in (("one worker", 1), ("four workers", 4)):
        what = f"kill -9 of workers with their work-horses during an undo by {name}"
        yield f"undo-{workers}", what, 1, partial(undo_in_trouble, workers=workers)
    yield "deadlock", "two imports on the same listings in opposite orders, and deadlocks", 2, oppose
    yield "serialisation", "serialisation failures between batches", 2, serialise
    yield "web-upload", "the web server killed during an upload", 2, kill_web_during_upload
    yield "web-enqueue", "the web server gone between commit and enqueue", 2, upload_without_redis
    yield "disk", "the disk full while storing", 2, fill_disk
    yield "poison", "a batch that kills every work-horse", 1, poison


mix = in_mid_import(_several, _for_all_of_them)
