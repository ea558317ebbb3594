"""Failed rows counted by cause and column: true after every way in which an import can go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pyarrow as pa
import pytest
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import text

from app.csvfile.causes import Cause, Code
from app.extensions import db
from app.imports.worker import batch_job
from app.models import Import, Seller
from app.queries import BatchKey, ImportKey
from app.queries.imports import error_groups, row_errors, transitions
from app.queries.imports.error_groups import ErrorKind
from app.queries.imports.row_errors import ANY, ErrorFilter
from tests.conftest import sign_in
from tests.factories import make_items, row, start, with_header

CONDITION = ErrorKind(Cause.CONDITION_UNKNOWN, "CONDITION")
POUNDS = ErrorKind(Cause.PRICE_IN_POUNDS, "PRICE")
UNKNOWN = ErrorKind(Cause.ITEM_NOT_FOUND, "URN")


def mistaken(seller: Seller, monkeypatch: pytest.MonkeyPatch) -> Import:
    """An import of three batches: lines 2 to 4, 5 to 7 and 8 to 10, of which 3 is right."""
    make_items()
    monkeypatch.setattr("app.csvfile.scan.rows_per_batch", lambda *_: 3)
    return start(
        seller,
        [
            row(condition="Near Mnt"),
            row(),
            row(condition="Near Mnt", price="1.99"),
            row(price="£2", reference="50% off_"),
            row(price="£2"),
            row(urn="urn:test:77"),
            row(condition="x"),
            row(urn="urn:test:78"),
            row(urn="urn:test:79"),
        ],
    )


def counted(one: Import) -> list[tuple[ErrorKind, int]]:
    db.session.rollback()
    return [(group.kind, group.rows) for group in error_groups.list_all(ImportKey.of(one))]


def recounted(one: Import) -> Counter[ErrorKind]:
    """The same from the failed rows themselves."""
    pages = row_errors.iter_pages(ImportKey.of(one))
    return Counter(kind for page in pages for error in page for kind in set(error.kinds))


def test_groups_are_counted_over_all_batches(
    seller: Seller, run_jobs: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = mistaken(seller, monkeypatch)
    run_jobs()
    # Line 4 has two problems and is in two groups; of groups alike in size the one that begins first comes first.
    assert counted(one) == [(CONDITION, 3), (POUNDS, 3), (UNKNOWN, 3)]
    assert dict(counted(one)) == recounted(one)
    by_batch = error_groups.list_by_batch(ImportKey(seller.id, one.id))
    assert by_batch == {1: {CONDITION: 2, POUNDS: 1}, 2: {POUNDS: 2, UNKNOWN: 1}, 3: {CONDITION: 1, UNKNOWN: 2}}


def test_a_chunk_that_comes_to_nothing_is_not_counted(seller: Seller, monkeypatch: pytest.MonkeyPatch) -> None:
    one = mistaken(seller, monkeypatch)
    key = BatchKey(seller.id, one.id, 1)
    advance = transitions.advance

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(transitions, "advance", die)
    with pytest.raises(KeyboardInterrupt):
        batch_job.run(*key, 1)
    assert counted(one) == []
    # Taken back, and worked on by two attempts of which the first is late.
    assert transitions.end_attempt(key, 1, reason="It died.", max_fruitless_attempts=5)
    db.session.commit()
    monkeypatch.setattr(transitions, "advance", advance)
    batch_job.run(*key, 1)
    assert counted(one) == []
    batch_job.run(*key, 2)
    batch_job.run(*key, 2)
    assert counted(one) == [(CONDITION, 2), (POUNDS, 1)]


def test_later_chunks_of_a_batch_add_to_what_is_counted(seller: Seller, monkeypatch: pytest.MonkeyPatch) -> None:
    one = mistaken(seller, monkeypatch)
    key = BatchKey(seller.id, one.id, 2)
    problem = Cause.PRICE_MISSING.problem("PRICE")
    for lines in ([5, 6], [], [7]):
        row_errors.insert(key, dict.fromkeys(lines, [problem, problem]), pa.array(["x"] * len(lines)))
    kind = ErrorKind(Cause.PRICE_MISSING, "PRICE")
    assert [(group.kind, group.rows) for group in error_groups.list_all(key.of_import)] == [(kind, 3)]
    sample = error_groups.sample(key.of_import, {kind: 2})
    assert {kind: [one.line for one in found] for kind, found in sample.items()} == {kind: [5, 6]}


def test_rows_are_taken_from_the_batch_that_has_most_of_a_group(
    seller: Seller, run_jobs: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = mistaken(seller, monkeypatch)
    run_jobs()
    sample = error_groups.sample(ImportKey(seller.id, one.id), dict.fromkeys([UNKNOWN, POUNDS, CONDITION], 5))
    lines = {kind: [one.line for one in found] for kind, found in sample.items()}
    assert lines == {UNKNOWN: [9, 10], POUNDS: [5, 6], CONDITION: [2, 4]}


FILTERED = [
    (ANY, [2, 4, 5, 6, 7, 8, 9, 10]),
    (ErrorFilter(code=Code.NOT_FOUND), [7, 9, 10]),
    (ErrorFilter(code=Code.CONFLICT), []),
    (ErrorFilter(cause=Cause.PRICE_IN_POUNDS), [4, 5, 6]),
    (ErrorFilter(column="CONDITION"), [2, 4, 8]),
    (ErrorFilter(column=""), []),
    (ErrorFilter(cause=Cause.PRICE_IN_POUNDS, column="PRICE"), [4, 5, 6]),
    # Line 4 has both, but not together.
    (ErrorFilter(cause=Cause.PRICE_IN_POUNDS, column="CONDITION"), []),
    (ErrorFilter(batch=2), [5, 6, 7]),
    (ErrorFilter(batch=3), [8, 9, 10]),
    (ErrorFilter(batch=4), []),
    (ErrorFilter(lines=(6, 8)), [6, 7, 8]),
    (ErrorFilter(lines=(3, 3)), []),
    (ErrorFilter(text="NEAR mnt"), [2, 4]),
    (ErrorFilter(text="50% OFF_"), [5]),
    (ErrorFilter(text="5_%"), []),
    (ErrorFilter(text="£2", batch=2, lines=(6, 2**31 - 1)), [6]),
]


def test_filters_let_through_what_they_say(
    seller: Seller, run_jobs: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = mistaken(seller, monkeypatch)
    run_jobs()
    key, of_another = ImportKey(seller.id, one.id), ImportKey(seller.id + 1, one.id)
    for wanted, lines in FILTERED:
        found = [error.line for error in row_errors.list_after(key, after_line=0, limit=50, wanted=wanted).errors]
        assert found == lines, wanted
        rest = row_errors.list_after(key, after_line=5, limit=2, wanted=wanted).errors
        assert [error.line for error in rest] == [line for line in lines if line > 5][:2], wanted
        assert not row_errors.list_after(of_another, after_line=0, limit=50, wanted=wanted).errors


def test_a_row_over_several_lines_is_found_by_each_of_them(seller: Seller, run_jobs: Callable[[], None]) -> None:
    make_items()
    one = start(seller, with_header('CREATE,urn:test:1,,,,,,x,1,1,,,"a\nb\nc",,\nx,urn:test:1,,,,,,x,1,1,,,,,\n'))
    run_jobs()
    key = ImportKey(seller.id, one.id)
    for line, found in ((1, []), (2, [2]), (3, [2]), (4, [2]), (5, [5]), (6, [])):
        wanted = ErrorFilter(lines=(line, line))
        assert [
            error.line for error in row_errors.list_after(key, after_line=0, limit=5, wanted=wanted).errors
        ] == found


def test_the_migration_counts_the_rows_that_have_failed_before_it(
    seller: Seller, run_jobs: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = mistaken(seller, monkeypatch)
    run_jobs()
    key = ImportKey(seller.id, one.id)
    before = counted(one), error_groups.list_by_batch(key)
    db.session.rollback()
    downgrade(revision="0002")
    upgrade()
    assert (counted(one), error_groups.list_by_batch(key)) == before
    sample = error_groups.sample(key, {UNKNOWN: 5})
    assert [one.line for one in sample[UNKNOWN]] == [9, 10]


def test_rows_keep_facts_and_those_of_an_earlier_release_their_sentences(
    app: Flask, seller: Seller, run_jobs: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = mistaken(seller, monkeypatch)
    run_jobs()
    stored = db.session.execute(text("select line, facts, messages from row_errors where line <= 4 order by line"))
    assert [tuple(row) for row in stored] == [
        (2, [{"value": "Near Mnt"}], None),
        (4, [{"value": "Near Mnt"}, {"value": "1.99", "pence": 199}], None),
    ]
    db.session.execute(
        text("update row_errors set facts = null, messages = '{First of old., Second of old.}' where line = 4")
    )
    db.session.commit()
    pages = row_errors.iter_pages(ImportKey(seller.id, one.id))
    told = {error.line: error.messages for page in pages for error in page}
    assert told[2] == [Cause.CONDITION_UNKNOWN.say("CONDITION", {"value": "Near Mnt"})]
    assert told[4] == ["First of old.", "Second of old."]
    assert told[5] == ["PRICE is “£2”. Prices are in pence: enter 200."]
    client = sign_in(app, seller)
    report = client.get(f"/imports/{one.public_id}/errors.csv").text
    page = client.get(f"/imports/{one.public_id}/errors").text
    for sentence in ("First of old.", "Second of old.", "Prices are in pence: enter 200."):
        assert sentence in report
        assert sentence in page


def test_going_back_a_release_keeps_failed_rows_readable(
    seller: Seller, run_jobs: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = mistaken(seller, monkeypatch)
    run_jobs()
    key = ImportKey(seller.id, one.id)
    db.session.close()
    downgrade(revision="0014")
    told = db.session.scalars(text("select cardinality(messages) from row_errors order by line")).all()
    db.session.close()
    upgrade()
    assert told == [1, 2, 1, 1, 1, 1, 1, 1]
    pages = row_errors.iter_pages(key)
    assert [len(error.messages) for page in pages for error in page] == told
