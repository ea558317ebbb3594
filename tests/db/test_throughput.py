"""What is remembered of how an import has moved, and its place in the queue."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from app.extensions import db
from app.imports import commands
from app.imports.reports import progress, throughput
from app.imports.worker import batch_job
from app.models import Import, Seller
from app.queries import BatchKey, ImportKey
from app.queries.imports import throughput as recorded
from app.queries.imports import transitions
from app.statuses import ImportStatus
from tests.factories import look, make_items, row, start


def key_of(started: Import) -> ImportKey:
    return ImportKey.of(started)


def start_many(seller: Seller, count: int, monkeypatch: pytest.MonkeyPatch) -> Import:
    """An import with this many batches of one row each."""
    make_items(count)
    monkeypatch.setattr("app.csvfile.scan.rows_per_batch", lambda *_: 1)
    return start(seller, [row(urn=f"urn:test:{number}") for number in range(1, count + 1)])


def test_each_chunk_notes_when_it_was_written_and_its_rows(seller: Seller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_job, "MAX_CHUNK_ROWS", 200)
    make_items()
    started = start(seller, [row(urn=f"urn:test:{number % 9}", price=number) for number in range(500)])
    batch_job.run(*key_of(started), 1, 1)
    (batch,) = recorded.get(key_of(started)).batches
    assert list(batch.pace[1::2]) == [200, 200, 100]
    assert all(0 <= tenths < 600 for tenths in batch.pace[::2])
    assert list(batch.pace[::2]) == sorted(batch.pace[::2])
    assert sum(batch.pace[1::2]) == look(started).processed


def test_a_clock_that_was_set_back_or_far_on_breaks_no_chunk(seller: Seller) -> None:
    make_items()
    for shift, expected in (("1 day", 0), ("-9999 days", 2**31 - 1)):
        started = start(seller, [row()])
        key = BatchKey(*key_of(started), 1)
        assert transitions.claim(key, 1)
        db.session.execute(text(f"update batches set started_at = clock_timestamp() + interval '{shift}'"))
        transitions.advance(key, transitions.Advance(_end_of(key), 3, 1, 0, 0, 0))
        db.session.commit()
        assert recorded.get(key_of(started)).batches[0].pace[0] == expected


def _end_of(key: BatchKey) -> int:
    row = db.session.execute(
        text("select end_byte from batches where seller_id = :seller_id and import_id = :import_id"), key._asdict()
    )
    return int(row.scalar_one())


def test_pauses_are_remembered_with_their_ends(seller: Seller, monkeypatch: pytest.MonkeyPatch) -> None:
    started = start_many(seller, 2, monkeypatch)
    for _ in range(2):
        commands.pause(started.seller_id, started.public_id)
        assert len(recorded.get(key_of(started)).pauses) % 2 == 1
        commands.resume(started.seller_id, started.public_id)
    commands.pause(started.seller_id, started.public_id)
    commands.terminate(started.seller_id, started.public_id)
    pauses = list(recorded.get(key_of(started)).pauses)
    assert len(pauses) == 5
    assert pauses == sorted(pauses)
    shown = throughput.get(look(started), recorded.get(key_of(started)))
    assert len(shown.pauses) == 3
    assert shown.pauses[-1] == pytest.approx(shown.active_seconds)


def test_pauses_without_end_are_not_all_remembered(seller: Seller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transitions, "_PAUSES_NOTED", 2)
    started = start_many(seller, 1, monkeypatch)
    for _ in range(4):
        commands.pause(started.seller_id, started.public_id)
        commands.resume(started.seller_id, started.public_id)
    assert look(started).status is ImportStatus.RUNNING
    assert len(recorded.get(key_of(started)).pauses) == 4


def test_the_history_is_there_when_the_import_is_over(
    client: FlaskClient, seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = start_many(seller, 3, monkeypatch)
    for number in (1, 2, 3):
        batch_job.run(*key_of(started), number, 1)
    # As if it had taken exactly twelve seconds, of which it was paused for six.
    db.session.execute(text("update batches set started_at = now() - interval '12 s', pace = array[number * 10, 7]"))
    db.session.execute(
        text(
            """
            update imports set created_at = now() - interval '12 s', finished_at = now(),
                pauses = array[now() - interval '9 s', now() - interval '3 s']
            """
        )
    )
    db.session.commit()
    page = client.get(f"/imports/{started.public_id}").text
    assert 'role="img" aria-label="Speed over 6 s: at most 7 rows per second' in page
    assert "paused once, for 6 s" in page
    assert page.count('class="speed-pause"') == 1


def send(started: Import, *numbers: int) -> None:
    """Record that the jobs of these batches were sent."""
    sent = text("update batches set dispatched_at = clock_timestamp() where import_id = :id and number = any(:numbers)")
    db.session.execute(sent, {"id": started.id, "numbers": list(numbers)})
    db.session.commit()


def test_the_place_in_the_queue_is_the_number_of_batches_before(
    seller: Seller, other_seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.jobs.queue.send_waiting_jobs", lambda: 0)
    first, second = (start_many(one, 3, monkeypatch) for one in (seller, other_seller))
    # Sellers take turns.
    assert (recorded.count_before(key_of(first)), recorded.count_before(key_of(second))) == (0, 1)
    # What was handed to Redis first comes first.
    send(second, 1, 2)
    assert (recorded.count_before(key_of(first)), recorded.count_before(key_of(second))) == (2, 0)
    send(first, 1)
    assert recorded.count_before(key_of(first)) == 2
    shown = throughput.get(progress.get(seller.id, first.public_id), recorded.get(key_of(first)))
    assert shown.work.before == 2
    assert not shown.work.has_workers


def test_a_batch_that_rests_after_trouble_has_no_place(seller: Seller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.jobs.queue.send_waiting_jobs", lambda: 0)
    started = start_many(seller, 1, monkeypatch)
    for attempt in (1, 2, 3):
        assert transitions.claim(BatchKey(*key_of(started), 1), attempt)
        transitions.end_attempt(BatchKey(*key_of(started), 1), attempt, reason="trouble", max_fruitless_attempts=9)
    db.session.commit()
    assert recorded.count_before(key_of(started)) is None
