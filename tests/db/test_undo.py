"""Undoing imports: which listings are removed, put back and kept, and that each is so once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.csvfile.contract import Condition
from app.extensions import db
from app.imports import commands, housekeeping, ledger, retention, settling, undo
from app.imports.errors import TransitionRefused
from app.imports.fixes import engine
from app.imports.fixes.answers import NewAnswer, Rule
from app.imports.undo import Preview
from app.imports.worker import batch_job
from app.listings import Edit, change
from app.models import Import, Seller
from app.queries import BatchKey, ImportKey
from app.queries.imports import corrections, transitions, undo_listings
from app.queries.imports import undo as undo_queries
from app.queries.listings.earlier_values import MARKS
from app.queries.listings.listings import in_place
from app.statuses import RetriedRows
from tests.conftest import CLUSTER, make_seller
from tests.factories import listed, look, make_items, row, start
from tests.processes import wait_until

RunJobs = Callable[[], None]

#: How many sessions wait for a lock.
WAITING = text(
    # The locks of a listing are on its node.
    "select count(*) from citus_lock_waits"
    if CLUSTER
    else "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
)


def counts(started: Import) -> tuple[int, int, int]:
    """What an undo has removed, put back and kept."""
    one = look(started)
    return one.created, one.updated, one.unchanged


def kept(started: Import) -> list[tuple[str, str | None, int | None, bool, bool]]:
    """The listings that an undo has kept: URN, file name of the import or undo that changed it, and the rest."""
    found = db.session.execute(
        text(
            """
            select i.urn, c.file_name, k.changed_line, k.is_edited, k.is_unrecorded
            from kept_listings k join items i on i.id = k.item_id
            left join imports c on c.seller_id = k.seller_id and c.id = k.changed_import_id
            where k.import_id = :id order by i.urn
            """
        ),
        {"id": started.id},
    )
    return [tuple(one) for one in found]  # type: ignore[misc]


def use_chunks_of(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("MIN_CHUNK_ROWS", "MAX_CHUNK_ROWS"):
        monkeypatch.setattr(batch_job, limit, rows)


def write_one_chunk(monkeypatch: pytest.MonkeyPatch, *started: Import) -> None:
    """Begin the first batch of each, in this order, and stop after a chunk, as a worker does that is asked to."""
    with monkeypatch.context() as patch:
        patch.setattr(batch_job, "is_shutdown_requested", lambda: True)
        for one in started:
            batch_job.run(one.seller_id, one.id, 1, 1)


def by_hand(seller: Seller, number: int, **values: object) -> None:
    change(seller.id, [Edit(f"urn:test:{number}", Condition.NEAR_MINT, "", **{**NO_EDIT, **values})])  # type: ignore[arg-type]


NO_EDIT: dict[str, object] = {"price": None, "quantity": None, "hidden": None}


def test_all_is_as_before(seller: Seller, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_job, "MAX_CHUNK_ROWS", 4)
    monkeypatch.setattr(batch_job, "MIN_CHUNK_ROWS", 2)
    make_items(30)
    start(seller, [row(urn=f"urn:test:{n}", comment="c", notes="n", hidden=n % 2 == 0) for n in range(1, 16)])
    run_jobs()
    before = listed(seller)
    updates = [row(mode="UPDATE", urn=f"urn:test:{n}", price=n, reference="r", hidden="true") for n in range(1, 16)]
    # Several rows for a listing, a row that changes nothing, and one that fails.
    updates += [row(mode="UPDATE", urn="urn:test:1", price=999, hidden="false"), row(mode="UPDATE", urn="urn:test:30")]
    mixed = start(seller, [*updates, *(row(urn=f"urn:test:{n}") for n in range(16, 30))], file_name="mixed.csv")
    run_jobs()
    preview = undo.preview(seller.id, mixed.public_id)
    undone = undo.start(seller.id, mixed.public_id)
    run_jobs()
    assert listed(seller) == before
    assert preview == Preview(removed=14, put_back=15, kept=0)
    assert (counts(undone), look(undone).status, look(undone).total) == ((14, 15, 0), "COMPLETED", 29)
    # Once more, it is the same undo; and it cannot be undone itself.
    assert undo.start(seller.id, mixed.public_id).id == undone.id
    with pytest.raises(TransitionRefused, match="cannot be undone"):
        undo.start(seller.id, undone.public_id)


def test_what_changed_since_is_kept_and_named(seller: Seller, run_jobs: RunJobs) -> None:
    make_items(9)
    first = start(seller, [row(urn=f"urn:test:{n}") for n in range(1, 9)], file_name="first.csv")
    run_jobs()
    second = start(
        seller, [row(mode="UPDATE", urn=f"urn:test:{n}", price=n) for n in (4, 5, 6)], file_name="second.csv"
    )
    run_jobs()
    by_hand(seller, 1, price=77)
    by_hand(seller, 2, hidden=True)
    by_hand(seller, 4, quantity=9)
    # A value that is changed and changed back was changed.
    by_hand(seller, 3, price=1)
    by_hand(seller, 3, price=100)
    third = start(
        seller, [row(mode="UPDATE", urn="urn:test:5", price=555), row(urn="urn:test:9")], file_name="third.csv"
    )
    run_jobs()
    preview = undo.preview(seller.id, second.public_id)
    assert preview == Preview(removed=0, put_back=1, kept=2)
    of_second = undo.start(seller.id, second.public_id)
    run_jobs()
    assert counts(of_second) == (0, 1, 2)
    assert kept(of_second) == [("urn:test:4", None, None, True, False), ("urn:test:5", "third.csv", 2, False, False)]
    of_first = undo.start(seller.id, first.public_id)
    run_jobs()
    assert counts(of_first) == (3, 0, 5)
    assert kept(of_first) == [
        ("urn:test:1", None, None, True, False),
        ("urn:test:2", None, None, True, False),
        ("urn:test:3", None, None, True, False),
        ("urn:test:4", "second.csv", 2, True, False),
        ("urn:test:5", "third.csv", 2, False, False),
    ]
    of_third = undo.start(seller.id, third.public_id)
    run_jobs()
    assert counts(of_third) == (1, 1, 0)
    prices = {one[0]: one[3] for one in listed(seller)}
    assert [prices[f"urn:test:{n}"] for n in range(1, 6)] == ["77", "100", "100", "4", "5"]
    assert len(prices) == 5


def test_imports_on_top_of_each_other_are_undone_from_the_newest_on(seller: Seller, run_jobs: RunJobs) -> None:
    make_items(4)
    imports, states = [], [listed(seller)]
    create = [row(urn=f"urn:test:{n}") for n in range(1, 5)]
    update = [[row(mode="UPDATE", urn=f"urn:test:{n}", price=price) for n in range(1, 5)] for price in (200, 300)]
    for rows in (create, *update):
        imports.append(start(seller, rows, file_name=f"{len(states)}.csv"))
        run_jobs()
        if len(imports) == 1:
            # Overwritten by the next import; but what was changed by hand is not as its import left it.
            by_hand(seller, 4, price=50)
        states.append(listed(seller))
    undone = []
    while imports:
        states.pop()
        undone.append(undo.start(seller.id, imports.pop().public_id))
        run_jobs()
        assert listed(seller) == states[-1] or not imports
    assert [counts(one) for one in undone] == [(0, 4, 0), (0, 4, 0), (3, 0, 1)]
    assert kept(undone[-1]) == [("urn:test:4", None, None, True, False)]
    assert {(one[0], one[3]) for one in listed(seller)} == {("urn:test:4", "50")}


def test_an_import_goes_on_as_if_one_undone_meanwhile_had_never_been(
    seller: Seller, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_chunks_of(3, monkeypatch)
    make_items(3)
    start(seller, [row(urn=f"urn:test:{n}", price=1) for n in (1, 2, 3)])
    run_jobs()
    before = listed(seller)
    first = [row(mode="UPDATE", urn=f"urn:test:{n}", price=2, hidden="true") for n in (1, 2, 3)]
    # The second chunk finds one listing again that it leaves as it was before the import, and changes another.
    slow = start(
        seller, [*first, row(mode="UPDATE", price=1, hidden="false"), row(mode="UPDATE", urn="urn:test:2", price=4)]
    )
    quick = start(seller, [row(mode="UPDATE", urn=f"urn:test:{n}", price=9, hidden="false") for n in (1, 2, 3)])
    write_one_chunk(monkeypatch, slow)
    batch_job.run(seller.id, quick.id, 1, 1)
    undone = undo.start(seller.id, quick.public_id)
    batch_job.run(seller.id, undone.id, 1, 1)
    assert counts(undone) == (0, 3, 0)
    batch_job.run(seller.id, slow.id, 1, 2)
    assert (look(slow).updated, look(slow).unchanged) == (4, 1)
    assert {one[0][-1]: (one[3], one[5]) for one in listed(seller)} == {
        "1": ("1", "false"),
        "2": ("4", "true"),
        "3": ("2", "true"),
    }
    assert undo.preview(seller.id, slow.public_id) == Preview(0, 3, 0)
    undo.start(seller.id, slow.public_id)
    run_jobs()
    assert listed(seller) == before


def test_what_an_undo_has_kept_it_keeps_although_the_listing_is_as_before_again(
    seller: Seller, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The import that kept it is undone between two undos of the older one."""
    use_chunks_of(2, monkeypatch)
    make_items(4)
    older = start(seller, [row(urn=f"urn:test:{n}") for n in range(1, 5)])
    run_jobs()
    newer = start(seller, [row(mode="UPDATE", urn=f"urn:test:{n}", price=9) for n in (1, 4)])
    run_jobs()
    first = undo.start(seller.id, older.public_id)
    write_one_chunk(monkeypatch, first)
    commands.terminate(seller.id, first.public_id)
    assert counts(first) == (1, 0, 1)
    undo.start(seller.id, newer.public_id)
    run_jobs()
    assert undo.preview(seller.id, older.public_id) == Preview(2, 0, 0)
    assert [one.urn for one in undo_listings.list_removed(ImportKey(seller.id, older.id), limit=5)] == [
        "urn:test:3",
        "urn:test:4",
    ]
    rest = undo.start(seller.id, older.public_id)
    run_jobs()
    assert counts(rest) == (2, 0, 0)
    assert {(one[0], one[3]) for one in listed(seller)} == {("urn:test:1", "100")}
    # What is left of it is undone by another one.
    assert undo.preview(seller.id, older.public_id) == Preview(1, 0, 0)
    of_kept = undo.start(seller.id, older.public_id)
    run_jobs()
    assert (counts(of_kept), listed(seller)) == ((1, 0, 0), set())
    with pytest.raises(TransitionRefused, match="undone already"):
        undo.preview(seller.id, older.public_id)


