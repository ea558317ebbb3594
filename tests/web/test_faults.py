"""Unusable databases, Redis servers and storages are diagnosed on /readyz and on /ops."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from redis import Redis
from sqlalchemy import text

from app import create_app, redis_client
from app.extensions import db
from app.imports import reconcile
from app.local.private_servers import PrivateServers
from app.models import Seller
from app.storage.local import LocalStorage
from tests.conftest import make_seller, make_token, sign_in
from tests.disks import fill, small_disk_at
from tests.factories import csv_bytes, make_items, row, start
from tests.pages import page, words
from tests.processes import wait_until
from tests.web.conftest import Browser

READY = {"database": "ok", "redis": "ok", "storage": "ok"}


def alarms(operator: FlaskClient) -> list[str]:
    """What is wrong, in the first sentences."""
    return [words(one) for one in page(operator, "/ops").select("[data-alarm] strong")]


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis whose settings no other test depends on."""
    servers = PrivateServers(tmp_path_factory.mktemp("redis") / "home", postgres=False)
    yield servers.ensure().redis_url
    servers.stop()


@pytest.fixture
def redis(app: Flask, own_redis: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Redis]:
    """Sluice's Redis, which a test can make unusable; its settings are restored afterwards."""
    monkeypatch.setitem(app.extensions, "sluice_redis", None)
    redis_client.init_app(app, own_redis)
    with Redis.from_url(own_redis) as admin:
        admin.flushall()
        yield admin
        admin.config_set("requirepass", "")
        admin.config_set("maxmemory", 0)
        admin.replicaof("NO", "ONE")
        admin.config_set("min-replicas-to-write", 0)
        admin.acl_setuser("default", enabled=True, nopass=True, keys=["*"], channels=["*"], categories=["+@all"])
        admin.flushall()


def refuse_everything(redis: Redis, how: str) -> None:
    """Let Redis refuse writes, or more."""
    if how == "out of memory":
        redis.config_set("maxmemory", 1)
    elif how == "read-only":
        redis.replicaof("127.0.0.1", 1)
    elif how == "too few replicas":
        redis.config_set("min-replicas-to-write", 1)
    elif how == "refuses the password":
        redis.config_set("requirepass", "a secret")
    elif how == "foreign data":
        redis.set("rq:queue:sluice", "x")
    elif how == "refuses rights":
        redis.acl_setuser(
            "default",
            enabled=True,
            nopass=True,
            keys=["*"],
            categories=["+@all", "-@write"],
            commands=["+config", "+acl", "+flushall", "+replicaof"],
        )


SENTENCES = {
    "out of memory": "Redis has no memory left (maxmemory) and refuses writes.",
    "read-only": "Redis is a read-only replica.",
    "too few replicas": "Redis misses replicas (min-replicas-to-write) and refuses writes.",
    "refuses the password": "Redis refuses the user or the password in REDIS_URL.",
    "foreign data": "Something else stands in Redis where Sluice keeps its queues.",
    "refuses rights": "The user in REDIS_URL may not do in Redis what Sluice needs.",
}


@pytest.mark.parametrize("how", SENTENCES)
def test_a_redis_that_refuses_is_told_for_what_it_is(app: Flask, operator: FlaskClient, redis: Redis, how: str) -> None:
    assert app.test_client().get("/readyz").json == READY
    refuse_everything(redis, how)
    # New connections, as after any fault: the password is checked only when one is opened.
    app.extensions["sluice_redis"].connection_pool.disconnect()
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json) == (503, {**READY, "redis": how})
    assert SENTENCES[how] in alarms(operator)


def test_a_redis_that_cannot_save_is_told_for_what_it_is(
    app: Flask, operator: FlaskClient, redis: Redis, own_redis: str
) -> None:
    before = redis.config_get("dir")["dir"]
    directory = Path(before) / "gone"
    directory.mkdir()
    directory.chmod(0o777)
    redis.config_set("save", "1 1")
    redis.config_set("dir", str(directory))
    directory.rmdir()
    try:
        redis.set("changed", 1)
        redis.bgsave()
        wait_until(lambda: redis.info("persistence")["rdb_last_bgsave_status"] == "err")
        answer = app.test_client().get("/readyz")
        assert (answer.status_code, answer.json) == (503, {**READY, "redis": "cannot save"})
        assert "Redis cannot save to its disk and refuses writes." in alarms(operator)
    finally:
        redis.config_set("dir", before)
        redis.config_set("save", "")


