"""A conversion's statuses: only the transitions of the table, and nothing from an older attempt."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import text

from app.extensions import db
from app.models import Conversion, Seller
from app.queries import ConversionKey
from app.queries.imports import conversion_transitions as transitions
from app.queries.imports import conversions
from app.queries.imports.conversion_transitions import Outcome
from app.statuses import CONVERSION_TRANSITIONS, ConversionStatus

DRAFT, QUEUED, RUNNING, CONVERTED, FAILED = ConversionStatus
_OUTCOME = Outcome(3, 2, 0, 1, 0, 2, {"total": 2}, {"graded": 1}, "1/x", 9)


def make(seller: Seller, status: ConversionStatus, **values: object) -> ConversionKey:
    made = Conversion(
        seller_id=seller.id,
        file_name="x.csv",
        storage_key="1/x.source",
        file_size=3,
        sha256=b"",
        reading={},
        mapping={"version": 1},
        status=status,
        **values,
    )
    db.session.add(made)
    db.session.commit()
    return ConversionKey(seller.id, made.id)


def now(key: ConversionKey) -> Conversion:
    db.session.rollback()
    return db.session.get_one(Conversion, tuple(key))


STEPS: dict[str, Callable[[ConversionKey], object]] = {
    "enqueue": lambda key: transitions.enqueue(key, start_as=None),
    "claim": lambda key: transitions.claim(key, 1, worker="me"),
    "release": lambda key: transitions.release(key, 1),
    "fail": lambda key: transitions.end_attempt(key, 1, reason="So.", max_fruitless_attempts=2),
    "give up": lambda key: transitions.end_attempt(key, 1, reason="So.", max_fruitless_attempts=1),
    "finish": lambda key: transitions.finish(key, 1, _OUTCOME),
    "cancel": transitions.cancel,
    "back": transitions.back_to_draft,
}


def test_every_transition_of_the_table_is_made_and_no_other(seller: Seller) -> None:
    made: dict[ConversionStatus, set[ConversionStatus]] = {status: set() for status in ConversionStatus}
    for status in ConversionStatus:
        for step in STEPS.values():
            key = make(seller, status)
            changed = step(key)
            db.session.commit()
            after = ConversionStatus(now(key).status)
            assert bool(changed) == (after is not status)
            if changed:
                made[status].add(after)
    assert made == CONVERSION_TRANSITIONS


@pytest.mark.parametrize("step", ["release", "fail", "finish"])
def test_an_older_attempt_changes_nothing(seller: Seller, step: str) -> None:
    key = make(seller, RUNNING, attempt=2)
    assert not STEPS[step](key)
    with db.engine.begin() as connection:
        assert not transitions.beat(connection, key, 1, done=5)
    assert (now(key).status, now(key).done) == (RUNNING, 0)


def test_what_was_used_never_changes_again(seller: Seller) -> None:
    key = make(seller, CONVERTED)
    conversions.mark_used(key)
    db.session.commit()
    assert not transitions.back_to_draft(key)


def test_a_conversion_whose_worker_is_dead_begins_again_and_is_given_up_in_the_end(app: Flask, seller: Seller) -> None:
    key = make(seller, RUNNING)
    db.session.execute(text("update conversions set heartbeat_at = now() - interval '1 hour'"))
    assert [one.status for one in transitions.reclaim_expired(lease_seconds=60, max_fruitless_attempts=2)] == [QUEUED]
    db.session.commit()
    assert transitions.claim(key, 2, worker="me")
    assert transitions.reclaim_expired(lease_seconds=60, max_fruitless_attempts=2) == []
    db.session.execute(text("update conversions set heartbeat_at = now() - interval '1 hour'"))
    assert [one.status for one in transitions.reclaim_expired(lease_seconds=60, max_fruitless_attempts=2)] == [FAILED]
    db.session.commit()
    assert now(key).reason == "Its worker stopped responding."


def test_a_seller_has_one_conversion_under_way_at_a_time(seller: Seller, other_seller: Seller) -> None:
    keys = [make(seller, QUEUED), make(seller, QUEUED), make(other_seller, QUEUED)]
    waiting = [one.key for one in conversions.find_next_to_dispatch(9)]
    assert waiting == [keys[0], keys[2]]
    assert transitions.dispatch(keys[0], 1)
    assert [one.key for one in conversions.find_next_to_dispatch(9)] == [keys[2]]
    assert transitions.claim(keys[0], 1, worker="me")
    assert transitions.finish(keys[0], 1, _OUTCOME)
    assert [one.key for one in conversions.find_next_to_dispatch(9)] == [keys[1], keys[2]]
