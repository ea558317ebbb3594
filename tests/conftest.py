"""A real PostgreSQL and a real Redis for all tests; each test process has a separate database."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import psycopg
import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from hypothesis import settings
from redis import Redis
from rq import SimpleWorker
from rq.serializers import JSONSerializer
from sqlalchemy.exc import DBAPIError

from app import create_app, redis_client
from app.extensions import db
from app.identity import sessions, tokens
from app.jobs.queue import AllowedJob, open_queue
from app.local.private_servers import PrivateServers
from app.models import Seller
from app.operators import cluster
from app.statuses import TokenScope
from tests.s3_server import make_bucket, s3_process

# The time that an example takes says more about the machine than about the code.
settings.register_profile("sluice", deadline=None)
settings.load_profile("sluice")
# A Redis that is slow on a busy machine is not away.
redis_client.TIMEOUT_SECONDS = 60.0

PASSWORD = "a good password"
#: A database with Citus on the coordinator of a cluster, which the tests may empty: they run there instead of on a
#: server of their own, in one process (see CONTRIBUTING.md).
CLUSTER = os.environ.get("CLUSTER_DATABASE_URL", "")
#: Tables whose single row migrations insert.
_SINGLE_ROWS = {"catalog", "reconciler"}
#: The rows of these would take longer to delete, and leave more dead rows.
_TRUNCATE_LARGE_TABLES = """
    declare large text;
    begin
        for large in
            select relname from pg_class
            where relkind = 'r' and relname in ({names}) and pg_relation_size(oid) > 1000000
        loop
            execute 'truncate ' || large || ' cascade';
        end loop;
    end
"""
#: Afterwards everything is as in a new database, but for the version of the catalog: workers of a test may have left a
#: snapshot of its catalog.
_START_AGAIN = (
    "update catalog set version = version + 1",
    "perform setval(oid, 1, false) from pg_class where relkind = 'S' and relnamespace = 'public'::regnamespace",
    "update reconciler set batches_reclaimed = default, batches_taken_back = default, jobs_lost = default, "
    "imports_settled = default, transactions_ended = default",
)
_PASSWORD_HASH = PasswordHasher().hash(PASSWORD)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Give this run a separate temporary directory.

    Runs that share pytest's own directory lose access to it: every new run closes it to the user PostgreSQL runs as.
    """
    if config.option.basetemp is None and not hasattr(config, "workerinput"):
        config.option.basetemp = tempfile.mkdtemp(prefix="sluice-tests-")
        config.add_cleanup(lambda: shutil.rmtree(config.option.basetemp, ignore_errors=True))


@pytest.fixture(scope="session")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of this test process's installation, also for the processes that it starts."""
    root = tmp_path_factory.getbasetemp()
    servers = PrivateServers(root / "home")
    addresses = servers.ensure()
    database_url = addresses.database_url.replace("+psycopg", "")
    if CLUSTER:
        database_url = CLUSTER
        _empty_cluster(database_url)
    else:
        _wait_for_no_disk(database_url)
    yield {
        **os.environ,
        "SLUICE_HOME": str(root / "own"),
        "DATABASE_URL": database_url,
        "REDIS_URL": addresses.redis_url,
        "STORAGE_URL": f"file://{root / 'storage'}",
        "SECRET_KEY": "only for tests, and known to everybody",
        "LEASE_SECONDS": "3",
        "TICK_SECONDS": "0.5",
        # On a busy machine such a lease expires again and again before a chunk is written.
        "MAX_FRUITLESS_ATTEMPTS": "1000",
    }
    servers.stop()


