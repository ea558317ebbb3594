"""Webhooks and emails sent by real workers, and what remains of them when these die."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import psutil
import pytest
from flask import Flask
from sqlalchemy import text

from app.deliveries import commands as webhook_commands
from app.extensions import db
from app.identity import sellers
from app.imports import commands
from app.models import Delivery, Seller
from app.statuses import IMPORT_EVENTS, EmailOnEnd
from tests.factories import make_items, row, start
from tests.mail_server import mail_server
from tests.processes import children, kill, wait_until, workers
from tests.receiver import Receiver, receiver


@pytest.fixture
def there(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    settings = replace(app.extensions["sluice_settings"], webhook_allow_private=True)
    monkeypatch.setitem(app.extensions, "sluice_settings", settings)
    with receiver() as made:
        yield made


@pytest.fixture
def open_environ(environ: dict[str, str]) -> dict[str, str]:
    return {**environ, "WEBHOOK_ALLOW_PRIVATE": "1"}


def statuses() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(db.select(Delivery.status).order_by(Delivery.id)))


def test_everybody_who_wants_to_know_is_told(
    app: Flask, there: Receiver, open_environ: dict[str, str], seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_items(3)
    secret = webhook_commands.add(seller.id, there.url, list(IMPORT_EVENTS.values())).secret
    sellers.choose_email_on_end(seller.id, EmailOnEnd.ALWAYS)
    with mail_server() as mails:
        mail = {"SMTP_URL": mails.url, "MAIL_FROM": "sluice@example.com", "PUBLIC_URL": "https://sluice.example.com"}
        with workers({**open_environ, **mail}, count=1):
            started = start(seller, [row(), row(urn="urn:test:2", price="1.99")])
            wait_until(lambda: there.calls and mails.mails)
    (call,), (written,) = there.calls, mails.mails
    said = call.verify(secret)
    assert said["type"] == "import.failed"
    assert (said["data"]["id"], said["data"]["successful"], said["data"]["failed"]) == (str(started.public_id), 1, 1)
    assert said["data"]["links"]["html"] == f"https://sluice.example.com/imports/{started.public_id}"
    assert "1 of 2 rows is imported." in written.get_content()


def test_pause_and_terminate_are_told_by_the_tick(there: Receiver, open_environ, seller: Seller) -> None:
    make_items(3)
    webhook_commands.add(seller.id, there.url, list(IMPORT_EVENTS.values()))
    started = start(seller, [row()])
    commands.pause(seller.id, started.public_id)
    commands.terminate(seller.id, started.public_id)
    with workers(open_environ, count=1):
        wait_until(lambda: statuses() == ["DELIVERED", "DELIVERED"])
    assert [call.headers["webhook-id"] for call in there.calls] == sorted_ids()


def sorted_ids() -> list[str]:
    return [f"msg_{one.hex}" for one in db.session.scalars(db.select(Delivery.public_id).order_by(Delivery.id))]


def test_a_sender_that_is_killed_in_the_middle_loses_nothing(there: Receiver, open_environ, seller: Seller) -> None:
    make_items(3)
    secret = webhook_commands.add(seller.id, there.url, list(IMPORT_EVENTS.values())).secret
    there.may_answer.clear()
    with workers(open_environ, count=1) as supervisor:
        start(seller, [row()])
        assert there.arrived.wait(20)
        busy = wait_until(lambda: [worker for worker in supervisor.children() if children(worker)])
        orphans = [horse for worker in busy for horse in children(worker)]
        for process in [*orphans, *busy]:
            kill(process)
        psutil.wait_procs(orphans, timeout=5)
        there.may_answer.set()
        assert statuses() == ["SENDING"]
        # The lease runs out.
        db.session.execute(text("update deliveries set claimed_at = claimed_at - interval '2 minutes'"))
        db.session.commit()
        wait_until(lambda: statuses() == ["DELIVERED"])
    assert len(there.calls) == 2
    assert len({(call.id, call.body) for call in there.calls}) == 1
    assert all(call.verify(secret) for call in there.calls)


def test_imports_do_not_wait_for_slow_receivers(there: Receiver, open_environ, seller: Seller) -> None:
    make_items(3)
    webhook_commands.add(seller.id, there.url, list(IMPORT_EVENTS.values()))
    there.may_answer.clear()
    with workers(open_environ, count=1):
        start(seller, [row()])
        assert there.arrived.wait(20)
        # The receiver does not answer until the next import is over.
        second = start(seller, [row(urn="urn:test:2")]).public_id
        wait_until(lambda: db.session.rollback() or ended(second))
        there.may_answer.set()
        wait_until(lambda: statuses() == ["DELIVERED", "DELIVERED"])


def ended(public_id: object) -> bool:
    query = text("select status = 'COMPLETED' from imports where public_id = :id")
    return bool(db.session.execute(query, {"id": public_id}).scalar())