def test_what_was_kept_is_undone_once_it_is_as_the_import_left_it(
    seller: Seller, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_chunks_of(2, monkeypatch)
    make_items(9)
    start(seller, [row(urn=f"urn:test:{n}", price=1) for n in range(1, 7)])
    run_jobs()
    before = listed(seller)
    updates = [row(mode="UPDATE", urn=f"urn:test:{n}", price=2) for n in range(1, 7)]
    imported = start(seller, [*updates, *(row(urn=f"urn:test:{n}") for n in range(7, 10))], file_name="first.csv")
    run_jobs()
    later = []
    for numbers in ((1, 4, 7), (4, 6, 8)):
        later.append(start(seller, [row(mode="UPDATE", urn=f"urn:test:{n}", price=3) for n in numbers]))
        run_jobs()
    by_hand(seller, 5, price=55)
    undone = undo.start(seller.id, imported.public_id)
    run_jobs()
    assert counts(undone) == (1, 2, 6)
    # As long as nothing of it can be undone, it is not begun again.
    assert undo.preview(seller.id, imported.public_id) == Preview(0, 0, 6)
    assert undo.start(seller.id, imported.public_id).id == undone.id
    undo.start(seller.id, later[1].public_id)
    run_jobs()
    preview = undo.preview(seller.id, imported.public_id)
    assert preview == Preview(1, 1, 4)
    second = undo.start(seller.id, imported.public_id)
    run_jobs()
    assert (counts(second), look(second).total) == (tuple(preview), 6)
    assert [one[0] for one in kept(second)] == [f"urn:test:{n}" for n in (1, 4, 5, 7)]
    undo.start(seller.id, later[0].public_id)
    run_jobs()
    assert undo.preview(seller.id, imported.public_id) == Preview(1, 2, 1)
    # Terminated, it is begun again for its rest.
    third = undo.start(seller.id, imported.public_id)
    write_one_chunk(monkeypatch, third)
    commands.terminate(seller.id, third.public_id)
    rest = undo.preview(seller.id, imported.public_id)
    assert 0 < sum(rest) == look(third).not_processed
    fourth = undo.start(seller.id, imported.public_id)
    run_jobs()
    assert counts(fourth) == tuple(rest)
    assert [a + b for a, b in zip(counts(third), counts(fourth), strict=True)] == [1, 2, 1]
    assert {one for one in listed(seller) if one[0] != "urn:test:5"} == {
        one for one in before if one[0] != "urn:test:5"
    }
    seller_id, ids = seller.id, [one.id for one in (imported, undone, second, third, fourth)]
    assert [[*ledger.find_faults(db.session.get_one(Import, (seller_id, one)))] for one in ids] == [[]] * 5


def test_what_another_undo_puts_back_meanwhile_is_looked_at_again(
    app: Flask, seller: Seller, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_items()
    start(seller, [row(urn=f"urn:test:{n}") for n in (1, 2, 3)])
    run_jobs()
    before = listed(seller)
    first = start(seller, [row(mode="UPDATE", urn=f"urn:test:{n}", price=n) for n in (1, 2, 3)])
    run_jobs()
    later = start(seller, [row(mode="UPDATE", urn="urn:test:2", price=22)])
    run_jobs()
    undone, of_later = (undo.start(seller.id, one.public_id) for one in (first, later))
    keys = [BatchKey(seller.id, one.id, 1) for one in (undone, of_later)]
    waiting = [keys[1]]

    def undo_later() -> None:
        with app.app_context():
            batch_job.run(*waiting.pop(), 1)

    @contextmanager
    def then_undo_later(seller_id: int) -> Iterator[None]:
        with in_place(seller_id):
            yield
        if waiting:
            monkeypatch.setattr(undo_queries, "in_place", in_place)
            thread = threading.Thread(target=undo_later)
            thread.start()
            thread.join()

    monkeypatch.setattr(undo_queries, "in_place", then_undo_later)
    batch_job.run(*keys[0], 1)
    assert (counts(undone), counts(of_later), listed(seller)) == ((0, 3, 0), (0, 1, 0), before)


def test_what_is_put_back_from_a_record_without_marks_counts_as_changed(seller: Seller, run_jobs: RunJobs) -> None:
    """A worker records none that does not know of them yet."""
    make_items()
    first = start(seller, [row(price=1)])
    run_jobs()
    second = start(seller, [row(mode="UPDATE", price=2)], file_name="second.csv")
    run_jobs()
    unmarked = ", ".join(f"{name} = null" for name in MARKS)
    db.session.execute(text(f"update earlier_values set {unmarked}"))
    db.session.commit()
    undone = undo.start(seller.id, second.public_id)
    run_jobs()
    assert (counts(undone), {one[3] for one in listed(seller)}) == ((0, 1, 0), {"1"})
    of_first = undo.start(seller.id, first.public_id)
    run_jobs()
    # Put back by the undo, which has no line.
    assert kept(of_first) == [("urn:test:1", "second.csv", None, False, False)]


def test_an_edit_that_the_import_has_overwritten_does_not_keep(seller: Seller, run_jobs: RunJobs) -> None:
    make_items()
    start(seller, [row()])
    run_jobs()
    by_hand(seller, 1, price=50)
    before = listed(seller)
    imported = start(seller, [row(mode="UPDATE", price=60)])
    run_jobs()
    undone = undo.start(seller.id, imported.public_id)
    run_jobs()
    assert (listed(seller), counts(undone)) == (before, (0, 1, 0))


def test_the_value_before_its_first_row_counts(
    seller: Seller, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another import comes between two rows of the import for one listing."""
    use_chunks_of(1, monkeypatch)
    make_items()
    start(seller, [row(price=1), row(urn="urn:test:2", price=1)])
    run_jobs()
    rows = [row(mode="UPDATE", urn="urn:test:1", price=2), row(mode="UPDATE", urn="urn:test:2", price=2)]
    slow = start(seller, [*rows, row(mode="UPDATE", urn="urn:test:1", price=4)])
    quick = start(seller, [row(mode="UPDATE", urn="urn:test:1", price=3)])
    write_one_chunk(monkeypatch, slow)
    batch_job.run(seller.id, quick.id, 1, 1)
    batch_job.run(seller.id, slow.id, 1, 2)
    assert {one[0]: one[3] for one in listed(seller)} == {"urn:test:1": "4", "urn:test:2": "2"}
    assert undo.preview(seller.id, slow.public_id) == Preview(0, 2, 0)
    undone = undo.start(seller.id, slow.public_id)
    run_jobs()
    assert (counts(undone), look(undone).total) == ((0, 2, 0), 2)
    assert {one[3] for one in listed(seller)} == {"1"}
    # Of the other one's, another has been the last.
    assert undo.preview(seller.id, quick.public_id) == Preview(0, 0, 1)


def test_a_listing_is_counted_once_although_an_undo_came_between_two_of_its_rows(
    seller: Seller, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second time, the import finds it as an import over before it began, or none, has left it."""
    use_chunks_of(1, monkeypatch)
    make_items()
    start(seller, [row(price=1)])
    run_jobs()
    undone, slow = (start(seller, [row(mode="UPDATE", price=price), row(mode="UPDATE", price=9)]) for price in (2, 3))
    write_one_chunk(monkeypatch, undone, slow)
    batch_job.run(seller.id, undone.id, 1, 2)
    batch_job.run(seller.id, undo.start(seller.id, undone.public_id).id, 1, 1)
    batch_job.run(seller.id, slow.id, 1, 2)
    assert undo.preview(seller.id, slow.public_id) == Preview(0, 1, 0)
    of_slow = undo.start(seller.id, slow.public_id)
    run_jobs()
    assert (look(of_slow).total, counts(of_slow)) == (1, (0, 1, 0))


def test_updates_are_put_back_without_reading_the_other_listings(seller: Seller) -> None:
    """Of a seller who had no listings when the planner's statistics were made."""
    make_items(1)
    parent = ImportKey(seller.id, start(seller, [row()]).id)
    made = """
        insert into listings (seller_id, item_id, condition, variants, price, quantity, hidden, created_import_id,
            created_line, updated_import_id)
        select :seller_id, id, 1, 'v' || lpad(n::text, 5, '0'), 200, 1, false, 1, n, :import_id
        from items, generate_series(1, 20000) n
    """
    db.session.execute(text(made), {**parent._asdict(), "seller_id": make_seller("other@example.com").id})
    db.session.execute(text("analyze listings"))
    db.session.execute(text(made), parent._asdict())
    record = """
        insert into earlier_values (seller_id, import_id, listings, item_id, condition, variants, price)
        select :seller_id, :import_id, 500, array_agg(item_id), array_agg(condition), array_agg(variants), array_agg(1)
        from listings where seller_id = :seller_id and created_line <= 500 returning id
    """
    number = db.session.execute(text(record), parent._asdict()).scalar_one()
    db.session.commit()
    read = text("select idx_tup_fetch + seq_tup_read from pg_stat_xact_user_tables where relname = 'listings'")
    before = db.session.scalar(read)
    slice_start = undo_queries.RECORDS + number
    done = undo_queries.reverse(BatchKey(*parent, 1), parent, start=slice_start, end=slice_start + 1, limit=500)
    assert done.put_back == 500
    assert db.session.scalar(read) - before <= 3 * 500


def test_what_ran_beside_an_import_is_known_without_a_clock(
    seller: Seller, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock goes back an hour, as it may when another host takes the database over, and the other import ends."""
    use_chunks_of(1, monkeypatch)
    make_items()
    start(seller, [row(price=1)])
    run_jobs()
    slow = start(seller, [row(mode="UPDATE", price=2), row(mode="UPDATE", price=4)])
    quick = start(seller, [row(mode="UPDATE", price=3)])
    write_one_chunk(monkeypatch, slow)
    batch_job.run(seller.id, quick.id, 1, 1)
    batch_job.run(seller.id, slow.id, 1, 2)
    run_jobs()
    an_hour_ago = "now() - interval '1 h'"
    db.session.execute(
        text(f"update imports set created_at = {an_hour_ago}, finished_at = {an_hour_ago} where id = :id"),
        {"id": quick.id},
    )
    db.session.commit()
    assert undo.preview(seller.id, slow.public_id) == Preview(0, 1, 0)
    undone = undo.start(seller.id, slow.public_id)
    run_jobs()
    assert (look(undone).total, counts(undone), {one[3] for one in listed(seller)}) == (1, (0, 1, 0), {"1"})


def test_a_terminated_import_ends_after_its_last_chunk(app: Flask, seller: Seller) -> None:
    """An import that begins while Terminate waits for a chunk of another has run beside it."""
    make_items()
    terminated = start(seller, [row()])
    key = ImportKey(seller.id, terminated.id)
    assert transitions.claim(BatchKey(*key, 1), 1)
    db.session.commit()
    assert transitions.lock_for_chunk(BatchKey(*key, 1), 1)
    public_id = terminated.public_id

    def terminate() -> None:
        with app.app_context():
            commands.terminate(key.seller_id, public_id)

    thread = threading.Thread(target=terminate)
    thread.start()
    with db.engine.connect() as watch:
        watch.execution_options(isolation_level="AUTOCOMMIT")
        wait_until(lambda: watch.execute(WAITING).scalar() == 1)
        began = watch.execute(text("select nextval(pg_get_serial_sequence('imports', 'id'))")).scalar_one()
    db.session.commit()
    thread.join()
    assert look(terminated).status == "TERMINATED"
    ended = db.session.scalar(text("select end_number from imports where id = :id"), {"id": key.import_id})
    assert ended > began


def test_terminated_and_begun_again(seller: Seller, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch) -> None:
    use_chunks_of(3, monkeypatch)
    make_items(20)
    start(seller, [row(urn=f"urn:test:{n}") for n in range(1, 11)])
    run_jobs()
    before = listed(seller)
    rows = [row(mode="UPDATE" if n < 11 else "CREATE", urn=f"urn:test:{n}", price=n) for n in range(1, 21)]
    mixed = start(seller, rows)
    run_jobs()
    by_hand(seller, 20, price=7)
    first = undo.start(seller.id, mixed.public_id)
    monkeypatch.setattr(batch_job, "is_shutdown_requested", lambda: True)
    monkeypatch.setattr(batch_job.queue, "send_waiting_jobs", lambda: None)
    run_jobs()
    monkeypatch.undo()
    commands.terminate(seller.id, first.public_id)
    done = look(first)
    assert 0 < done.processed < done.total == 20
    preview = undo.preview(seller.id, mixed.public_id)
    second = undo.start(seller.id, mixed.public_id)
    assert undo.start(seller.id, mixed.public_id).id == second.id
    run_jobs()
    assert look(second).total == done.not_processed == sum(preview)
    assert counts(second) == tuple(preview)
    assert [a + b for a, b in zip(counts(first), counts(second), strict=True)] == [9, 10, 1]
    assert {one for one in listed(seller) if one[0] != "urn:test:20"} == before


def test_paused_and_resumed_while_its_listings_are_imported_again(
    seller: Seller, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_chunks_of(2, monkeypatch)
    make_items(9)
    rows = [row(urn=f"urn:test:{n}") for n in range(1, 10)]
    imported = start(seller, rows)
    run_jobs()
    undone = undo.start(seller.id, imported.public_id)
    write_one_chunk(monkeypatch, undone)
    commands.pause(seller.id, undone.public_id)
    assert (look(undone).status, counts(undone)) == ("PAUSED", (2, 0, 0))
    again = start(seller, rows)
    later = start(seller, [row(mode="UPDATE", urn=f"urn:test:{n}", price=n) for n in (8, 9)], file_name="later.csv")
    run_jobs()
    # What is removed already is created anew, and belongs to the new import.
    assert (look(again).created, look(again).failed) == (2, 7)
    commands.resume(seller.id, undone.public_id)
    run_jobs()
    assert (look(undone).status, counts(undone)) == ("COMPLETED", (7, 0, 2))
    assert [one[1] for one in kept(undone)] == ["later.csv", "later.csv"]
    assert {one[0] for one in listed(seller)} == {f"urn:test:{n}" for n in (1, 2, 8, 9)}
    assert undo.preview(seller.id, later.public_id) == Preview(0, 2, 0)


def test_an_import_and_its_retry_are_undone_each_on_its_own(seller: Seller, run_jobs: RunJobs) -> None:
    make_items()
    imported = start(seller, [row(), row(mode="UPDATE", urn="urn:test:2", price=7)])
    run_jobs()
    start(seller, [row(urn="urn:test:2")])
    run_jobs()
    retried = commands.retry(seller.id, imported.public_id, RetriedRows.FAILED)
    run_jobs()
    undone = undo.start(seller.id, imported.public_id)
    run_jobs()
    of_retry = undo.start(seller.id, retried.public_id)
    run_jobs()
    assert (counts(undone), counts(of_retry)) == ((1, 0, 0), (0, 1, 0))
    assert [(one[0], one[3]) for one in listed(seller)] == [("urn:test:2", "100")]


def test_an_import_of_corrected_rows_is_undone_on_its_own(seller: Seller, run_jobs: RunJobs) -> None:
    make_items()
    imported = start(seller, [row(), row(urn="urn:test:2", price="x"), row(mode="UPDATE", urn="urn:test:3", price="x")])
    start(seller, [row(urn="urn:test:3", price=7)])
    run_jobs()
    before = listed(seller)
    engine.give(imported, NewAnswer(Rule.SET, "price-not-whole", "PRICE", "x", {"PRICE": "9"}))
    corrected = commands.import_corrected(seller.id, imported.public_id)
    run_jobs()
    assert {one[0][-1]: one[3] for one in listed(seller)} == {"1": "100", "2": "9", "3": "9"}
    undone = undo.start(seller.id, corrected.public_id)
    run_jobs()
    assert (counts(undone), listed(seller)) == ((1, 1, 0), before)
    of_first = undo.start(seller.id, imported.public_id)
    run_jobs()
    assert (counts(of_first), {one[0] for one in listed(seller)}) == ((1, 0, 0), {"urn:test:3"})


def test_corrected_rows_that_are_undone_are_imported_again_but_for_those_that_were_kept(
    seller: Seller, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_items(6)
    start(seller, [row(urn=f"urn:test:{n}", price=1) for n in (3, 4)])
    run_jobs()
    modes = ("CREATE", "CREATE", "UPDATE", "UPDATE", "CREATE", "CREATE")
    first = start(seller, [row(mode=mode, urn=f"urn:test:{n}", price="x") for n, mode in enumerate(modes, 1)])
    run_jobs()
    key, public_id = ImportKey(seller.id, first.id), first.public_id
    engine.give(first, NewAnswer(Rule.SET, "price-not-whole", "PRICE", "x", {"PRICE": "9"}))
    # So the fifth row fails again.
    start(seller, [row(urn="urn:test:5")])
    run_jobs()
    fixes = commands.import_corrected(seller.id, public_id)
    # The last row is never processed.
    use_chunks_of(5, monkeypatch)
    write_one_chunk(monkeypatch, fixes)
    commands.terminate(seller.id, fixes.public_id)
    housekeeping.set_dealt_with(seller.id, public_id, dealt_with=True)
    by_hand(seller, 2, price=77)
    for price in (12, 13):
        start(seller, [row(mode="UPDATE", urn="urn:test:3", price=price)])
        run_jobs()
    undone = undo.start(seller.id, fixes.public_id)
    # As long as it is on its way, nobody takes a row up a second time.
    with pytest.raises(TransitionRefused):
        commands.import_corrected(seller.id, public_id)
    run_jobs()
    assert counts(undone) == (1, 1, 2)
    assert (look(first).fixed.correct, look(first).fixed.taken, look(first).is_dealt_with) == (2, 4, False)
    assert corrections.look_at(key, range(2, 8)).taken == [3, 4, 6, 7]
    again = commands.import_corrected(seller.id, public_id)
    run_jobs()
    assert (again.total, look(again).failed) == (2, 0)
    assert {one[0][-1]: one[3] for one in listed(seller)} == {"1": "9", "2": "77", "3": "13", "4": "9", "5": "100"}
    for import_id in [first.id, fixes.id, again.id]:
        assert [*ledger.find_faults(db.session.get_one(Import, (key.seller_id, import_id)))] == []


def test_the_rest_of_an_undo_whose_batch_was_given_up_is_undone_by_another(seller: Seller, run_jobs: RunJobs) -> None:
    make_items()
    imported = start(seller, [row(), row(urn="urn:test:2")])
    run_jobs()
    failed = undo.start(seller.id, imported.public_id)
    batch = BatchKey(seller.id, failed.id, 1)
    assert transitions.claim(batch, 1)
    assert transitions.end_attempt(batch, 1, reason="Not now.", max_fruitless_attempts=1)
    db.session.commit()
    settling.settle(batch.of_import)
    assert (look(failed).status, look(failed).not_processed) == ("FAILED", 2)
    with pytest.raises(TransitionRefused, match="Its seller can undo the rest"):
        commands.reopen(seller.id, failed.public_id)
    rest = undo.start(seller.id, imported.public_id)
    run_jobs()
    assert (look(rest).status, counts(rest), listed(seller)) == ("COMPLETED", (2, 0, 0), set())


def test_two_at_once_are_one(app: Flask, seller: Seller, run_jobs: RunJobs) -> None:
    make_items()
    imported = start(seller, [row()])
    run_jobs()
    seller_id, public_id, begun = seller.id, imported.public_id, []

    def begin() -> None:
        with app.app_context():
            begun.append(undo.start(seller_id, public_id).id)

    threads = [threading.Thread(target=begin) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(begun) == 3
    assert len(set(begun)) == 1


def test_a_listing_that_is_being_changed_is_waited_for(app: Flask, seller: Seller, run_jobs: RunJobs) -> None:
    make_items()
    imported = start(seller, [row(), row(urn="urn:test:2")])
    run_jobs()
    undone = undo.start(seller.id, imported.public_id)
    batch = seller.id, undone.id, 1, 1

    def work() -> None:
        with app.app_context():
            batch_job.run(*batch)

    worker = threading.Thread(target=work)
    with db.engine.begin() as other:
        other.execute(
            text("update listings set price = 7, updated_import_id = 99, updated_line = 5 where created_line = 3")
        )
        worker.start()
        with db.engine.connect() as watch:
            watch.execution_options(isolation_level="AUTOCOMMIT")
            wait_until(lambda: watch.execute(WAITING).scalar() == 1)
    worker.join()
    assert counts(undone) == (1, 0, 1)
    assert [(one[0], one[3]) for one in listed(seller)] == [("urn:test:2", "7")]


@pytest.mark.parametrize("status", ["RUNNING", "PAUSED"])
def test_only_what_is_over(seller: Seller, status: str) -> None:
    make_items()
    imported = start(seller, [row()])
    if status == "PAUSED":
        commands.pause(seller.id, imported.public_id)
    with pytest.raises(TransitionRefused, match="Terminate it first"):
        undo.start(seller.id, imported.public_id)


def test_only_for_some_days(seller: Seller, run_jobs: RunJobs) -> None:
    make_items()
    imported = start(seller, [row()])
    run_jobs()
    db.session.execute(text("update imports set finished_at = finished_at - interval '31 days'"))
    db.session.commit()
    with pytest.raises(TransitionRefused, match="could be undone until"):
        undo.preview(seller.id, imported.public_id)


def test_earlier_values_go_when_no_undo_needs_them(seller: Seller, run_jobs: RunJobs) -> None:
    make_items()
    start(seller, [row()])
    run_jobs()
    imported = start(seller, [row(mode="UPDATE", price=7)])
    run_jobs()
    undone = undo.start(seller.id, imported.public_id)
    count = text("select count(*) from earlier_values")
    db.session.execute(text("update imports set finished_at = finished_at - interval '32 days'"))
    db.session.commit()
    retention.remove_old()
    assert db.session.scalar(count) == 1
    run_jobs()
    assert counts(undone) == (0, 1, 0)
    retention.remove_old()
    assert db.session.scalar(count) == 0


def test_what_a_release_before_has_updated_is_kept(seller: Seller, run_jobs: RunJobs) -> None:
    """Its workers record no earlier values, and do not count their rows as reversible."""
    make_items(4)
    start(seller, [row(urn=f"urn:test:{n}") for n in (1, 2, 3)])
    run_jobs()
    imported = start(seller, [row(mode="UPDATE", urn=f"urn:test:{n}", price=n) for n in (1, 2, 3)])
    run_jobs()
    old = ImportKey(seller.id, imported.id)
    db.session.execute(text("delete from earlier_values"))
    db.session.execute(
        text("update batches set reversible = 0 where import_id = :import_id"), {"import_id": old.import_id}
    )
    db.session.commit()
    assert undo.preview(seller.id, imported.public_id) == Preview(0, 0, 3)
    undone = undo.start(seller.id, imported.public_id)
    run_jobs()
    assert (counts(undone), look(undone).status) == ((0, 0, 3), "COMPLETED")
    assert {one[1:] for one in kept(undone)} == {(None, None, False, True)}
    assert undo.preview(seller.id, imported.public_id) == Preview(0, 0, 3)
    assert undo.start(seller.id, imported.public_id).id == undone.id
    assert {one[3] for one in listed(seller)} == {"1", "2", "3"}


# A plain model --------------------------------------------------------------------------------------------------------


@dataclass
class Listing:
    """A listing in the model."""

    price: int
    hidden: bool
    creator: int
    #: The import that has updated it last, and whether it was edited since (or since its creation).
    updater: int | None = None
    is_edited: bool = False


@dataclass
class Model:
    """What should be there, and what each import found."""

    listings: dict[int, Listing] = field(default_factory=dict)
    #: By import, what the listings were that it updated.
    before: dict[int, dict[int, Listing]] = field(default_factory=dict)

    def run(self, import_id: int, mode: str, numbers: list[int], price: int, hidden: str) -> None:
        self.before[import_id] = {}
        for number in numbers:
            one = self.listings.get(number)
            if mode == "CREATE" and one is None:
                self.listings[number] = Listing(price, hidden == "true", import_id)
            elif mode == "UPDATE" and one is not None:
                after = price, one.hidden if not hidden else hidden == "true"
                if after != (one.price, one.hidden):
                    self.before[import_id][number] = replace(one)
                    one.price, one.hidden = after
                    one.updater, one.is_edited = import_id, False

    def undo(self, parent: int) -> tuple[int, int, int]:
        created = [number for number, one in self.listings.items() if one.creator == parent]
        removed = [n for n in created if self.listings[n].updater is None and not self.listings[n].is_edited]
        for number in removed:
            del self.listings[number]
        updated = self.before[parent]
        as_left = [n for n in updated if self.listings[n].updater == parent and not self.listings[n].is_edited]
        for number in as_left:
            self.listings[number] = updated[number]
        return len(removed), len(as_left), len(created) + len(updated) - len(removed) - len(as_left)


_NUMBERS = st.lists(st.integers(1, 6), min_size=1, max_size=6, unique=True)
_STEP = st.one_of(
    st.tuples(
        st.sampled_from(["CREATE", "UPDATE", "UPDATE"]),
        _NUMBERS,
        st.integers(1, 3),
        st.sampled_from(["", "true", "false"]),
    ),
    st.tuples(st.just("edit"), st.integers(1, 6), st.integers(1, 3), st.booleans()),
    st.tuples(st.just("undo"), st.integers(0, 9)),
)


def test_random_sequences_agree_with_a_plain_model(
    app: Flask, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_job, "MAX_CHUNK_ROWS", 3)
    monkeypatch.setattr(batch_job, "MIN_CHUNK_ROWS", 2)
    make_items(6)
    sellers = iter(range(1000))

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
    @given(st.lists(_STEP, min_size=3, max_size=9))
    def agree(steps: list[tuple]) -> None:  # type: ignore[type-arg]
        seller, model, imports = make_seller(f"model-{next(sellers)}@example.com"), Model(), []
        for step in steps:
            match step:
                case ("edit", number, price, hidden):
                    one = model.listings.get(number)
                    if one is not None and (one.price, one.hidden) != (price, hidden):
                        by_hand(seller, number, price=price, hidden=hidden)
                        one.price, one.hidden, one.is_edited = price, hidden, True
                case ("undo", which):
                    if imports:
                        imported = imports.pop(which % len(imports))
                        one = look(imported)
                        if not one.created + one.updated:
                            continue
                        preview = undo.preview(seller.id, imported.public_id)
                        undone = undo.start(seller.id, imported.public_id)
                        run_jobs()
                        expected = model.undo(imported.id)
                        assert (counts(undone), tuple(preview)) == (expected, expected)
                        assert look(undone).status == "COMPLETED"
                case (mode, numbers, price, hidden):
                    rows = [row(mode=mode, urn=f"urn:test:{n}", price=price, hidden=hidden) for n in numbers]
                    imports.append(start(seller, rows))
                    run_jobs()
                    model.run(imports[-1].id, mode, numbers, price, hidden)
            found = {(int(one[0][9:]), int(one[3]), one[5]) for one in listed(seller)}
            assert found == {(n, one.price, str(one.hidden).lower()) for n, one in model.listings.items()}

    agree()
