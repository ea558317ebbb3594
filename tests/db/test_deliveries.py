"""The outbox: what goes into it with a status, who takes it out, and what is tried again."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from app.api.schemas import Import as ImportAnswer
from app.api.serializers import show_import
from app.deliveries import commands as webhook_commands
from app.deliveries import job, retry_policy
from app.deliveries.retry_policy import MAX_ATTEMPTS
from app.extensions import db
from app.identity import sellers
from app.imports import commands, reconcile, undo
from app.imports.reports import progress
from app.jobs import queue
from app.models import Delivery, Import, Seller, WebhookEndpoint
from app.queries import ImportKey
from app.queries.deliveries import outbox as outbox_queries
from app.queries.deliveries import webhook_endpoints
from app.queries.deliveries.outbox import EndpointKey, Result
from app.queries.imports import transitions
from app.redis_client import redis_client
from app.statuses import IMPORT_EVENTS, DeliveryStatus, EmailOnEnd
from tests.factories import make_items, row, start
from tests.mail_server import MailServer, mail_server
from tests.receiver import Receiver, receiver
from tests.states import STATES, make

ALL_EVENTS = list(IMPORT_EVENTS.values())
RESULT = Result(DeliveryStatus.DELIVERED, 0, 200, "Accepted.", "")
COMPLETED, FAILED = STATES[4], STATES[5]
OF_STATE = {state.name: state for state in STATES}


@pytest.fixture
def set_up(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Change settings for the time of a test."""

    def change(**values: object) -> None:
        settings = replace(app.extensions["sluice_settings"], **values)
        monkeypatch.setitem(app.extensions, "sluice_settings", settings)

    change(webhook_allow_private=True)
    return change


@pytest.fixture
def there(set_up: Callable[..., None]) -> Iterator[Receiver]:
    with receiver() as made:
        yield made


@pytest.fixture
def mails(set_up: Callable[..., None]) -> Iterator[MailServer]:
    with mail_server() as server:
        set_up(smtp_url=server.url, mail_from="sluice@example.com", public_url="https://sluice.example.com")
        yield server


def register(seller: Seller, url: str, events: list[str] = ALL_EVENTS) -> EndpointKey:
    added = webhook_commands.add(seller.id, url, events)
    return EndpointKey(seller.id, added.id)


def endpoint(key: EndpointKey) -> WebhookEndpoint:
    db.session.rollback()
    return db.session.get_one(WebhookEndpoint, tuple(key), populate_existing=True)


def outbox() -> list[Delivery]:
    db.session.rollback()
    return list(db.session.scalars(db.select(Delivery).order_by(Delivery.id)))


def be_due() -> None:
    """Let the waits be over, all at the same moment."""
    db.session.execute(text("update deliveries set due_at = now() where status = 'WAITING'"))
    db.session.commit()


def be_sent_long_ago(hours: float) -> None:
    """Shift everything that has happened into the past by this much."""
    for table, columns in (
        ("deliveries", ("created_at", "due_at", "claimed_at", "finished_at")),
        ("webhook_endpoints", ("created_at", "failing_since", "switched_off_at")),
    ):
        moved = ", ".join(f"{column} = {column} - make_interval(hours => :hours)" for column in columns)
        db.session.execute(text(f"update {table} set {moved}"), {"hours": int(hours)})
    db.session.commit()


