"""Unchanged rows, and checks, which change nothing at all: their predictions are correct."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

import pytest
from sqlalchemy import text

from app.csvfile.columns import Column
from app.extensions import db
from app.imports import ledger, settling
from app.imports.reports import exports
from app.imports.worker import batch_job
from app.models import Import, Seller
from app.queries import ImportKey
from app.queries.imports import check_changes, error_groups
from app.queries.listings.listings import DIGEST_FORMAT
from tests.factories import failures, listed, look, make_items, row, start

RunJobs = Callable[[], None]


def run_batches(one: Import, *, order: Callable[[list[int]], None]) -> None:
    """Work through all batches in the order that ``order`` shuffles them into."""
    numbers = list(range(1, 1 + count("batches", one)))
    order(numbers)
    for number in numbers:
        batch_job.run(one.seller_id, one.id, number, 1)


def count(table: str, one: Import) -> int:
    query = text(f"select count(*) from {table} where seller_id = :seller and import_id = :id")
    found = db.session.scalar(query, {"seller": one.seller_id, "id": one.id})
    db.session.rollback()
    return int(found or 0)


def versions() -> list[tuple[object, ...]]:
    """Every listing with the transaction that has written it."""
    found = [
        tuple(one) for one in db.session.execute(text("select ctid, xmin, listings.* from listings order by ctid"))
    ]
    db.session.rollback()
    return found


class Numbers(NamedTuple):
    created: int
    updated: int
    unchanged: int
    failed: int


def numbers(one: Import) -> Numbers:
    seen = look(one)
    return Numbers(seen.created, seen.updated, seen.unchanged, seen.failed)


def faults(one: Import) -> list[str]:
    return list(ledger.find_faults(db.session.get_one(Import, (one.seller_id, one.id))))


def test_a_row_that_says_what_is_so_is_successful_and_not_written(seller: Seller, run_jobs: RunJobs) -> None:
    make_items()
    start(seller, [row(price=1, comment="c", hidden="true"), row(urn="urn:test:2", price=2)])
    run_jobs()
    before = versions()
    again = start(
        seller,
        [
            row(mode="UPDATE", price=1, comment="c", hidden="true"),
            row(mode="UPDATE", urn="urn:test:2", price=2, hidden=""),
            row(mode="UPDATE", urn="", cardmarket_id=2, price=2, hidden="false"),
        ],
    )
    run_jobs()
    assert numbers(again) == (0, 0, 3, 0)
    assert look(again).status == "COMPLETED"
    assert [one[1:] for one in versions()] == [one[1:] for one in before]


def test_each_value_is_compared(seller: Seller, run_jobs: RunJobs) -> None:
    make_items()
    full = {"price": 9, "quantity": 9, "comment": "c", "notes": "n", "reference": "r", "hidden": "true"}
    start(seller, [row(**full)])
    run_jobs()
    others = {"price": 8, "quantity": 0, "comment": "", "notes": "N", "reference": "r r", "hidden": "false"}
    for column, other in others.items():
        changed = start(seller, [row(mode="UPDATE", **(full | {column: other}))])
        run_jobs()
        assert numbers(changed) == (0, 1, 0, 0), column
        back = start(seller, [row(mode="UPDATE", **full), row(mode="UPDATE", **full)])
        run_jobs()
        assert numbers(back) == (0, 2, 0, 0), column


def test_an_update_does_not_find_what_its_own_file_makes(seller: Seller, run_jobs: RunJobs) -> None:
    make_items()
    started = start(seller, [row(price=1), row(mode="UPDATE", price=2)])
    run_jobs()
    assert failures(started) == [(3, 404)]


@pytest.mark.parametrize("seed", range(12))
def test_neither_result_nor_numbers_depend_on_the_order_of_the_batches(
    seller: Seller, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    make_items()
    monkeypatch.setattr("app.csvfile.scan.rows_per_batch", lambda *_: chance.randint(1, 4))
    monkeypatch.setattr("app.imports.worker.batch_job.MAX_CHUNK_ROWS", 2)
    monkeypatch.setattr("app.imports.worker.batch_job.MIN_CHUNK_ROWS", 1)
    first = {f"urn:test:{n}": (1, "false") for n in (1, 2, 3)}
    start(seller, [row(urn=urn, price=price, hidden=hidden) for urn, (price, hidden) in first.items()])
    run_jobs()
    rows = [
        (chance.choice([*first]), chance.choice([1, 1, 2]), chance.choice(["", "false", "true"])) for _ in range(16)
    ]
    # By the rules: each row is compared with what was there before, and the highest line that says something stays.
    expected = dict(first)
    unchanged = 0
    for urn, price, hidden in rows:
        unchanged += price == first[urn][0] and hidden in ("", first[urn][1])
        expected[urn] = (price, hidden or expected[urn][1])
    updates = [row(mode="UPDATE", urn=urn, price=price, hidden=hidden) for urn, price, hidden in rows]
    foretold = start(seller, updates, is_check=True)
    run_batches(foretold, order=chance.shuffle)
    assert numbers(foretold) == (0, len(rows) - unchanged, unchanged, 0)
    started = start(seller, updates)
    run_batches(started, order=chance.shuffle)
    assert numbers(started) == numbers(foretold)
    assert {one[0]: (int(one[3]), one[5]) for one in listed(seller)} == expected
    assert faults(started) == faults(foretold) == []


@pytest.mark.parametrize(
    ("digest_format", "expected", "outcomes"),
    [
        (DIGEST_FORMAT, (0, 2, 1, 0), ["updated", "unchanged", "updated"]),
        (DIGEST_FORMAT + 1, (0, 3, 0, 0), ["updated or unchanged"] * 3),
    ],
)
def test_digests_of_another_release_are_not_compared(
    seller: Seller,
    run_jobs: RunJobs,
    monkeypatch: pytest.MonkeyPatch,
    digest_format: int,
    expected: tuple[int, ...],
    outcomes: list[str],
) -> None:
    make_items()
    monkeypatch.setattr("app.imports.worker.batch_job.MAX_CHUNK_ROWS", 1)
    monkeypatch.setattr("app.imports.worker.batch_job.MIN_CHUNK_ROWS", 1)
    start(seller, [row(price=1)])
    run_jobs()
    started = start(seller, [row(mode="UPDATE", price=price) for price in (2, 1, 3)])
    changed = text("update imports set digest_format = :format where id = :id")
    db.session.execute(changed, {"format": digest_format, "id": started.id})
    db.session.commit()
    run_jobs()
    assert numbers(started) == expected
    assert look(started).status == "COMPLETED"
    assert {one[3] for one in listed(seller)} == {"3"}
    lines = b"".join(exports.succeeded(ImportKey(seller.id, started.id))).decode().splitlines()
    assert [line.split(",")[2] for line in lines[1:]] == outcomes
    assert faults(started) == []


# Checks ---------------------------------------------------------------------------------------------------------------


def every_kind_of_row() -> list[dict[str, str]]:
    """Rows for a seller who has listings of the items 1 to 3 in near mint, at 100 pence."""
    return [
        row(urn="urn:test:4"),
        row(urn="urn:test:4", price=200),
        row(urn="", cardmarket_id=4, price=300),
        row(urn="urn:test:5"),
        row(),
        row(price=300),
        row(price="1.99"),
        row(urn="urn:none"),
        row(urn="urn:test:6", variants="gold"),
        row(mode="UPDATE"),
        row(mode="UPDATE", price=50),
        row(mode="UPDATE", price=101),
        row(mode="UPDATE", urn="urn:test:2", hidden="false"),
        row(mode="UPDATE", urn="urn:test:2", hidden="true"),
        row(mode="UPDATE", urn="urn:test:3", comment="new"),
        row(mode="UPDATE", urn="urn:test:4"),
        row(mode="UPDATE", urn="urn:test:6"),
    ]


@pytest.mark.parametrize("rows_per_batch", [100, 3, 1])
def test_a_check_predicts_the_import(
    seller: Seller, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch, rows_per_batch: int
) -> None:
    chance = random.Random(1)
    make_items(6)
    start(seller, [row(urn=f"urn:test:{n}") for n in (1, 2, 3)])
    run_jobs()
    monkeypatch.setattr("app.csvfile.scan.rows_per_batch", lambda *_: rows_per_batch)
    before = versions()
    foretold = start(seller, every_kind_of_row(), is_check=True)
    run_batches(foretold, order=chance.shuffle)
    assert numbers(foretold) == (2, 4, 2, 9)
    assert versions() == before
    started = start(seller, every_kind_of_row())
    run_batches(started, order=chance.shuffle)
    assert numbers(started) == numbers(foretold)
    assert look(started).status == look(foretold).status == "FAILED"
    groups = [
        [(group.kind, group.rows) for group in error_groups.list_all(ImportKey(seller.id, one.id))]
        for one in (foretold, started)
    ]
    assert dict(groups[0]) == dict(groups[1])
    assert faults(started) == faults(foretold) == []


def test_a_check_keeps_the_most_striking_changes(
    seller: Seller, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_items(9)
    start(seller, [row(urn=f"urn:test:{n}", comment="old") for n in range(1, 10)])
    run_jobs()
    monkeypatch.setattr("app.imports.worker.targets._CHANGES_SHOWN", 3)
    prices = [100, 101, 1, 150, 100_000, 100, 99, 100, 102]
    updates = [row(mode="UPDATE", urn=f"urn:test:{n}", price=price) for n, price in enumerate(prices, 1)]
    checked = start(seller, updates, is_check=True)
    run_jobs()
    shown = check_changes.list_most_striking(ImportKey(seller.id, checked.id), limit=10)
    assert [(one.line, one.urn, one.before[Column.PRICE], one.after[Column.PRICE]) for one in shown] == [
        (6, "urn:test:5", "100", "100000"),
        (4, "urn:test:3", "100", "1"),
        (5, "urn:test:4", "100", "150"),
    ]
    assert (shown[0].before[Column.COMMENT], shown[0].after[Column.COMMENT]) == ("old", "")


def test_what_chunks_note_for_each_other_is_forgotten_at_the_end(
    seller: Seller, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_items()
    start(seller, [row(), row(urn="urn:test:2")])
    run_jobs()
    monkeypatch.setattr("app.csvfile.scan.rows_per_batch", lambda *_: 1)
    started = start(seller, [row(mode="UPDATE", price=2), row(mode="UPDATE", urn="urn:test:2")])
    checked = start(seller, [row(urn="urn:test:3"), row(mode="UPDATE", urn="urn:test:2")], is_check=True)
    batch_job.run(seller.id, started.id, 2, 1)
    batch_job.run(seller.id, checked.id, 1, 1)
    assert (count("left_alone", started), count("claims", checked)) == (1, 1)
    settling.run(seller.id, started.id)
    settling.run(seller.id, checked.id)
    assert (count("left_alone", started), count("claims", checked)) == (1, 1)
    run_jobs()
    assert look(started).status == look(checked).status == "COMPLETED"
    assert (count("left_alone", started), count("claims", checked)) == (0, 0)
