"""Chunks: the outcomes of rows, and who may write."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import psycopg
import pyarrow as pa
import pytest
from flask import Flask
from sqlalchemy import text

from app.csvfile.causes import Cause
from app.csvfile.columns import NEWEST
from app.csvfile.lines import LineReader, Lines
from app.csvfile.rows import SCHEMA
from app.extensions import db
from app.imports.worker import batch_job
from app.imports.worker.catalog_cache import LookedUpItems
from app.imports.worker.chunk import AttemptOver, Pausing, complete, write
from app.imports.worker.targets import LiveListings
from app.models import Batch, Seller
from app.queries import BatchKey, ImportKey, binary
from app.queries.imports import row_errors, transitions
from app.queries.listings import earlier_values, listings
from app.storage import iter_range
from tests.conftest import make_seller
from tests.factories import failures, listed, look, make_items, row, start

RunJobs = Callable[[], None]
_TYPES = {"item_id": pa.int32(), **{field.name: field.type for field in SCHEMA}}


def messages(started) -> dict[int, list[str]]:
    return {error.line: error.messages for page in row_errors.iter_pages(ImportKey.of(started)) for error in page}


def test_every_outcome_in_one_file(seller: Seller, run_jobs: RunJobs) -> None:
    make_items()
    started = start(
        seller,
        [
            row(reference="first"),
            row(urn="", cardmarket_id="2", variants="Reverse|de"),
            row(urn="", game="game", set="SET", name="name  3", condition="PO"),
            row(price="1.99"),
            row(urn="urn:test:9"),
            row(variants="holo"),
            row(mode="UPDATE", condition="MT"),
            row(reference="again"),
        ],
    )
    run_jobs()
    assert failures(started) == [(5, 422), (6, 404), (7, 404), (8, 404), (9, 409)]
    told = messages(started)
    assert "enter 199" in told[5][0]
    assert "URN “urn:test:9”" in told[6][0]
    assert "has no variant holo. It has de, normal, reverse." in told[7][0]
    assert "Line 2 of this file" in told[9][0]
    assert {one[0]: one[8] for one in listed(seller)} == {"urn:test:1": "first", "urn:test:2": "", "urn:test:3": ""}
    assert (look(started).status, look(started).successful, look(started).failed) == ("FAILED", 3, 5)


def test_an_ambiguous_name_lists_the_candidates(seller: Seller, run_jobs: RunJobs) -> None:
    make_items(7)
    db.session.execute(text("update items set name_key = (select name_key from items where urn = 'urn:test:1')"))
    db.session.commit()
    started = start(seller, [row(urn="", game="Game", set="Set", name="Name 1")])
    run_jobs()
    assert failures(started) == [(2, 409)]
    (message,) = messages(started)[2]
    assert message.startswith("7 items have this GAME, SET and NAME.")
    assert "urn:test:5, …" in message
    assert "urn:test:6" not in message


def test_a_listing_of_an_earlier_import_is_a_conflict_without_a_line(seller: Seller, run_jobs: RunJobs) -> None:
    make_items()
    start(seller, [row(price=1)])
    run_jobs()
    again = start(seller, [row(price=2)])
    run_jobs()
    assert "Change MODE to UPDATE" in messages(again)[2][0]
    assert {one[3] for one in listed(seller)} == {"1"}


def test_sellers_do_not_meet(seller: Seller, other_seller: Seller, run_jobs: RunJobs) -> None:
    make_items()
    start(seller, [row(price=1)])
    mine = start(other_seller, [row(price=2)])
    changed = start(other_seller, [row(mode="UPDATE", urn="urn:test:2")])
    run_jobs()
    assert look(mine).status == "COMPLETED"
    assert failures(changed) == [(2, 404)]
    assert {one[3] for one in listed(seller)} == {"1"}


def test_where_a_row_lies_does_not_lead_to_another_seller(
    seller: Seller, other_seller: Seller, run_jobs: RunJobs
) -> None:
    (item_id, *_) = make_items()
    seller_id, other_id, key = seller.id, other_seller.id, (item_id, 2, "")
    start(seller, [row(price=1)])
    run_jobs()
    update = {"item_id": [item_id], "condition": [2], "variants": [""], "price": [2], "quantity": [1]}
    update |= {"comment": [None], "notes": [None], "reference": [None], "hidden": [None]}
    rows = pa.table([pa.array(update[name], _TYPES[name]) for name in update], [*update])
    runs = [listings.Run(ImportKey(one, 9), NEWEST, listings.DIGEST_FORMAT) for one in (seller_id, other_id)]
    found = listings.compare(runs[0], rows, lock=True)
    changes = rows.append_column("place", pa.array(found.places.tolist(), binary.TID))
    changes = changes.append_column("is_higher", [[True]])
    for name in ("line", "hidden_line"):
        changes = changes.append_column(name, pa.array([2], pa.int32()))
    before = listings.find(seller_id, [key])
    listings.update(runs[1], changes)
    assert listings.find(seller_id, [key]) == before
    listings.update(runs[0], changes)
    assert listings.find(seller_id, [key])[key].values[0] == 2


@pytest.mark.parametrize("analyzed_before", [False, True])
def test_updates_read_the_listings_that_they_name_and_no_others(seller: Seller, *, analyzed_before: bool) -> None:
    make_items(1)
    key = ImportKey(seller.id, 9)
    # Not analyzed, or when the seller had none yet, so that the planner expects few listings of each seller, or one.
    made = """
        insert into listings (seller_id, item_id, condition, variants, price, quantity, hidden, created_import_id,
            created_line)
        select :seller_id, id, 1, 'v' || lpad(n::text, 5, '0'), 100, 1, false, 1, n
        from items, generate_series(1, 20000) n
    """
    if analyzed_before:
        db.session.execute(text(made), {"seller_id": make_seller("other@example.com").id})
        db.session.execute(text("analyze listings"))
    db.session.execute(text(made), {"seller_id": seller.id})
    db.session.commit()
    count = 500
    values = {"item_id": 1, "condition": 1, "price": 2, "quantity": 1}
    values |= {"comment": None, "notes": None, "reference": None, "hidden": None}
    columns = {name: pa.array([value] * count, _TYPES[name]) for name, value in values.items()}
    rows = pa.table({**columns, "variants": [f"v{n:05}" for n in range(1, count + 1)]})
    run = listings.Run(key, NEWEST, listings.DIGEST_FORMAT)
    read = text("select idx_tup_fetch + seq_tup_read from pg_stat_xact_user_tables where relname = 'listings'")
    before = db.session.scalar(read)
    found = listings.compare(run, rows, lock=True)
    compared = db.session.scalar(read) - before
    places = pa.chunked_array([pa.array(found.places.tolist(), binary.TID)])
    changes = rows.append_column("place", places).append_column("is_higher", [[True] * count])
    for name in ("line", "hidden_line"):
        changes = changes.append_column(name, pa.array(range(count), pa.int32()))
    # What is set where the seller's listings lie: in this session, or in that of a cluster's node.
    scans = text(
        "select current_setting('enable_seqscan') || ' ' || current_setting('enable_indexscan') from listings"
        f" where seller_id = {seller.id} order by item_id limit 1"
    )
    with listings.in_place(seller.id):
        assert db.session.scalar(scans) == "off off"
        before = db.session.scalar(read)
        earlier_values.record(key, places)
        listings.update(run, changes)
        assert compared + db.session.scalar(read) - before <= 2 * count
    # What follows in the transaction is planned as ever.
    assert db.session.scalar(scans) == "on on"


def test_updates_have_the_effect_of_the_order_of_the_file(seller: Seller, run_jobs: RunJobs) -> None:
    make_items()
    start(seller, [row(price=1, hidden="false", comment="old"), row(urn="urn:test:2", hidden="true", comment="old")])
    run_jobs()
    updates = [
        row(mode="UPDATE", price=10, hidden="true", comment="a"),
        row(mode="UPDATE", price=11, hidden="", comment=""),
        row(mode="UPDATE", urn="urn:test:2", price=12, hidden="", quantity=0),
    ]
    started = start(seller, updates)
    run_jobs()
    assert look(started).updated == 3
    values = {one[0]: one[3:7] for one in listed(seller)}
    assert values == {"urn:test:1": ("11", "1", "true", ""), "urn:test:2": ("12", "0", "true", "")}


def test_the_highest_line_stays_when_its_batch_comes_first(
    seller: Seller, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_items()
    start(seller, [row(price=1)])
    run_jobs()
    monkeypatch.setattr("app.csvfile.scan.rows_per_batch", lambda *_: 1)
    started = start(
        seller,
        [
            row(mode="UPDATE", price=10, comment="low", hidden="true"),
            row(mode="UPDATE", price=20, comment="high"),
        ],
    )
    for number in (2, 1):
        batch_job.run(seller.id, started.id, number, 1)
    run_jobs()
    assert look(started).updated == 2
    ((_, _, _, price, _, hidden, comment, _, _),) = listed(seller)
    assert (price, comment, hidden) == ("20", "high", "true")


def test_rows_that_repeat_each_other_are_settled_within_the_chunk(seller: Seller, run_jobs: RunJobs) -> None:
    make_items()
    started = start(seller, [row(price=n) for n in (5, 6, 7)] + [row(urn="", cardmarket_id="1", price=8)])
    run_jobs()
    assert failures(started) == [(3, 409), (4, 409), (5, 409)]
    assert {one[3] for one in listed(seller)} == {"5"}


# Who may write --------------------------------------------------------------------------------------------------------


def claimed(seller: Seller, rows: int = 1) -> tuple[BatchKey, transitions.Claim]:
    make_items(rows)
    started = start(seller, [row(urn=f"urn:test:{n}") for n in range(1, rows + 1)])
    key = BatchKey(seller.id, started.id, 1)
    claim = transitions.claim(key, 1)
    db.session.commit()
    assert claim is not None
    return key, claim


def target_of(key: BatchKey) -> LiveListings:
    run = listings.Run(key.of_import, NEWEST, listings.DIGEST_FORMAT)
    return LiveListings(key, run)


def whole_chunk(app: Flask, key: BatchKey, claim: transitions.Claim) -> Lines:
    pieces = iter_range(app.extensions["sluice_storage"], claim.storage_key, claim.cursor, claim.end_byte)
    reader = LineReader(
        pieces,
        header=claim.header,
        offset=claim.cursor,
        line=claim.cursor_line,
        complete=partial(complete, known_items=LookedUpItems(), target=target_of(key)),
    )
    return reader.take(5_000)


def written() -> tuple[int, ...]:
    return tuple(
        db.session.execute(
            text(
                """
                select (select count(*) from listings), (select count(*) from row_errors),
                       (select sum(created + updated + failed) from batches), (select sum("cursor") from batches)
                """
            )
        ).one()
    )


def test_a_stale_attempt_writes_nothing(app: Flask, seller: Seller) -> None:
    key, claim = claimed(seller)
    chunk = whole_chunk(app, key, claim)
    transitions.release(key, 1)
    db.session.commit()
    before = written()
    with pytest.raises(AttemptOver):
        write(key, 1, chunk, target_of(key))
    db.session.commit()
    assert written() == before


def test_a_chunk_that_does_not_begin_at_the_cursor_writes_nothing(app: Flask, seller: Seller) -> None:
    key, claim = claimed(seller)
    chunk = whole_chunk(app, key, claim)
    assert write(key, 1, chunk, target_of(key)).status == "COMPLETED"
    db.session.execute(text("update batches set status = 'RUNNING', finished_at = null"))
    db.session.commit()
    before = written()
    with pytest.raises(AttemptOver):
        write(key, 1, chunk, target_of(key))
    db.session.commit()
    assert written() == before


def test_a_pausing_import_is_not_written_to(app: Flask, seller: Seller) -> None:
    key, claim = claimed(seller)
    chunk = whole_chunk(app, key, claim)
    transitions.request_pause(key.of_import)
    db.session.commit()
    before = written()
    with pytest.raises(Pausing):
        write(key, 1, chunk, target_of(key))
    db.session.commit()
    assert written() == before


def test_a_second_delivery_of_a_job_leaves_at_once(app: Flask, seller: Seller) -> None:
    key, _ = claimed(seller)
    before = written()
    batch_job.run(*key, 1)
    assert written() == before
    assert db.session.get_one(Batch, tuple(key)).status == "RUNNING"


def test_the_number_of_statements_does_not_depend_on_the_rows(
    app: Flask, seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count(rows: int) -> int:
        db.session.execute(text("truncate imports, batches, listings, lost_attempts"))
        db.session.commit()
        key, claim = claimed(seller, rows)
        chunk = whole_chunk(app, key, claim)
        sent = 0

        def counting(original):
            def count_one(*args, **kwargs):
                nonlocal sent
                sent += 1
                return original(*args, **kwargs)

            return count_one

        with monkeypatch.context() as patch:
            # Everything goes through psycopg, SQLAlchemy's statements as well.
            patch.setattr(psycopg.Cursor, "execute", counting(psycopg.Cursor.execute))
            patch.setattr(psycopg.Cursor, "copy", counting(psycopg.Cursor.copy))
            write(key, 1, chunk, target_of(key))
        db.session.commit()
        return sent

    assert 3 < count(1) == count(500)


def test_no_row_can_fail_for_two_different_codes(seller: Seller, run_jobs: RunJobs) -> None:
    make_items()
    started = start(seller, [row(urn="nowhere", price="x", condition="")])
    run_jobs()
    ((error,),) = row_errors.iter_pages(ImportKey(seller.id, started.id))
    assert error.code == 422
    assert error.columns == ["CONDITION", "PRICE"]
    assert error.causes == [Cause.CONDITION_MISSING.slug, Cause.PRICE_NOT_WHOLE.slug]