# What goes in --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["paused", "completed", "failed", "terminated", "given up"])
def test_a_status_that_sellers_are_told_about_leaves_a_message(
    app: Flask, set_up, seller: Seller, other_seller: Seller, name: str
) -> None:
    key = register(seller, "http://127.0.0.1:1/a")
    register(seller, "http://127.0.0.1:1/nothing", ["import.paused"] if name != "paused" else ["import.failed"])
    register(other_seller, "http://127.0.0.1:1/other")
    webhook_commands.switch_off(register(seller, "http://127.0.0.1:1/off"))
    state = OF_STATE[name]
    made = make(state, seller)
    (one,) = outbox()
    assert (one.endpoint_id, one.import_id, one.status) == (key.endpoint_id, made.id, "WAITING")
    body = json.loads(one.body)
    assert body["type"] == one.event == f"import.{state.status.lower()}"
    total, successful, failed = state.counters
    data = body["data"]
    assert {name: data[name] for name in ("id", "status", "fileName", "check", "total", "successful", "failed")} == {
        "id": str(made.public_id),
        "status": state.status,
        "fileName": "stock.csv",
        "check": False,
        "total": total,
        "successful": successful,
        "failed": failed,
    }
    assert data["created"] + data["updated"] + data["unchanged"] == successful
    with app.test_request_context():
        shown = ImportAnswer().dump(show_import(progress.get(seller.id, made.public_id)))
    times = {name for name in data if name.endswith("At")}
    assert {name: shown[name] for name in data.keys() - times} == {name: data[name] for name in data.keys() - times}
    for time in times:
        assert datetime.fromisoformat(shown[time]) == datetime.fromisoformat(data[time])
    assert data["notProcessed"] == total - successful - failed
    assert ("finishedAt" in data) is (name != "paused")
    assert datetime.fromisoformat(data["createdAt"]) <= datetime.fromisoformat(data["startedAt"])
    assert abs(datetime.fromisoformat(body["timestamp"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert "links" not in data


def test_the_message_is_part_of_the_transaction(set_up, seller: Seller) -> None:
    register(seller, "http://127.0.0.1:1/")
    made = make(STATES[0], seller)
    assert transitions.terminate(ImportKey(seller.id, made.id))
    db.session.rollback()
    assert outbox() == []
    commands.terminate(seller.id, made.public_id)
    assert len(outbox()) == 1


def test_a_change_that_does_not_happen_leaves_none(set_up, seller: Seller) -> None:
    register(seller, "http://127.0.0.1:1/")
    made = make(COMPLETED, seller)
    key = ImportKey(seller.id, made.id)
    assert not transitions.terminate(key)
    assert not transitions.settle_pause(key)
    assert transitions.settle_finished(key) is None
    db.session.commit()
    assert len(outbox()) == 1


def test_the_body_has_the_fields_and_forms_of_the_documented_one(set_up, seller: Seller) -> None:
    set_up(public_url="https://sluice.example.com")
    register(seller, "http://127.0.0.1:1/")
    make(OF_STATE["failed"], seller, file_name="Bücher 🂡.csv")
    text_of_docs = (Path(__file__).parents[2] / "docs/webhooks.md").read_text()
    documented = json.loads(text_of_docs.partition("```json\n")[2].partition("```")[0])
    (one,) = outbox()
    body = json.loads(one.body)
    assert [*body] == [*documented]
    assert [*body["data"]] == [*documented["data"]]
    assert {name: type(value) for name, value in body["data"].items()} == {
        name: type(value) for name, value in documented["data"].items()
    }
    time = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
    assert all(time.fullmatch(body["data"][name]) for name in ("createdAt", "startedAt", "finishedAt"))
    # Byte for byte as PostgreSQL writes JSON, which earlier releases used for the bodies.
    assert one.body == db.session.scalar(text("select json_strip_nulls(cast(:body as json))::text"), {"body": one.body})
    assert '"fileName":"Bücher 🂡.csv"' in one.body


@pytest.mark.parametrize("press", [commands.pause, commands.terminate])
def test_a_button_wakes_the_deliverer(set_up, seller: Seller, press: Callable[..., None]) -> None:
    register(seller, "https://hooks.example.com/")
    make_items()
    started = start(seller, [row()])
    waiting = queue.open_queue(redis_client(), queue.DELIVERY_QUEUE_NAME)
    waiting.empty()
    press(seller.id, started.public_id)
    assert waiting.count == 1


def test_every_pause_is_told(set_up, seller: Seller) -> None:
    register(seller, "http://127.0.0.1:1/")
    made = make(STATES[3], seller)
    commands.resume(seller.id, made.public_id)
    commands.pause(seller.id, made.public_id)
    commands.terminate(seller.id, made.public_id)
    assert [one.event for one in outbox()] == ["import.paused", "import.paused", "import.terminated"]


def test_names_of_files_survive_and_the_link_is_there_when_it_is_known(set_up, seller: Seller) -> None:
    set_up(public_url="https://sluice.example.com")
    register(seller, "http://127.0.0.1:1/")
    name = 'Bücher "neu" \\ 🂡.csv'
    made = make(COMPLETED, seller, file_name=name)
    data = json.loads(outbox()[0].body)["data"]
    assert data["fileName"] == made.file_name
    assert data["links"] == {"html": f"https://sluice.example.com/imports/{made.public_id}"}


@pytest.mark.parametrize(
    ("wanted", "state", "mailed"),
    [
        ("NEVER", "failed", False),
        ("FAILED", "failed", True),
        ("FAILED", "given up", True),
        ("FAILED", "completed", False),
        ("FAILED", "terminated", False),
        ("ALWAYS", "completed", True),
        ("ALWAYS", "terminated", True),
        ("ALWAYS", "paused", False),
    ],
)
def test_an_email_is_sent_when_the_seller_wants_one(
    mails: MailServer, seller: Seller, wanted: str, state: str, mailed: bool
) -> None:
    sellers.choose_email_on_end(seller.id, EmailOnEnd(wanted))
    made = make(OF_STATE[state], seller)
    job.run()
    assert [mail["To"] for mail in mails.mails] == [seller.email] * mailed
    if mailed:
        text_of_mail = mails.mails[0].get_content()
        assert OF_STATE[state].sentence.split(";")[0] in text_of_mail
        assert f"https://sluice.example.com/imports/{made.public_id}" in text_of_mail
        assert mails.mails[0]["From"] == "Sluice <sluice@example.com>"
        assert "stock.csv" in mails.mails[0]["Subject"]
    assert [one.status for one in outbox()] == ["DELIVERED"] * mailed


def test_an_undo_has_emails_of_its_own(mails: MailServer, seller: Seller, run_jobs: Callable[[], None]) -> None:
    make_items()
    imported = start(seller, [row(), row(urn="urn:test:2")])
    run_jobs()
    sellers.choose_email_on_end(seller.id, EmailOnEnd.ALWAYS)
    terminated = undo.start(seller.id, imported.public_id)
    commands.terminate(seller.id, terminated.public_id)
    undone = undo.start(seller.id, imported.public_id)
    run_jobs()
    job.run()
    # They are sent side by side, so either may arrive first.
    text_of_mails = {mail["Subject"]: mail.get_content() for mail in mails.mails}
    assert sorted(text_of_mails) == ["stock.csv: undo completed", "stock.csv: undo terminated"]
    text_of_mail = text_of_mails["stock.csv: undo completed"]
    assert "2 listings removed" in text_of_mail
    assert f"https://sluice.example.com/imports/{undone.public_id}" in text_of_mail


def test_the_name_of_a_file_writes_no_header_of_an_email(mails: MailServer, seller: Seller) -> None:
    sellers.choose_email_on_end(seller.id, EmailOnEnd.ALWAYS)
    words = "stock=0AReply-To:_evil=40evil.example=0AContent-Type:_text=2Fhtml=0A=0A<h1>Locked<=2Fh1>"
    make(COMPLETED, seller, file_name=f"=?utf-8?q?{words}?= é.csv")
    job.run()
    (mail,) = mails.mails
    assert (mail["Reply-To"], mail.get_content_type(), mail["To"]) == (None, "text/plain", seller.email)
    assert mail["Subject"].startswith("= ?utf-8?q?stock=0AReply-To")
    assert mail["Subject"].endswith("é.csv: import completed")
    assert "https://sluice.example.com/imports/" in mail.get_content()


def test_without_a_mail_server_there_are_no_emails(set_up, seller: Seller) -> None:
    sellers.choose_email_on_end(seller.id, EmailOnEnd.ALWAYS)
    make(COMPLETED, seller)
    assert outbox() == []


def test_an_email_waits_for_its_server_and_gives_up_on_an_address_that_is_refused(
    mails: MailServer, seller: Seller
) -> None:
    sellers.choose_email_on_end(seller.id, EmailOnEnd.ALWAYS)
    make(COMPLETED, seller)
    mails.answer = "451 later"
    job.run()
    assert (outbox()[0].status, outbox()[0].answer_code) == ("WAITING", 451)
    mails.answer = "250 OK"
    be_due()
    job.run()
    assert outbox()[0].status == "DELIVERED"
    mails.answer = "550 nobody here"
    make(FAILED, seller)
    job.run()
    assert (outbox()[1].status, outbox()[1].answer) == ("GIVEN_UP", "The mail server refused the address.")


# What comes out -------------------------------------------------------------------------------------------------------


def test_it_arrives_signed(there: Receiver, seller: Seller) -> None:
    key = register(seller, there.url)
    make(FAILED, seller)
    job.run()
    (call,), (one,) = there.calls, outbox()
    assert call.verify(endpoint(key).secret) == json.loads(one.body)
    assert call.id == f"msg_{one.public_id.hex}"
    assert (one.status, one.attempts, one.answer_code, one.answer) == (
        "DELIVERED",
        1,
        204,
        "Accepted with 204 No Content.",
    )


def test_a_receiver_that_is_down_for_an_hour_misses_nothing(there: Receiver, seller: Seller) -> None:
    key = register(seller, there.url)
    there.status = 503
    for state in ("completed", "failed", "terminated"):
        make(OF_STATE[state], seller)
    for _ in range(6):
        job.run()
        be_due()
    assert {one.status for one in outbox()} == {"WAITING"}
    assert {one.attempts for one in outbox()} == {6}
    assert endpoint(key).failing_since is not None
    # Six attempts take almost an hour, and the seventh follows another hour later.
    assert sum(retry_policy.WAITS_SECONDS[:5]) < 3600 < sum(retry_policy.WAITS_SECONDS[:6])
    there.status, there.calls = 204, []
    job.run()
    assert [one.status for one in outbox()] == ["DELIVERED"] * 3
    assert [call.id for call in there.calls] == [f"msg_{one.public_id.hex}" for one in outbox()]
    assert all(call.verify(endpoint(key).secret) for call in there.calls)
    assert endpoint(key).failing_since is None


def test_each_attempt_sends_the_same_bytes_under_the_same_id(there: Receiver, seller: Seller) -> None:
    register(seller, there.url)
    there.status = 500
    make(COMPLETED, seller)
    for _ in range(3):
        job.run()
        be_due()
    assert len(there.calls) == 3
    assert len({(call.id, call.body) for call in there.calls}) == 1


def test_what_waits_is_not_sent_before_its_time(there: Receiver, seller: Seller) -> None:
    register(seller, there.url)
    there.status = 500
    make(COMPLETED, seller)
    job.run()
    job.run()
    assert len(there.calls) == 1
    (one,) = outbox()
    assert 4 < (one.due_at - one.claimed_at).total_seconds() < 7
    assert not outbox_queries.has_work()


def test_the_receiver_may_ask_for_patience(there: Receiver, seller: Seller) -> None:
    register(seller, there.url)
    there.status, there.headers = 429, {"Retry-After": "1800"}
    make(COMPLETED, seller)
    job.run()
    (one,) = outbox()
    assert 1790 < (one.due_at - one.claimed_at).total_seconds() < 1830


def test_when_the_clock_was_set_back_nothing_waits_until_it_catches_up(there: Receiver, seller: Seller) -> None:
    register(seller, there.url)
    make(COMPLETED, seller)
    db.session.execute(text("update deliveries set due_at = now() + interval '10 years'"))
    db.session.commit()
    job.run()
    assert len(there.calls) == 1


def test_after_all_attempts_a_message_is_given_up_and_the_webhook_switched_off(
    there: Receiver, mails: MailServer, seller: Seller
) -> None:
    key = register(seller, there.url)
    there.status = 500
    make(COMPLETED, seller)
    for _ in range(MAX_ATTEMPTS - 1):
        job.run()
        be_due()
    be_sent_long_ago(hours=25)
    make(FAILED, seller)
    job.run()
    first, second, mail = outbox()
    assert (first.status, first.attempts, second.status, second.attempts) == ("GIVEN_UP", MAX_ATTEMPTS, "WAITING", 0)
    assert endpoint(key).switched_off_because == "FAILING"
    # The notice goes out, whatever the seller wants to hear of imports.
    assert mail.status == "DELIVERED"
    assert there.url in mails.mails[0].get_content()
    assert f"/settings/webhooks/{endpoint(key).public_id}" in mails.mails[0].get_content()
    # Nothing is lost of what waits: it goes out when the webhook is switched on.
    calls = len(there.calls)
    be_due()
    job.run()
    assert len(there.calls) == calls
    there.status = 204
    webhook_commands.switch_on(key)
    job.run()
    assert len(there.calls) == calls + 1
    assert [one.status for one in outbox()[:2]] == ["GIVEN_UP", "DELIVERED"]
    webhook_commands.send_again(key, first.public_id)
    job.run()
    assert there.calls[-1].id == there.calls[0].id
    assert {one.status for one in outbox()} == {"DELIVERED"}


def test_a_message_that_is_given_up_alone_switches_nothing_off(there: Receiver, seller: Seller) -> None:
    key = register(seller, there.url)
    there.status = 500
    make(COMPLETED, seller)
    db.session.execute(text("update deliveries set attempts = :attempts"), {"attempts": MAX_ATTEMPTS - 1})
    db.session.commit()
    job.run()
    assert outbox()[0].status == "GIVEN_UP"
    assert endpoint(key).switched_off_at is None


def test_gone_switches_off_at_once(there: Receiver, seller: Seller) -> None:
    key = register(seller, there.url)
    there.status = 410
    make(COMPLETED, seller)
    job.run()
    assert (outbox()[0].status, endpoint(key).switched_off_because) == ("GIVEN_UP", "GONE")
    make(FAILED, seller)
    assert len(outbox()) == 1


def test_a_test_is_tried_once_and_judges_nobody(there: Receiver, seller: Seller) -> None:
    key = register(seller, there.url, ["import.paused"])
    webhook_commands.send_test(key)
    job.run()
    said = there.calls[0].verify(endpoint(key).secret)
    assert said["type"] == "webhook.test"
    there.status = 500
    webhook_commands.send_test(key)
    job.run()
    assert [one.status for one in outbox()] == ["DELIVERED", "GIVEN_UP"]
    assert endpoint(key).failing_since is None


def test_the_old_secret_signs_for_a_day(there: Receiver, seller: Seller) -> None:
    key = register(seller, there.url)
    old = endpoint(key).secret
    new = webhook_commands.change_secret(key, present=webhook_commands.secret_mark(endpoint(key)))
    webhook_commands.send_test(key)
    job.run()
    assert there.calls[0].verify(old) == there.calls[0].verify(new)
    db.session.execute(text("update webhook_endpoints set old_secret_until = now() - interval '1 second'"))
    db.session.commit()
    webhook_commands.send_test(key)
    job.run()
    assert there.calls[1].verify(new)
    webhook_endpoints.forget_old_secrets()
    db.session.commit()
    assert (endpoint(key).secret, endpoint(key).old_secret) == (new, None)
    assert len(there.calls[1].headers["webhook-signature"].split()) == 1


def test_private_addresses_are_not_called_without_the_setting(there: Receiver, set_up, seller: Seller) -> None:
    register(seller, there.url.replace("http:", "https:"))
    set_up(webhook_allow_private=False)
    make(COMPLETED, seller)
    job.run()
    assert there.calls == []
    assert outbox()[0].answer == "127.0.0.1 is not an address on the internet, and webhooks go nowhere else."


# Whatever dies --------------------------------------------------------------------------------------------------------


def claim(limit: int = 16, per_seller: int = 4) -> list[outbox_queries.Claimed]:
    claimed = outbox_queries.claim(limit=limit, per_seller=per_seller)
    db.session.commit()
    return claimed


def test_what_a_dead_sender_had_is_sent_once_more_under_the_same_id(there: Receiver, seller: Seller) -> None:
    register(seller, there.url)
    make(COMPLETED, seller)
    (lost,) = claim()
    job.run()
    assert there.calls == []
    assert not outbox_queries.has_work()
    db.session.execute(text("update deliveries set claimed_at = now() - interval '2 minutes'"))
    db.session.commit()
    assert outbox_queries.has_work()
    job.run()
    assert [call.id for call in there.calls] == [job.message_id(lost)]
    # Should it be alive after all, its result comes too late.
    assert not outbox_queries.record(lost, RESULT._replace(status=DeliveryStatus.GIVEN_UP))
    assert (outbox()[0].status, outbox()[0].attempts) == ("DELIVERED", 2)


def test_a_message_that_kills_every_sender_is_given_up(set_up, seller: Seller) -> None:
    register(seller, "http://127.0.0.1:1/")
    make(COMPLETED, seller)
    for _ in range(MAX_ATTEMPTS):
        assert claim()
        db.session.execute(text("update deliveries set claimed_at = now() - interval '2 minutes'"))
        assert outbox_queries.reclaim_expired(max_attempts=MAX_ATTEMPTS) == 1
        db.session.commit()
    assert outbox()[0].status == "GIVEN_UP"
    assert claim() == []


def test_two_senders_never_have_the_same_message(app: Flask, set_up, seller: Seller) -> None:
    for number in range(4):
        register(seller, f"http://127.0.0.1:1/{number}")
    make(COMPLETED, seller)
    got: list[Any] = []
    together = threading.Barrier(4)

    def take() -> None:
        with app.app_context():
            together.wait()
            got.extend(claim(limit=2))
            db.session.remove()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    got += claim()
    assert len(got) == len({one.key for one in got}) == 4


def test_one_at_a_time_to_an_endpoint_and_few_of_one_seller(set_up, seller: Seller, other_seller: Seller) -> None:
    for number in range(6):
        register(seller, f"http://127.0.0.1:1/{number}")
    make(COMPLETED, seller)
    make(FAILED, seller)
    register(other_seller, "http://127.0.0.1:1/other")
    make(COMPLETED, other_seller)
    assert len(outbox()) == 13
    first = claim()
    assert [one.key.seller_id for one in first].count(seller.id) == 4
    assert [one.key.seller_id for one in first].count(other_seller.id) == 1
    assert len({one.endpoint for one in first}) == 5
    assert claim() == []
    assert outbox_queries.record(next(one for one in first if one.key.seller_id == seller.id), RESULT)
    db.session.commit()
    assert len(claim()) == 1


def test_a_slow_receiver_does_not_make_another_wait(there: Receiver, seller: Seller, other_seller: Seller) -> None:
    with receiver() as slow:
        slow.may_answer.clear()
        register(seller, slow.url)
        register(other_seller, there.url)
        make(COMPLETED, seller)
        make(COMPLETED, other_seller)

        def release() -> None:
            assert there.arrived.wait(10)
            slow.may_answer.set()

        thread = threading.Thread(target=release)
        thread.start()
        job.run()
        thread.join()
    assert [one.status for one in outbox()] == ["DELIVERED", "DELIVERED"]


def test_the_tick_wakes_a_deliverer_once(there: Receiver, seller: Seller) -> None:
    register(seller, there.url)
    make(COMPLETED, seller)
    redis_client().flushdb()
    for _ in range(2):
        reconcile.sweep(force=True)
    waiting = queue.open_queue(redis_client(), queue.DELIVERY_QUEUE_NAME)
    (wake_up,) = waiting.jobs
    assert (wake_up.func_name, wake_up.args) == ("app.deliveries.job.run", [])
    wake_up.perform()
    assert len(there.calls) == 1
    waiting.empty()
    reconcile.sweep(force=True)
    assert waiting.count == 0


def test_an_endpoint_that_is_deleted_at_that_moment_does_not_fail_the_import(
    app: Flask, set_up, seller: Seller
) -> None:
    key = register(seller, "http://127.0.0.1:1/")
    make_items()
    started = start(seller, [row()])
    seller_id, import_id, public_id = started.seller_id, started.id, started.public_id
    db.session.rollback()
    with closing(db.engine.connect()) as deleting:
        deleting.execute(text("delete from webhook_endpoints where id = :id"), {"id": key.endpoint_id})
        ended: list[bool] = []

        def terminate() -> None:
            with app.app_context():
                commands.terminate(seller_id, public_id)
                ended.append(True)
                db.session.remove()

        thread = threading.Thread(target=terminate)
        thread.start()
        thread.join(0.3)
        assert not ended
        deleting.commit()
        thread.join()
    assert ended
    assert db.session.get_one(Import, (seller_id, import_id)).status == "TERMINATED"
    assert outbox() == []


def test_the_log_does_not_grow_for_ever(there: Receiver, seller: Seller) -> None:
    register(seller, there.url)
    make(COMPLETED, seller)
    job.run()
    make(FAILED, seller)
    be_sent_long_ago(hours=31 * 24)
    assert outbox_queries.forget_old(days=30) == 1
    db.session.commit()
    assert [one.status for one in outbox()] == ["WAITING"]
