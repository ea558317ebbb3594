"""No file makes its batches wait for each other in a circle, however its rows are mixed: PostgreSQL itself counts."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest
from sqlalchemy import text

from app.extensions import db
from app.imports import ledger
from app.models import Import, Seller
from app.queries.listings import edits
from tests.factories import failures, listed, look, make_items, row, start
from tests.processes import wait_until, workers

RunJobs = Callable[[], None]
#: What names a listing in these files: the item, and its condition.
Key = tuple[str, str]

_CODES = {"MINT": "MT", "NEAR_MINT": "NM", "EXCELLENT": "EX", "GOOD": "GD"}
_KEYS: list[Key] = [(f"urn:test:{n}", code) for n in range(1, 1001) for code in _CODES.values()]
_SESSIONS = "select pid from pg_stat_activity where datname = current_database() and backend_type = 'client backend'"
#: Chunks that have written their changes linger, so that those of other workers meet with them.
_LINGER = """
    create function linger() returns trigger language plpgsql as 'begin perform pg_sleep(0.1); return null; end';
    create trigger linger after insert or update on listings for each statement execute function linger()
"""


class Mixed(NamedTuple):
    """A file of UPDATE and CREATE rows for the same listings in random order, and its expected result."""

    rows: list[dict[str, str]]
    failed: int
    #: Rows that say of a listing what it was before.
    unchanged: int
    #: The price of each listing that existed before.
    prices: dict[Key, int]
    #: The lines of the CREATE rows for each listing that did not exist; exactly one of them succeeds.
    makers: dict[Key, set[int]]


def mix(existing: dict[Key, int], *, seed: int, repeated: bool) -> Mixed:
    """A row of either MODE for each listing, and with ``repeated`` more of them.

    By the rules: the highest UPDATE line wins, and none finds what its own file makes; one CREATE succeeds.
    """
    chance = random.Random(seed)
    wanted = [(mode, key) for key in _KEYS for mode in ("CREATE", "UPDATE")]
    wanted += chance.choices(wanted, k=len(wanted)) if repeated else []
    chance.shuffle(wanted)
    mixed = Mixed([], 0, 0, dict(existing), {})
    failed = unchanged = 0
    for line, (mode, key) in enumerate(wanted, start=2):
        is_unchanged = key in existing and chance.random() < 0.1
        price, reference = (existing[key], "") if is_unchanged else (10_000 + line, line)
        mixed.rows.append(row(mode=mode, urn=key[0], condition=key[1], price=price, reference=reference))
        if mode == "CREATE" and key not in existing:
            failed += key in mixed.makers
            mixed.makers.setdefault(key, set()).add(line)
        elif mode == "UPDATE" and key in existing:
            mixed.prices[key] = price
            unchanged += is_unchanged
        else:
            failed += 1
    return mixed._replace(failed=failed, unchanged=unchanged)


@pytest.fixture
def existing(seller: Seller, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[Key, int]]:
    """Half of all listings, with different prices, in a table that is slow to write to."""
    # So that there is a batch for each of the workers.
    monkeypatch.setattr("app.batch_plan.MIN_BATCH_ROWS", 2_000)
    make_items(1_000)
    prices = {key: n for n, key in enumerate(_KEYS[::2], start=1)}
    start(seller, [row(urn=urn, condition=code, price=price) for (urn, code), price in prices.items()])
    run_jobs()
    db.session.execute(text(_LINGER))
    db.session.commit()
    yield prices
    db.session.rollback()
    db.session.execute(text("drop trigger linger on listings; drop function linger()"))
    db.session.commit()


@contextmanager
def no_deadlocks() -> Iterator[None]:
    """Fail the test if PostgreSQL has met with a deadlock in between; what uses the database must have left by then."""
    before, earlier = count_deadlocks(), sessions()
    yield
    # A session tells what it has counted when it ends, if not before. Those of this process stay in its pools.
    db.session.rollback()
    db.engine.dispose()
    wait_until(lambda: sessions() <= earlier | {ask("select pg_backend_pid()")})
    assert count_deadlocks() == before


def sessions() -> set[int]:
    """The sessions of this database."""
    found = set(db.session.scalars(text(_SESSIONS)))
    db.session.rollback()
    return found


def count_deadlocks() -> int:
    return ask("select deadlocks from pg_stat_database where datname = current_database()")


def ask(query: str) -> int:
    found = db.session.scalar(text(query))
    db.session.rollback()
    return int(found or 0)


def finish(started: Import) -> None:
    wait_until(lambda: look(started).status in {"COMPLETED", "FAILED"}, seconds=120)


def faults(one: Import) -> list[str]:
    return list(ledger.find_faults(db.session.get_one(Import, (one.seller_id, one.id))))


@pytest.mark.parametrize("repeated", [False, True])
def test_a_file_that_updates_and_creates_the_same_listings(
    environ: dict[str, str], seller: Seller, existing: dict[Key, int], repeated: bool
) -> None:
    mixed = mix(existing, seed=1, repeated=repeated)
    with no_deadlocks(), workers(environ, count=4):
        started = start(seller, mixed.rows)
        finish(started)
    ended = look(started)
    assert (ended.created, ended.unchanged, ended.failed) == (len(mixed.makers), mixed.unchanged, mixed.failed)
    assert ended.not_processed == 0
    assert len(failures(started)) == mixed.failed
    found = {(one[0], _CODES[one[1]]): one for one in listed(seller)}
    assert {key: int(found[key][3]) for key in mixed.prices} == mixed.prices
    assert all(int(found[key][8]) in lines for key, lines in mixed.makers.items())
    assert len(found) == len(mixed.prices) + len(mixed.makers)
    assert faults(started) == []


def test_two_such_files_of_one_seller_while_listings_are_changed_by_hand(
    environ: dict[str, str], seller: Seller, existing: dict[Key, int]
) -> None:
    keys = [tuple(one) for one in db.session.execute(text("select item_id, condition, variants from listings"))]
    seller_id, chance = seller.id, random.Random(2)
    with no_deadlocks(), workers(environ, count=4):
        both = [start(seller, mix(existing, seed=seed, repeated=False).rows) for seed in (3, 4)]
        while any(look(one).status == "RUNNING" for one in both):
            found = edits.lock(seller_id, chance.sample(keys, 20))
            assert len(found) == 20
            edits.write(seller_id, {key: one._replace(hidden=not one.hidden) for key, one in found.items()})
            db.session.commit()
    assert [look(one).not_processed for one in both] == [0, 0]
    assert len(listed(seller)) == len(existing) + sum(look(one).created for one in both)
    assert [faults(one) for one in both] == [[], []]


def test_a_check_of_such_a_file_predicts_what_the_import_comes_to(
    environ: dict[str, str], seller: Seller, existing: dict[Key, int]
) -> None:
    mixed = mix(existing, seed=5, repeated=True)
    with no_deadlocks(), workers(environ, count=4):
        started = start(seller, mixed.rows, is_check=True)
        finish(started)
    ended = look(started)
    assert (ended.created, ended.unchanged, ended.failed) == (len(mixed.makers), mixed.unchanged, mixed.failed)
    assert faults(started) == []
