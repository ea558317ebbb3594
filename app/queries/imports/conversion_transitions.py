"""Every change of a conversion's status, each an UPDATE that names the status it expects.

A conversion is worked on under an attempt, as a batch is: every return to QUEUED or DRAFT raises it, and a worker of an
older attempt changes nothing any more.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb
from sqlalchemy import Connection

from app.queries import ConversionKey, change, fetch_as, older_than
from app.queries.status_sets import (
    ACTIVE_CONVERSIONS,
    CONVERSION_DRAFT,
    CONVERSION_FAILED,
    CONVERSION_QUEUED,
    CONVERSION_RUNNING,
    CONVERTED,
)
from app.statuses import ConversionStatus, ImportKind

_NOW = "clock_timestamp()"
_THIS = "seller_id = %(seller_id)s and id = %(conversion_id)s"
_THIS_ATTEMPT = f"{_THIS} and status = {CONVERSION_RUNNING} and attempt = %(attempt)s"
_IS_LAST_ATTEMPT = "fruitless_attempts + 1 >= %(max_fruitless_attempts)s"
_AFTER_TROUBLE = f"""
    status = case when {_IS_LAST_ATTEMPT} then {CONVERSION_FAILED} else {CONVERSION_QUEUED} end,
    fruitless_attempts = fruitless_attempts + 1, attempt = attempt + 1, done = 0,
    dispatched_at = null, updated_at = {_NOW}, reason = cast(%(reason)s as text)
"""
_BACK_TO_DRAFT = f"""
    status = {CONVERSION_DRAFT}, attempt = attempt + 1, fruitless_attempts = 0, start_as = null, done = 0,
    dispatched_at = null, reason = null, text_key = null, updated_at = {_NOW}
"""


class Outcome(NamedTuple):
    """What a finished conversion has made of a file; see ``models.Conversion``."""

    rows: int
    converted: int
    added: int
    left_out: int
    undecided: int
    lines: int
    scan: Mapping[str, Any]
    reasons: Mapping[str, int]
    text_key: str
    head_size: int


_OUTCOME = ", ".join(f"{name} = %({name})s" for name in Outcome._fields)


class ReclaimedConversion(NamedTuple):
    """A conversion whose lease had expired, and its new status."""

    key: ConversionKey
    attempt: int
    status: ConversionStatus


def enqueue(key: ConversionKey, *, start_as: ImportKind | None) -> bool:
    """Queue a draft that has a mapping, to be started as ``start_as`` once it is converted."""
    query = f"""
        update conversions set status = {CONVERSION_QUEUED}, start_as = %(start_as)s, done = 0, updated_at = {_NOW}
        where {_THIS} and status = {CONVERSION_DRAFT} and mapping is not null
    """
    return change(query, key, start_as=start_as)


def back_to_draft(key: ConversionKey) -> bool:
    """Make a conversion that is over a draft again. Returns false if it was imported or checked, or is not over."""
    query = f"""
        update conversions set {_BACK_TO_DRAFT}
        where {_THIS} and status in ({CONVERTED}, {CONVERSION_FAILED}) and used_at is null
    """
    return change(query, key)


def cancel(key: ConversionKey) -> bool:
    """Cancel a conversion that waits or is under way; it is a draft again."""
    return change(f"update conversions set {_BACK_TO_DRAFT} where {_THIS} and status in {ACTIVE_CONVERSIONS}", key)


def dispatch(key: ConversionKey, attempt: int) -> bool:
    """Record that the job of a QUEUED conversion is about to be sent to Redis."""
    query = f"""
        update conversions set dispatched_at = {_NOW}
        where {_THIS} and status = {CONVERSION_QUEUED} and attempt = %(attempt)s and dispatched_at is null
    """
    return change(query, key, attempt=attempt)


def undispatch(key: ConversionKey, attempt: int) -> bool:
    """Record that the job of a QUEUED conversion did not reach Redis, or was lost there; it waits again."""
    query = f"""
        update conversions set dispatched_at = null
        where {_THIS} and status = {CONVERSION_QUEUED} and attempt = %(attempt)s
    """
    return change(query, key, attempt=attempt)


def claim(key: ConversionKey, attempt: int, *, worker: str) -> bool:
    """Claim a QUEUED conversion for this attempt and ``worker``."""
    query = f"""
        update conversions set status = {CONVERSION_RUNNING}, heartbeat_at = {_NOW}, updated_at = {_NOW},
            worker = %(worker)s, dispatched_at = coalesce(dispatched_at, {_NOW}), done = 0
        where {_THIS} and status = {CONVERSION_QUEUED} and attempt = %(attempt)s
    """
    return change(query, key, attempt=attempt, worker=worker)


def beat(connection: Connection, key: ConversionKey, attempt: int, *, done: int) -> bool:
    """The heartbeat and the progress of an attempt, in thousandths. Returns false if the attempt is over.

    ``connection`` is not that of the session, which may be in the middle of something.
    """
    query = f"update conversions set heartbeat_at = {_NOW}, done = greatest(done, %(done)s) where {_THIS_ATTEMPT}"
    beaten = connection.exec_driver_sql(query, {**key._asdict(), "attempt": attempt, "done": done})
    return beaten.rowcount == 1


def release(key: ConversionKey, attempt: int) -> bool:
    """Return a running conversion to the queue: its worker is shutting down."""
    query = f"""
        update conversions set status = {CONVERSION_QUEUED}, attempt = attempt + 1, done = 0, dispatched_at = null,
            updated_at = {_NOW}
        where {_THIS_ATTEMPT}
    """
    return change(query, key, attempt=attempt)


def end_attempt(key: ConversionKey, attempt: int, *, reason: str, max_fruitless_attempts: int) -> bool:
    """Return a running conversion to the queue after a failed attempt, or give it up after too many."""
    values = {"attempt": attempt, "reason": reason, "max_fruitless_attempts": max_fruitless_attempts}
    return change(f"update conversions set {_AFTER_TROUBLE} where {_THIS_ATTEMPT}", key, **values)


def finish(key: ConversionKey, attempt: int, outcome: Outcome) -> bool:
    """Make a running conversion CONVERTED. Returns false if the attempt is over: nothing of it counts then."""
    query = f"""
        update conversions set status = {CONVERTED}, {_OUTCOME}, done = 1000, reason = null, updated_at = {_NOW}
        where {_THIS_ATTEMPT}
    """
    values = outcome._asdict() | {"scan": Jsonb(outcome.scan), "reasons": Jsonb(outcome.reasons)}
    return change(query, key, **values, attempt=attempt)


def reclaim_expired(*, lease_seconds: float, max_fruitless_attempts: int) -> list[ReclaimedConversion]:
    """Reclaim the RUNNING conversions whose heartbeat is older than the lease."""
    query = f"""
        update conversions set {_AFTER_TROUBLE}
        where status = {CONVERSION_RUNNING} and {older_than("heartbeat_at", "%(lease_seconds)s")}
        returning seller_id, id as conversion_id, attempt, status
    """
    reason = "Its worker stopped responding."
    values = {"lease_seconds": lease_seconds, "max_fruitless_attempts": max_fruitless_attempts}
    return fetch_as(_reclaimed, query, values, reason=reason)


def _reclaimed(*, attempt: int, status: str, **key: int) -> ReclaimedConversion:
    return ReclaimedConversion(ConversionKey(**key), attempt, ConversionStatus(status))