def test_a_full_disk_of_the_storage_is_told(
    app: Flask, operator: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_disk_at(tmp_path / "disk", kilobytes=4096) as disk:
        monkeypatch.setitem(app.extensions, "sluice_storage", LocalStorage(disk))
        assert app.test_client().get("/readyz").json == READY
        fill(disk)
        answer = app.test_client().get("/readyz")
        assert (answer.status_code, answer.json) == (503, {**READY, "storage": "disk full"})
        assert "The disk of the storage is full." in alarms(operator)


def test_a_full_disk_under_the_home_is_told(app: Flask, operator: FlaskClient, tmp_path: Path) -> None:
    settings = app.extensions["sluice_settings"]
    before = settings.sluice_home
    with small_disk_at(tmp_path / "disk", kilobytes=4096) as disk:
        fill(disk)
        object.__setattr__(settings, "sluice_home", disk)
        try:
            assert [one for one in alarms(operator) if one.startswith(f"The disk of {disk} on ")]
        finally:
            object.__setattr__(settings, "sluice_home", before)
        # Nothing is lost for it, and pages are served.
        assert app.test_client().get("/readyz").json == READY


def test_a_full_disk_of_the_database_is_told_to_operators_and_sellers(environ: dict[str, str], tmp_path: Path) -> None:
    with small_disk_at(tmp_path / "disk", kilobytes=192 << 10) as disk, ExitStack() as cleanup:
        servers = PrivateServers(disk, redis=False)
        cleanup.callback(servers.stop)
        address = servers.ensure().database_url
        app = create_app({**environ, "DATABASE_URL": address, "LEASE_SECONDS": "60"})
        app.test_client_class = Browser
        with app.app_context():
            upgrade()
            seller = make_seller("seller@example.com")
            looking = make_seller("operator@example.com")
            looking.is_operator = True
            client, operator = sign_in(app, seller), sign_in(app, looking)
            # So that the log need not grow, which would end the server.
            db.session.execute(text("select pg_switch_wal()"))
            token = make_token(seller)
            db.session.commit()
            form = page(client, "/imports/upload")
            assert client.get("/readyz").json == READY
            fill(disk)
            answer = client.get("/readyz")
            assert (answer.status_code, answer.json) == (503, {**READY, "database": "disk full"})
            assert "The disk of the database is full." in alarms(operator)
            refused = client.post(
                "/imports/upload",
                data={
                    "csrf_token": form.select_one("input[name=csrf_token]")["value"],
                    "file": (BytesIO(csv_bytes([row()])), "stock.csv"),
                },
            )
            sentence = "is full. You can read pages, but nothing can be uploaded or changed"
            assert refused.status_code == 503
            assert sentence in " ".join(refused.text.split())
            by_program = app.test_client().post(
                "/api/v1/imports",
                data=csv_bytes([row()]),
                headers={"Authorization": f"Bearer {token}", "Content-Type": "text/csv"},
            )
            assert (by_program.status_code, sentence in by_program.json["detail"]) == (503, True)
            (disk / "full").unlink()
            assert client.get("/readyz").json == READY
            db.session.remove()
            db.engine.dispose()


def test_a_standby_is_told(app: Flask, environ: dict[str, str], operator: FlaskClient, client: FlaskClient) -> None:
    token = page(client, "/settings/account").select_one("input[name=csrf_token]")["value"]
    name = str(db.engine.url.database)
    with psycopg.connect(environ["DATABASE_URL"], autocommit=True) as admin:
        admin.execute(f"alter database {name} set default_transaction_read_only = on")
        db.session.rollback()
        db.engine.dispose()
        try:
            answer = app.test_client().get("/readyz")
            assert (answer.status_code, answer.json) == (503, {**READY, "database": "read-only"})
            assert "The database takes no writes: it is a standby, or is set to read only." in alarms(operator)
            refused = client.post("/logout", data={"csrf_token": token})
            assert refused.status_code == 503
            assert "accepts no changes right now" in refused.text
        finally:
            admin.execute("set default_transaction_read_only = off")
            admin.execute(f"alter database {name} reset default_transaction_read_only")
            db.session.rollback()
            db.engine.dispose()


def test_workers_that_cannot_send_jobs_are_told_where_the_pages_can(
    app: Flask, operator: FlaskClient, redis: Redis, seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_items()
    start(seller, [row()])
    pages_redis = app.extensions["sluice_redis"]
    monkeypatch.setitem(app.extensions, "sluice_redis", None)
    redis_client.init_app(app, "redis://127.0.0.1:1/0")
    reconcile.sweep(force=True)
    workers_redis = app.extensions["sluice_redis"]
    monkeypatch.setitem(app.extensions, "sluice_redis", pages_redis)
    told = "The workers can’t send jobs: Redis does not answer."
    assert told in alarms(operator)
    reconcile.sweep(force=True)
    assert told not in alarms(operator)
    workers_redis.close()