def _wait_for_no_disk(database_url: str) -> None:
    """Have PostgreSQL leave writing to the system: no test outlives a power cut."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes"):
            connection.execute(f"alter system set {setting} = off")
        connection.execute("select pg_reload_conf()")


def _empty_cluster(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        # Not the schema: views of Citus are in it, too.
        for (table,) in connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall():
            connection.execute(f"drop table {table} cascade")
        functions = "select proname from pg_proc where pronamespace = 'public'::regnamespace and proname like 'sluice%'"
        for (function,) in connection.execute(functions).fetchall():
            connection.execute(f"drop function {function}")


def distribute() -> None:
    """Distribute the migrated database, if the tests run on a cluster."""
    if CLUSTER:
        todo = cluster.plan(cluster.look())
        assert todo.refusals == []
        assert [*cluster.distribute(todo)] == todo.steps


@pytest.fixture(scope="session")
def migrated_app(environ: dict[str, str]) -> Iterator[Flask]:
    """The application over a migrated database."""
    # Tests keep transactions open for longer than a worker may, and on a busy machine for as long as they may take.
    app = create_app({**environ, "LEASE_SECONDS": "180"})
    app.testing = True
    with app.app_context():
        upgrade()
        distribute()
        db.session.remove()
        yield app
        db.engine.dispose()


@pytest.fixture
def app(migrated_app: Flask, environ: dict[str, str]) -> Iterator[Flask]:
    """The application in an application context. What the test leaves is removed afterwards."""
    with migrated_app.app_context():
        yield migrated_app
        remove_what_is_left()
        db.session.remove()
        shutil.rmtree(storage_root(environ), ignore_errors=True)


def remove_what_is_left(*, keep: Collection[str] = ()) -> None:
    """Empty Redis and all tables except ``keep``; if all are emptied, their ids start again.

    Truncating all of them would take longer, because it creates new files.
    """
    try:
        db.session.rollback()
    except DBAPIError:
        # The time of the test was over in the middle of a query.
        db.session().invalidate()
    left = [table.name for table in reversed(db.metadata.sorted_tables) if table.name not in {*_SINGLE_ROWS, *keep}]
    statements = [_TRUNCATE_LARGE_TABLES.format(names=", ".join(f"'{name}'" for name in left))]
    statements += [f"delete from {name}" for name in left]
    if not keep:
        statements += _START_AGAIN
    if CLUSTER:
        db.session.connection().exec_driver_sql("set local citus.multi_shard_modify_mode = 'sequential'")
    # In one statement, because each test pays for it. It waits for transactions of processes that were killed.
    block = f"do $$ begin lock table {', '.join(left)}; {'; '.join(statements)}; end $$"
    db.session.connection().exec_driver_sql(block)
    db.session.commit()
    redis_client.redis_client().flushdb()


@pytest.fixture(scope="session")
def s3_process_address() -> Iterator[str]:
    """The address of the S3 server of this test process, which takes seconds to start."""
    with s3_process() as address:
        yield address


@pytest.fixture
def s3_address(s3_process_address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an S3 server with an empty bucket; the credentials are in the environment."""
    make_bucket(s3_process_address, monkeypatch)
    return s3_process_address


@pytest.fixture
def seller(app: Flask) -> Seller:
    """A seller without listings."""
    return make_seller("seller@example.com")


@pytest.fixture
def other_seller(app: Flask) -> Seller:
    """Another seller."""
    return make_seller("other@example.com")


def make_seller(email: str) -> Seller:
    """A seller whose password is PASSWORD."""
    seller = Seller(email=email, password_hash=_PASSWORD_HASH)
    db.session.add(seller)
    db.session.commit()
    return seller


def make_token(seller: Seller, scope: TokenScope = TokenScope.READ_WRITE) -> str:
    """A token of ``seller`` with this ``scope``."""
    return tokens.create(seller.id, "a program", scope=scope)[1]


@pytest.fixture
def client(app: Flask, seller: Seller) -> FlaskClient:
    """A browser in which the seller is signed in."""
    return sign_in(app, seller)


def sign_in(app: Flask, seller: Seller) -> FlaskClient:
    """A browser in which ``seller`` is signed in."""
    client = app.test_client()
    with client.session_transaction() as session:
        session["_user_id"] = sessions.begin(seller.id, "a browser")
        session["_fresh"] = True
    return client


@pytest.fixture
def run_jobs(app: Flask, environ: dict[str, str]) -> Callable[[], None]:
    """Run all jobs as workers would, until none is left."""

    def run() -> None:
        connection = Redis.from_url(environ["REDIS_URL"])
        worker = SimpleWorker(
            [open_queue(connection)], connection=connection, job_class=AllowedJob, serializer=JSONSerializer
        )
        worker.work(burst=True, logging_level="WARNING")
        connection.close()
        db.session.rollback()

    return run


@pytest.fixture
def storage_files(environ: dict[str, str]) -> Callable[[], list[str]]:
    """The names of all files in the storage."""
    root = storage_root(environ)
    return lambda: sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def storage_root(environ: dict[str, str]) -> Path:
    """The directory of the local storage."""
    return Path(environ["STORAGE_URL"].removeprefix("file://"))
