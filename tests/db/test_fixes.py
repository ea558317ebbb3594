"""Corrections: what answers make of failed rows, and that each row is taken up once, whichever way."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import permutations
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from app.csvfile.errors import FileRejected
from app.extensions import db
from app.imports import commands, creation, housekeeping, ledger, settling, undo
from app.imports.errors import TransitionRefused
from app.imports.fixes import engine
from app.imports.fixes.answers import NewAnswer, Rule
from app.imports.reports import fix_file as fix_files
from app.imports.reports import progress
from app.imports.worker.catalog_cache import LookedUpItems
from app.models import Import, Seller
from app.queries import ImportKey
from app.queries.imports import corrections
from app.queries.imports.corrections import Standing, Wanted
from app.statuses import CorrectionState, ImportKind, RetriedRows
from tests.factories import csv_bytes, make_items, row, start

RunJobs = Callable[[], None]


def failed(seller: Seller, run_jobs: RunJobs, rows: list[dict[str, str]] | bytes) -> Import:
    """An import that is over."""
    made = start(seller, rows)
    run_jobs()
    return db.session.get_one(Import, (made.seller_id, made.id), populate_existing=True)


def open_values(one: Import) -> dict[tuple[str, str, str], int]:
    """The rows of each open value."""
    key = ImportKey.of(one)
    engine.survey(key)
    found = corrections.list_values(key, corrections.list_groups(key), per_group=100)
    return {(each.kind.cause.slug, each.kind.column, each.value): each.rows for each in found}


def recount(one: Import) -> dict[tuple[str, str, str], int]:
    """The same, counted again from the rows."""
    key = ImportKey.of(one)
    corrections.save(key, corrections.lock(key)._replace(is_surveyed=False))
    db.session.commit()
    return open_values(one)


def counts(standing: Standing) -> tuple[int, int, int, int]:
    return standing.correct, standing.open_corrected, standing.left_out, standing.taken


MIXED = [
    row(price="1.99", comment='a "quoted", text'),
    row(urn="urn:test:2", price="£2", condition="Near Mnt"),
    row(urn="urn:test:3", price="１２３", notes="two\nlines"),
    row(condition="Near Mnt", price="1.99"),
    row(urn="urn:test:9"),
    row(mode="UPDATE"),
    row(urn="urn:test:2", variants="holo|de"),
    row(urn="urn:test:3", hidden="yes"),
    row(urn="urn:test:1", condition="MT"),
]


def test_answers_change_the_rows_of_their_group_and_tell_the_truth(seller: Seller, run_jobs: RunJobs) -> None:
    make_items()
    one = failed(seller, run_jobs, MIXED)
    assert open_values(one) == {
        ("price-in-pounds", "PRICE", "1.99"): 2,
        ("price-in-pounds", "PRICE", "£2"): 1,
        ("condition-unknown", "CONDITION", "Near Mnt"): 2,
        ("price-not-whole", "PRICE", "１２３"): 1,
        ("item-not-found", "URN", "urn:test:9"): 1,
        ("listing-not-found", "", ""): 1,
        ("variant-not-found", "VARIANTS", "holo|de"): 1,
        ("hidden-unknown", "HIDDEN", "yes"): 1,
    }
    # The first row is right then; two more have another problem.
    standing = engine.give(one, NewAnswer(Rule.SUGGESTED, "price-in-pounds", "PRICE"))
    assert counts(standing) == (1, 2, 0, 0)
    assert open_values(one)[("condition-unknown", "CONDITION", "Near Mnt")] == 2
    standing = engine.give(one, NewAnswer(Rule.SET, "condition-unknown", "CONDITION", "Near Mnt", {"CONDITION": "NM"}))
    assert counts(standing) == (3, 0, 0, 0)
    # The first of the file's rows exists by then, and the corrected value is wrong in another way.
    engine.give(
        one, NewAnswer(Rule.SET, "item-not-found", "URN", "urn:test:9", {"URN": "urn:test:1", "CONDITION": "MT"})
    )
    assert open_values(one)[("listing-exists", "", "")] == 1
    engine.give(one, NewAnswer(Rule.SET, "listing-exists", "", None, {"MODE": "UPDATE"}))
    engine.give(one, NewAnswer(Rule.SET, "listing-not-found", "", None, {"MODE": "CREATE"}))
    engine.give(one, NewAnswer(Rule.DROP_VARIANTS, "variant-not-found", "VARIANTS"))
    engine.give(one, NewAnswer(Rule.SUGGESTED, "hidden-unknown", "HIDDEN", "yes"))
    standing = engine.give(one, NewAnswer(Rule.LEAVE_OUT, "price-not-whole", "PRICE", None, {"reason": "no price"}))
    assert counts(standing) == (7, 0, 1, 0)
    assert open_values(one) == {} == recount(one)
    key = ImportKey.of(one)
    assert counts(corrections.count_states(key)) == counts(corrections.get(key))
    texts = [text for page in corrections.iter_texts(key, CorrectionState.RIGHT) for text in page]
    assert texts[0] == 'CREATE,urn:test:1,,,,,,NM,199,1,,,"a ""quoted"", text",,'


def test_an_answer_is_taken_back_and_single_rows_are_edited(seller: Seller, run_jobs: RunJobs) -> None:
    make_items()
    body = csv_bytes([row(price="x"), row(urn="urn:test:2", price="x"), row(urn="urn:test:3", hidden="no")])
    one = failed(seller, run_jobs, body + b"CREATE,urn:test:1,short\n")
    key = ImportKey.of(one)
    before = open_values(one)
    assert before[("column-count", "", "")] == 1
    engine.give(one, NewAnswer(Rule.SET, "price-not-whole", "PRICE", "x", {"PRICE": "100"}))
    assert ("price-not-whole", "PRICE", "x") not in open_values(one)
    assert counts(engine.take_back(one, 1)) == (0, 0, 0, 0)
    assert open_values(one) == before
    whole = "CREATE,urn:test:1,,,,,,EX,5,1,,,,,"
    standing = engine.give_cells(one, {2: {"PRICE": "7"}, 3: {"PRICE": "y"}, 5: whole})
    assert counts(standing) == (2, 1, 0, 0)
    assert open_values(one) == recount(one)
    # Edited again; the last text counts.
    assert counts(engine.give_cells(one, {2: {"PRICE": "z"}, 3: {"PRICE": "8"}})) == (2, 1, 0, 0)
    assert open_values(one) == recount(one)
    (wrong,) = [each for each in corrections.list_open(key, Wanted(), after_line=0, limit=9) if each.line == 2]
    assert ",z," in wrong.row
    assert wrong.messages[0].startswith("PRICE is “z”")


def test_a_worker_goes_on_where_a_large_answer_stopped(
    seller: Seller, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_items()
    rows = [row(urn="urn:test:2", price="x", reference=str(n)) for n in range(30)]
    one = failed(seller, run_jobs, [*rows, row(hidden="no")])
    assert len(open_values(one)) == 2
    with monkeypatch.context() as patched:
        patched.setattr(engine, "_FIRST_ROWS", 4)
        patched.setattr(engine, "_REQUEST_SECONDS", 0.0)
        standing = engine.give(one, NewAnswer(Rule.SET, "price-not-whole", "PRICE", "x", {"PRICE": "100"}))
        assert (standing.answering, standing.rows_done) == (1, 4)
        # Another one waits for its turn; single rows do not, and are left alone by the answer from then on.
        standing = engine.give(one, NewAnswer(Rule.SUGGESTED, "hidden-unknown", "HIDDEN"))
        assert (standing.answering, standing.rows_done) == (1, 8)
        standing = engine.give_cells(one, {31: {"QUANTITY": "0"}})
        assert (standing.answering, standing.rows_done) == (1, 8)
        assert open_values(one)[("price-not-whole", "PRICE", "x")] == 22
    with monkeypatch.context() as patched:
        # Of large rows, only few are read at once.
        patched.setattr(corrections, "_SLICE_BYTES", 200)
        run_jobs()
    standing = corrections.get(ImportKey.of(one))
    # Of several rows that would create one listing, those that are judged together know of each other.
    assert standing.answering is None
    assert standing.correct + standing.open_corrected == 31
    assert [answer.rows for answer in corrections.list_answers(ImportKey.of(one), limit=9)] == [1, 1, 29]
    assert open_values(one)[("price-not-whole", "PRICE", "x")] == 1
    # Lines that are told are those of the file, wherever the rows are judged.
    key = ImportKey.of(one)
    repeated = corrections.list_open(key, Wanted("listing-repeated"), after_line=0, limit=9)
    assert [fact["line"] for error in repeated for fact in error.facts or ()][:6] == [2, 2, 2, 6, 6, 6]
    assert open_values(one) == recount(one)


def test_rows_that_change_after_a_worker_has_read_ahead_are_read_again(
    seller: Seller, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_items(12)
    one = failed(seller, run_jobs, [row(urn=f"urn:test:{n}", price="x") for n in range(1, 13)])
    key = ImportKey.of(one)
    open_values(one)
    with monkeypatch.context() as patched:
        patched.setattr(engine, "_FIRST_ROWS", 1)
        patched.setattr(engine, "_REQUEST_SECONDS", 0.0)
        engine.give(one, NewAnswer(Rule.SET, "price-not-whole", "PRICE", "x", {"PRICE": "100"}))
    monkeypatch.setattr(engine, "_ROWS", 4)
    with ThreadPoolExecutor(1) as pool:
        read = engine._Ahead(key, pool).read
        assert engine._step(key, read, LookedUpItems()).cursor_line == 6
        # Those down to line 10 have been read by then.
        pool.submit(int).result()
        engine.give_cells(one, {8: {"PRICE": "7"}})
        assert engine._step(key, read, LookedUpItems()).cursor_line == 10
    run_jobs()
    texts = [text for page in corrections.iter_texts(key, CorrectionState.RIGHT) for text in page]
    assert [text.split(",")[8] for text in texts] == ["100"] * 6 + ["7"] + ["100"] * 5
    assert [answer.rows for answer in corrections.list_answers(key, limit=9)] == [1, 11]
    assert counts(corrections.get(key)) == counts(corrections.count_states(key)) == (12, 0, 0, 0)
    assert open_values(one) == recount(one) == {}


def test_rows_that_come_back_while_an_answer_is_applied_are_counted_anew(
    seller: Seller, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_items()
    one = failed(
        seller, run_jobs, [row(urn="urn:test:2", price="x", condition=each) for each in ("MT", "NM", "EX")] * 4
    )
    key = ImportKey.of(one)
    open_values(one)
    taker = commands.upload(seller.id, "again.csv", [fix_file(one, {2, 3, 13})])
    run_jobs()
    with monkeypatch.context() as patched:
        patched.setattr(engine, "_FIRST_ROWS", 4)
        patched.setattr(engine, "_REQUEST_SECONDS", 0.0)
        standing = engine.give(one, NewAnswer(Rule.SET, "price-not-whole", "PRICE", "x", {"PRICE": "y"}))
    assert (standing.answering, standing.taken) == (1, 3)
    housekeeping.delete(key.seller_id, taker.public_id)
    run_jobs()
    standing = corrections.get(key)
    assert (standing.answering, standing.is_surveyed, standing.taken) == (None, False, 0)
    assert counts(standing) == counts(corrections.count_states(key))
    # Those that came back above the place that the answer had reached are as they were.
    assert (
        open_values(one)
        == recount(one)
        == {
            ("price-not-whole", "PRICE", "x"): 2,
            ("price-not-whole", "PRICE", "y"): 10,
        }
    )


def test_each_row_is_looked_up_by_its_key_in_tables_that_were_never_analyzed(seller: Seller, run_jobs: RunJobs) -> None:
    make_items()
    lines = range(2, 202)
    one = failed(seller, run_jobs, [row(price="x", reference=str(line)) for line in lines])
    key = ImportKey.of(one)
    assert engine.give(one, NewAnswer(Rule.SET, "price-not-whole", "PRICE", "x", {"PRICE": "y"})).open_corrected == len(
        lines
    )
    look_ups: list[Callable[[], object]] = [
        lambda: corrections.read_open(key, Wanted(), after_line=0, with_facts=False),
        lambda: corrections.look_at(key, lines),
        lambda: corrections.take_lines(key, 7, dict(zip(lines, lines, strict=True))),
        lambda: corrections.take(key, 7, CorrectionState.OPEN),
        lambda: corrections.take(key, 7, CorrectionState.RIGHT),
    ]
    for look_up in look_ups:
        # If the tables are analyzed meanwhile, they are so small that they would be read whole for each row.
        db.session.execute(text("set local enable_seqscan = off"))
        before = fetched()
        look_up()
        assert fetched() - before < 10 * len(lines)
        db.session.rollback()


def fetched() -> int:
    """The rows of failed rows and of corrections that this session has read so far."""
    query = "select sum(idx_tup_fetch + seq_tup_read) from pg_stat_xact_user_tables where relname = any(:tables)"
    return int(db.session.execute(text(query), {"tables": ["corrections", "row_errors"]}).scalar_one())


def fix_file(one: Import, lines: set[int]) -> bytes:
    """The fix-it file of the open rows on these lines."""
    rows = b"".join(fix_files.stream(ImportKey.of(one), one.public_id)).decode().splitlines()
    return "\n".join([rows[0], *(line for line in rows[1:] if int(line.split(",")[15]) in lines), ""]).encode()


#: What is still open of an import ``in_part``.
TO_90 = NewAnswer(Rule.SET, "price-not-whole", "PRICE", "z", {"PRICE": "90"})


def take_up(way: str, seller_id: int, public_id: uuid.UUID, file: bytes) -> Import | str:
    """Take failed rows up in one way; what it has made, or why it was refused."""
    try:
        if way == "corrected":
            return commands.import_corrected(seller_id, public_id)
        if way == "retry":
            return commands.retry(seller_id, public_id, RetriedRows.FAILED)
        return commands.upload(seller_id, "fixed.csv", [file])
    except (FileRejected, TransitionRefused) as refused:
        db.session.rollback()
        return str(refused)


def in_part(seller: Seller, run_jobs: RunJobs) -> tuple[Import, bytes]:
    """An import with six failed rows, two of which are corrected and one is left out, and a file with two others."""
    make_items(6)
    rows = [row(urn=f"urn:test:{n}", price=price) for n, price in enumerate("xxyzzz", start=1)]
    one = failed(seller, run_jobs, rows)
    engine.give(one, NewAnswer(Rule.SET, "price-not-whole", "PRICE", "x", {"PRICE": "100"}))
    engine.give(one, NewAnswer(Rule.LEAVE_OUT, "price-not-whole", "PRICE", "y", {"reason": "gone"}))
    return one, fix_file(one, {5, 6}).replace(b",z,", b",90,")


def assert_taken_once(key: ImportKey) -> None:
    """Each failed row is in one import at most, and in the one that says so."""
    db.session.rollback()
    one = db.session.get_one(Import, tuple(key))
    takers = db.session.scalars(db.select(Import).where(Import.parent_id == one.id)).all()
    taken = corrections.count_taken(key)
    assert taken == {taker.id: taker.total for taker in takers}
    assert [*ledger.find_faults(one)] == []


def test_rows_that_another_import_has_taken_up_are_not_counted(seller: Seller, run_jobs: RunJobs) -> None:
    one, _ = in_part(seller, run_jobs)
    key = ImportKey.of(one)
    assert corrections.take_lines(key, 7, {2: 2, 5: 3}) == 2
    assert corrections.take_lines(key, 8, {5: 2, 6: 3}) == 1
    assert [corrections.take(key, 9, state) for state in (CorrectionState.RIGHT, CorrectionState.OPEN)] == [1, 1]
    db.session.rollback()


@pytest.mark.parametrize("order", [*permutations(("corrected", "retry", "upload"))], ids="-".join)
def test_every_failed_row_is_taken_up_once_in_every_order(
    seller: Seller, run_jobs: RunJobs, order: tuple[str, ...]
) -> None:
    one, file = in_part(seller, run_jobs)
    key, public_id = ImportKey.of(one), one.public_id
    made = {way: take_up(way, key.seller_id, public_id, file) for way in order}
    totals = {way: each if isinstance(each, str) else each.total for way, each in made.items()}
    if order.index("retry") < order.index("upload"):
        refused = totals.pop("upload")
        assert str(refused).startswith("Line 5 of stock.csv and 1 more have already been imported in another way.")
        assert totals == {"corrected": 2, "retry": 3}
    else:
        assert totals == {"corrected": 2, "retry": 1, "upload": 2}
    run_jobs()
    assert_taken_once(key)
    now = progress.get(key.seller_id, public_id)
    related = progress.get_related(now)
    assert (related.closed, related.leaves_open(now), related.can_fix(now)) == (6, False, False)
    # Once more, nothing happens but for the retry, which is the same.
    for way in order:
        again = take_up(way, key.seller_id, public_id, file)
        assert isinstance(again, str) or way == "retry"
    assert_taken_once(key)


def test_what_is_taken_up_stays_as_it_is_whatever_is_answered_later(seller: Seller, run_jobs: RunJobs) -> None:
    one, file = in_part(seller, run_jobs)
    key, public_id = ImportKey.of(one), one.public_id
    open_values(one)
    assert isinstance(take_up("upload", key.seller_id, public_id, file), Import)
    assert counts(engine.give(one, TO_90)) == (3, 0, 1, 2)
    assert isinstance(take_up("corrected", key.seller_id, public_id, file), Import)

    def answer_again() -> set[tuple[int, int, int, int]]:
        taken = [*corrections.look_at(key, range(2, 8)).taken]
        return {
            counts(engine.give(one, TO_90)),
            counts(engine.give_cells(one, {line: {"PRICE": "7"} for line in taken})),
            counts(engine.leave_out(one, taken, "")),
            counts(engine.take_back(one, 1)),
            counts(engine.take_back(one, 3)),
        }

    assert answer_again() == {(0, 0, 1, 5)}
    # The one that was left out is open again, and then retried.
    assert counts(engine.take_back(one, 2)) == (0, 0, 0, 5)
    assert isinstance(take_up("retry", key.seller_id, public_id, file), Import)
    assert answer_again() == {(0, 0, 0, 6)}
    assert open_values(one) == recount(one) == {}
    run_jobs()
    assert_taken_once(key)


def test_of_those_that_correct_and_take_up_rows_at_the_same_time_none_takes_one_twice(
    app: Flask, seller: Seller, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, file = in_part(seller, run_jobs)
    key, seller_id, public_id = ImportKey.of(one), seller.id, one.public_id
    open_values(one)
    together = threading.Barrier(4, timeout=20)
    insert = creation._find_or_insert

    def wait_for_all() -> None:
        with suppress(threading.BrokenBarrierError):
            together.wait()

    def insert_together(*args: Any, **options: Any) -> Import:
        wait_for_all()
        return insert(*args, **options)

    def answer() -> None:
        with app.app_context():
            wait_for_all()
            engine.give(db.session.get_one(Import, tuple(key)), TO_90)

    monkeypatch.setattr(creation, "_find_or_insert", insert_together)
    made: list[Import | str] = []

    def take(way: str) -> None:
        with app.app_context():
            made.append(take_up(way, seller_id, public_id, file))

    threads = [threading.Thread(target=take, args=[way]) for way in ("corrected", "retry", "upload")]
    threads.append(threading.Thread(target=answer))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 3
    assert_taken_once(key)
    # Nor is any row lost by the answer that was given meanwhile.
    assert counts(corrections.get(key)) == counts(corrections.count_states(key))
    one = db.session.get_one(Import, tuple(key))
    assert open_values(one) == recount(one)


@pytest.mark.parametrize("is_checked", [False, True])
def test_a_file_of_failed_rows_is_uploaded_again_once_its_import_is_undone(
    seller: Seller, run_jobs: RunJobs, is_checked: bool
) -> None:
    one, file = in_part(seller, run_jobs)
    key = ImportKey.of(one)
    kind = ImportKind.of_switch(check=is_checked)
    made = commands.upload(key.seller_id, "fixed.csv", [file], kind=kind)
    run_jobs()
    if is_checked:
        made = commands.import_checked(key.seller_id, made.public_id)
        run_jobs()
    assert corrections.count_taken(key) == {made.id: 2}
    assert str(take_up("upload", *key[:1], one.public_id, file)).startswith("Line 5 of stock.csv and 1 more have")
    undo.start(key.seller_id, made.public_id)
    run_jobs()
    assert corrections.count_taken(key) == {}
    again = commands.upload(key.seller_id, "fixed.csv", [file])
    run_jobs()
    assert corrections.count_taken(key) == {again.id: 2}
    assert [*ledger.find_faults(db.session.get_one(Import, tuple(key)))] == []


def test_corrected_rows_are_recognised_by_their_bytes_once_their_import_is_undone(
    seller: Seller, run_jobs: RunJobs
) -> None:
    one, _ = in_part(seller, run_jobs)
    key, public_id = ImportKey.of(one), one.public_id
    fixes = commands.import_corrected(key.seller_id, public_id)
    run_jobs()
    undo.start(key.seller_id, fixes.public_id)
    run_jobs()
    corrected, left_out, still_open = (
        row(price="100"),
        row(urn="urn:test:3", price="y"),
        row(urn="urn:test:4", price="z"),
    )
    again = commands.upload(key.seller_id, "again.csv", [csv_bytes([left_out, still_open, corrected])])
    assert corrections.find_parent_lines(key, again.id, [2, 3, 4]) == {3: 5, 4: 2}
    assert counts(corrections.get(key)) == counts(corrections.count_states(key)) == (1, 0, 1, 2)
    run_jobs()
    assert [*ledger.find_faults(db.session.get_one(Import, tuple(key)))] == []


def test_rows_that_come_back_by_an_undo_and_others_are_taken_up_at_the_same_time(
    app: Flask, seller: Seller, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, file = in_part(seller, run_jobs)
    key, public_id = ImportKey.of(one), one.public_id
    fixes = commands.import_corrected(key.seller_id, public_id)
    run_jobs()
    undone = undo.start(key.seller_id, fixes.public_id)
    with monkeypatch.context() as patched:
        patched.setattr(settling, "run", lambda *_: None)
        run_jobs()
    together = threading.Barrier(4, timeout=20)
    made: list[Import | str] = []

    def settle() -> None:
        with app.app_context():
            together.wait()
            assert settling.settle(ImportKey(key.seller_id, undone.id))

    def take(way: str) -> None:
        with app.app_context():
            together.wait()
            made.append(take_up(way, key.seller_id, public_id, file))

    threads = [threading.Thread(target=take, args=[way]) for way in ("corrected", "retry", "upload")]
    threads.append(threading.Thread(target=settle))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fixes_id = fixes.id
    for way in ("corrected", "retry"):
        take_up(way, key.seller_id, public_id, file)
    run_jobs()
    assert counts(corrections.get(key)) == counts(corrections.count_states(key)) == (0, 0, 1, 5)
    assert fixes_id not in corrections.count_taken(key)
    assert [*ledger.find_faults(db.session.get_one(Import, tuple(key)))] == []


def test_rows_are_recognised_by_their_bytes_and_a_new_file_is_not(seller: Seller, run_jobs: RunJobs) -> None:
    make_items(1)
    rows = [row(urn=f"urn:test:{n}") for n in (1, 2, 2, 3)]
    one = failed(seller, run_jobs, rows)
    make_items(3)
    other = commands.upload(seller.id, "other.csv", [csv_bytes([row(urn="urn:test:3", price="7")])])
    again = commands.upload(seller.id, "again.csv", [csv_bytes([*rows[3:], rows[1]])])
    assert (other.parent_id, again.parent_id, again.taken_up_as) == (None, one.id, "UPLOAD")
    key, public_id = ImportKey.of(one), one.public_id
    assert corrections.find_parent_lines(key, again.id, [2, 3]) == {2: 5, 3: 3}
    run_jobs()
    assert_taken_once(key)
    assert commands.retry(key.seller_id, public_id, RetriedRows.FAILED).total == 1
