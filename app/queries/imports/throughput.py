"""The batches of an import with the history of their chunks, and its place in the queue."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from app.queries import ImportKey, fetch, fetch_one
from app.queries.imports import lookups
from app.queries.status_sets import GIVEN_UP, QUEUED, WAITS_FOR_NODE

#: Batches are counted up to this number; a larger one would be of no use to the seller.
MOST_COUNTED = 1_000


class Recorded(NamedTuple):
    """The history of an import."""

    #: The database's time, as are all other times here.
    now: datetime
    #: When it became PAUSED and when it went on, in turn.
    pauses: Sequence[datetime]
    batches: Sequence[RecordedBatch]


class RecordedBatch(NamedTuple):
    """A batch and its history."""

    number: int
    first_line: int
    status: str
    total: int
    successful: int
    failed: int
    updated_at: datetime
    #: Why it was given up, or what it waits for, in a sentence; otherwise None.
    reason: str | None
    #: When it was first claimed; None before that.
    started_at: datetime | None
    #: The last heartbeat of its worker.
    heartbeat_at: datetime | None
    #: Tenths of seconds since ``started_at`` and rows, in turn: two numbers for each chunk.
    pace: Sequence[int]


def get(key: ImportKey) -> Recorded:
    """The history of an import that exists."""
    query = f"""
        select clock_timestamp() as now, i.pauses, b.number, b.first_line, b.status, b.total,
            b.created + b.updated + b.unchanged as successful, b.failed, b.updated_at,
            case when {GIVEN_UP} or {WAITS_FOR_NODE} then b.reason end as reason,
            b.started_at, b.heartbeat_at, b.pace
        from imports i join batches b on b.seller_id = i.seller_id and b.import_id = i.id
        where i.seller_id = %(seller_id)s and i.id = %(import_id)s
        order by b.number
    """
    rows = fetch(query, key)
    batches = [RecordedBatch(**{name: getattr(row, name) for name in RecordedBatch._fields}) for row in rows]
    return Recorded(rows[0].now, rows[0].pauses, batches)


def count_before(key: ImportKey) -> int | None:
    """The number of other imports' batches before this import's first waiting one; None after an error.

    Those come first whose jobs wait in Redis already, in the order in which they were sent, and then the others in the
    order of ``lookups.find_next_to_dispatch``. Counts no further than MOST_COUNTED.
    """
    query = f"""
        with mine as (
            select min(dispatched_at) as at from batches
            where seller_id = %(seller_id)s and import_id = %(import_id)s and status = {QUEUED}
        )
        select count(b.number) filter (where mine.at is null or b.dispatched_at < mine.at) as sent_before,
            mine.at is not null as is_sent
        from mine left join batches b on b.status = {QUEUED} and b.dispatched_at is not null
        group by mine.at
    """
    place = fetch_one(query, key)
    if place.is_sent:
        return int(min(place.sent_before, MOST_COUNTED))
    waiting = lookups.find_next_to_dispatch(MOST_COUNTED)
    for turn, one in enumerate(waiting):
        if one.key.of_import == key:
            return int(min(place.sent_before + turn, MOST_COUNTED))
    return MOST_COUNTED if len(waiting) == MOST_COUNTED else None
