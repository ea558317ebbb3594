"""The operators' pages: for operators alone; what is wrong stands there in a sentence, and who did what."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from app import periodic_tasks
from app.extensions import db
from app.imports import reconcile
from app.models import AuditEntry, Batch, Import, Seller
from app.queries import BatchKey, operations
from app.queries.imports import transitions
from app.version import VERSION
from tests.factories import listed, look, make_items, row, start
from tests.pages import HTMX, buttons, page, press, read, words
from tests.states import STATES, everything, make

GIVEN_UP = STATES[7]


def alarms(client: FlaskClient) -> list[str]:
    """The sentences that say what is wrong."""
    return [words(one) for one in page(client, "/ops").select("[data-alarm] strong")]


def run(statement: str) -> None:
    db.session.execute(text(statement))
    db.session.commit()


def keep_working() -> None:
    """A worker host and a reconciler that have just been heard of."""
    operations.note_workers("host-a", [11, 12])
    db.session.commit()
    reconcile.sweep(force=True)


def audited() -> list[tuple[str, str, str, str]]:
    db.session.rollback()
    found = db.session.scalars(db.select(AuditEntry).order_by(AuditEntry.id))
    return [(one.actor, one.via, one.address, one.action) for one in found]


@pytest.mark.parametrize("path", ["/ops", "/ops/audit"])
def test_who_is_no_operator_finds_nothing(client: FlaskClient, path: str) -> None:
    read(client.get(path), 404)
    assert "Operations" not in client.get("/imports").text
    stranger = client.application.test_client().get(path)
    assert (stranger.status_code, stranger.location.partition("?")[0]) == (302, "/login")


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_an_operator_sees_the_import_of_whomever(operator: FlaskClient, seller: Seller, state) -> None:
    made = make(state, seller, file_name="<b>stock</b>.csv")
    soup = page(operator, "/ops")
    shown = soup.select(f"[data-import-id='{made.public_id}']")
    assert {one["data-status"] for one in shown} == {state.status}
    assert "seller@example.com" in words(shown[0])
    expected = [*state.buttons, *(["Try again"] if state is GIVEN_UP else [])]
    assert sorted(buttons(shown[0])) == sorted(expected)
    detail = page(operator, f"/ops/imports/{made.public_id}")
    assert len(detail.select("section[aria-labelledby=ops-batches] tbody tr")) == len(state.batches)
    assert 'href="/ops"' in operator.get("/imports").text


def test_nothing_is_wrong_when_nothing_is(operator: FlaskClient) -> None:
    keep_working()
    assert alarms(operator) == []
    assert "All systems normal." in operator.get("/ops").text


def test_the_version_is_shown(operator: FlaskClient) -> None:
    assert words(page(operator, "/ops").select_one("[data-version]")) == f"Sluice {VERSION}"


def test_no_worker_is_running(operator: FlaskClient) -> None:
    assert alarms(operator) == ["No worker is running."]


def test_a_host_that_is_gone_is_named(operator: FlaskClient) -> None:
    operations.note_workers("host-b", [21])
    run("update workers set heartbeat_at = now() - interval '130 seconds'")
    assert alarms(operator) == ["No worker has been seen for 2 minutes."]
    keep_working()
    assert alarms(operator) == ["The workers of host-b haven’t been seen for 2 minutes."]


def known_workers() -> list[tuple[str, int]]:
    return [(one.host, one.pid) for one in operations.list_workers()]


def test_a_supervisor_reports_its_own_workers_only_and_signs_off(app: Flask) -> None:
    operations.note_workers("host-a", {1, 2})
    operations.note_workers("host-a", {7})
    operations.note_workers("host-b", {1})
    operations.note_workers("host-a", {2, 3}, gone={1})
    assert known_workers() == [("host-a", 2), ("host-a", 3), ("host-a", 7), ("host-b", 1)]
    operations.note_workers("host-a", set(), gone={2, 3})
    assert known_workers() == [("host-a", 7), ("host-b", 1)]


def test_what_a_dead_supervisor_has_left_behind_is_forgotten_by_its_successor(app: Flask) -> None:
    operations.note_workers("host-a", {1, 2})
    operations.note_workers("host-b", {1})
    run("update workers set heartbeat_at = now() - interval '5 minutes'")
    operations.note_workers("host-a", {3})
    assert known_workers() == [("host-a", 3), ("host-b", 1)]


def test_redis_that_does_not_answer(operator: FlaskClient, take_redis_away: Callable[[], None]) -> None:
    keep_working()
    take_redis_away()
    assert alarms(operator) == ["Redis does not answer."]


def test_a_tick_that_fails(operator: FlaskClient) -> None:
    keep_working()
    run("update reconciler set last_run_at = now() - interval '5 minutes'")
    assert alarms(operator) == ["The reconciler last ran 5 minutes ago."]


def test_one_seller_who_floods_the_queue(
    operator: FlaskClient, seller: Seller, other_seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.csvfile.scan.rows_per_batch", lambda *_: 1)
    make_items(30)
    start(seller, [row(urn=f"urn:test:{n}") for n in range(1, 25)])
    start(other_seller, [row()])
    keep_working()
    assert alarms(operator) == ["One seller, seller@example.com, has 96% of the 25 waiting batches."]
    run("update batches set updated_at = now() - interval '10 minutes'")
    assert alarms(operator)[1] == "The oldest waiting batch has waited for 10 minutes."


def test_a_batch_that_keeps_crashing(operator: FlaskClient, seller: Seller) -> None:
    make_items()
    started = start(seller, [row()])
    key = BatchKey(seller.id, started.id, 1)
    for attempt in (1, 2, 3):
        assert transitions.claim(key, attempt, worker="host-a:11")
        run("update batches set heartbeat_at = now() - interval '1 hour'")
        keep_working()
    assert alarms(operator) == [
        "Batch 1 of stock.csv (seller@example.com) has failed 3 times: Its worker stopped responding."
    ]
    soup = page(operator, "/ops")
    assert "Last error: No heartbeat within the lease." in soup.text
    troubles = [words(one) for one in soup.select("section[aria-labelledby=ops-troubles] tbody tr")]
    assert len(troubles) == 3
    assert "host-a:11 Its worker stopped responding. No heartbeat within the lease." in troubles[0]
    assert operations.get_reconciler().batches_reclaimed == 3


def test_the_kind_of_an_error_is_told_and_not_its_words(
    operator: FlaskClient, seller: Seller, run_jobs: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> str:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("app.imports.worker.batch_job.write", crash)
    make_items()
    start(seller, [row()])
    run_jobs()
    trouble = operations.list_troubles(limit=9)[-1]
    assert (trouble.detail, trouble.reason, trouble.attempt) == (
        "ZeroDivisionError",
        "The import ran into an unexpected error.",
        1,
    )
    assert "secret" not in operator.get("/ops").text


def test_a_given_up_batch_is_tried_again_where_it_stopped(
    operator: FlaskClient, seller: Seller, run_jobs: Callable[[], None]
) -> None:
    made = make(GIVEN_UP, seller)
    keep_working()
    assert alarms(operator) == ["1 batch of stock.csv (seller@example.com) was given up."]
    shown = page(operator, f"/ops/imports/{made.public_id}")
    answer = press(operator, shown, "Try again")
    assert answer.status_code == 303
    one = look(made)
    assert (one.status, one.processed, one.finished_at) == ("RUNNING", 1, None)
    batch = db.session.get_one(Batch, (made.seller_id, made.id, 2))
    assert (batch.status, batch.attempt, batch.fruitless_attempts) == ("QUEUED", 3, 0)
    run_jobs()
    done = look(made)
    assert (done.status, done.successful, done.not_processed) == ("COMPLETED", 2, 0)
    assert len(listed(seller)) == 2
    assert audited()[-1] == ("operator@example.com", "web", "127.0.0.1", "try given-up batches again")


@pytest.mark.parametrize("state", [one for one in STATES if one is not GIVEN_UP], ids=lambda state: state.name)
def test_nothing_else_is_tried_again(operator: FlaskClient, seller: Seller, state) -> None:
    made = make(state, seller)
    before = everything()
    token = page(operator, "/ops").select_one("input[name=csrf_token]")["value"]
    answer = operator.post(f"/ops/imports/{made.public_id}/reopen", data={"csrf_token": token})
    read(answer, 409)
    assert everything() == before


def test_rows_that_another_import_has_taken_up_are_not_tried_again(
    operator: FlaskClient, client: FlaskClient, seller: Seller
) -> None:
    made = make(GIVEN_UP, seller)
    token = page(operator, "/ops").select_one("input[name=csrf_token]")["value"]
    assert press(client, page(client, f"/imports/{made.public_id}"), "Import remaining rows").status_code == 303
    answer = operator.post(f"/ops/imports/{made.public_id}/reopen", data={"csrf_token": token}, headers=HTMX)
    assert answer.status_code == 409
    assert "would be imported twice" in answer.text


def test_a_given_up_batch_of_a_deleted_import_is_not_offered(
    operator: FlaskClient, client: FlaskClient, seller: Seller
) -> None:
    made = make(GIVEN_UP, seller)
    assert press(client, page(client, f"/imports/{made.public_id}/delete"), "Delete import").status_code == 303
    keep_working()
    assert alarms(operator) == []


def test_any_import_is_paused_resumed_and_terminated(operator: FlaskClient, seller: Seller) -> None:
    made = make(STATES[0], seller)
    for button, status in (("Pause", "PAUSED"), ("Resume", "RUNNING")):
        assert press(operator, page(operator, "/ops"), button).location == "/ops"
        assert look(made).status == status
    asked = read(press(operator, page(operator, "/ops"), "Terminate"))
    assert "It belongs to seller@example.com. 0 of 3 rows have been processed." in words(asked.select_one("main"))
    assert press(operator, asked, "Terminate import").status_code == 303
    assert look(made).status == "TERMINATED"
    # Its seller was not there, and is told.
    assert db.session.scalars(db.select(Import.is_unseen)).all() == [True]
    too_late = operator.get(f"/ops/imports/{made.public_id}/terminate", follow_redirects=True)
    assert "stock.csv has already finished." in too_late.text
    assert [(actor, action) for actor, _, _, action in audited()[1:]] == [
        ("operator@example.com", "pause"),
        ("operator@example.com", "resume"),
        ("operator@example.com", "terminate"),
    ]


def test_what_a_seller_does_is_noted_and_what_is_refused_is_not(
    operator: FlaskClient, client: FlaskClient, seller: Seller
) -> None:
    made = make(STATES[0], seller)
    path = f"/imports/{made.public_id}"
    token = page(client, path).select_one("input[name=csrf_token]")["value"]
    assert client.post(f"{path}/pause", data={"csrf_token": token}).status_code == 303
    assert client.post(f"{path}/pause", data={"csrf_token": token}).status_code == 409
    assert [one[1] for one in audited()] == ["command line", "web"]
    assert audited()[1] == ("seller@example.com", "web", "127.0.0.1", "pause")
    log = page(operator, f"/ops/audit?import={made.public_id}")
    assert [words(one.select("td")[2]).split()[0] for one in log.select("tbody tr")] == ["pause", "import"]
    assert words(log.select_one("tbody a")) == made.file_name


def test_the_audit_log_is_read_page_by_page(operator: FlaskClient, seller: Seller) -> None:
    run(f"""
        insert into audit_log (actor, via, address, action, seller_id, detail)
        select 'a', 'web', '', 'pause', {seller.id}, 'entry ' || n from generate_series(1, 150) n
    """)
    first = page(operator, "/ops/audit")
    assert len(first.select("tbody tr")) == 100
    older = page(operator, str(first.select_one("a[rel=next]")["href"]))
    assert len(older.select("tbody tr")) == 50
    assert older.select("a[rel=next]") == []


def test_a_late_batch_does_not_overrule_a_higher_line_that_found_its_listing_right(
    operator: FlaskClient, seller: Seller, run_jobs: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.csvfile.scan.rows_per_batch", lambda *_: 1)
    make_items()
    start(seller, [row(price=100)])
    run_jobs()
    started = start(seller, [row(mode="UPDATE", price=200), row(mode="UPDATE", price=100)])
    key = BatchKey(seller.id, started.id, 1)
    assert transitions.claim(key, 1)
    assert transitions.end_attempt(key, 1, reason="trouble", max_fruitless_attempts=1)
    db.session.commit()
    run_jobs()
    reconcile.sweep(force=True)
    periodic_tasks.run_due()
    assert look(started).status == "FAILED"
    assert press(operator, page(operator, f"/ops/imports/{started.public_id}"), "Try again").status_code == 303
    run_jobs()
    assert look(started).status == "COMPLETED"
    assert {listing[3] for listing in listed(seller)} == {"100"}
    reconcile.sweep(force=True)
    assert db.session.execute(text("select count(*) from left_alone")).scalar_one() == 0
