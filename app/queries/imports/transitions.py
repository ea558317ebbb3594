"""Every change of a status, each an UPDATE that names the status it expects.

An import's row is locked before its batches, and a chunk locks its own batch only, so that no two transactions wait for
each other in a circle. Times are the database's own: hosts need not agree on the clock.

When an import gets a status that sellers are notified of, the same transaction writes the messages into the outbox.
"""

from typing import Any, NamedTuple

from psycopg.rows import namedtuple_row

from app.queries import (
    CHUNK,
    BatchKey,
    ImportKey,
    change,
    commit_together,
    driver_cursor,
    execute,
    fetch,
    fetch_as,
    fetch_value,
    older_than,
)
from app.queries.deliveries import outbox
from app.queries.imports.lookups import IN_TURN, REST_SECONDS, WaitingBatch
from app.queries.items import VERSION
from app.queries.status_sets import (
    ACTIVE_BATCHES,
    CAN_REOPEN,
    COMPLETED,
    CONVERSION_QUEUED,
    GIVEN_UP,
    GIVEN_UP_STATUS,
    IMPORT_COMPLETED,
    IMPORT_FAILED,
    IMPORT_PAUSED,
    IMPORT_RUNNING,
    IMPORT_TERMINATED,
    LIVE_IMPORTS,
    PAUSED,
    QUEUED,
    RUNNING,
    TERMINATED,
    UNFINISHED_BATCHES,
)
from app.statuses import BatchStatus, ImportKind, ImportStatus

_NOW = "clock_timestamp()"
_THIS_IMPORT = "i.seller_id = %(seller_id)s and i.id = %(import_id)s"
#: Drawn when all chunks of an import are committed and no other can be; see ``Import.end_number``.
_END_NUMBER = "nextval(pg_get_serial_sequence('imports', 'id'))"
_ITS_BATCHES = "b.seller_id = %(seller_id)s and b.import_id = %(import_id)s"
_THIS_BATCH = f"{_ITS_BATCHES} and b.number = %(number)s"
_THIS_ATTEMPT = f"{_THIS_BATCH} and b.status = {RUNNING} and b.attempt = %(attempt)s"
_PAUSED = f"status = {PAUSED}, dispatched_at = null, updated_at = {_NOW}"
_QUEUED_AGAIN = f"status = {QUEUED}, attempt = b.attempt + 1, dispatched_at = null, updated_at = {_NOW}"

#: Maximum number of pauses in an import's history; further ones take effect, but are not recorded.
_PAUSES_NOTED = 100

#: A chunk records its time and its rows in the batch's row, which it writes anyway: the history costs no statement and
#: no lock. It is bounded, because chunks have a minimum size.
_PACE = f"""
    b.pace || array[
        greatest(0, least(extract(epoch from {_NOW} - b.started_at) * 10, 2147483647))::int,
        %(created)s + %(updated)s + %(unchanged)s + %(failed)s]
"""

_IS_LAST_ATTEMPT = "b.fruitless_attempts + 1 >= %(max_fruitless_attempts)s"
_AFTER_TROUBLE = f"""
    status = case when {_IS_LAST_ATTEMPT} then {GIVEN_UP_STATUS} else {QUEUED} end,
    finished_at = case when {_IS_LAST_ATTEMPT} then {_NOW} end,
    fruitless_attempts = b.fruitless_attempts + 1,
    attempt = b.attempt + 1,
    dispatched_at = null, updated_at = {_NOW}, reason = cast(%(reason)s as text)
"""
#: Records the attempts that ``ended``; their numbers are one less than the batches' present ones.
_REMEMBER = f"""
    insert into lost_attempts (seller_id, import_id, number, attempt, at, worker, reason, detail, is_given_up)
    select seller_id, import_id, number, attempt - 1, {_NOW}, worker, reason, %(detail)s, status = {GIVEN_UP_STATUS}
    from ended
    on conflict (seller_id, import_id, number, attempt) do update set at = excluded.at
"""


class Claim(NamedTuple):
    """A claimed batch, with what its job needs."""

    kind: ImportKind
    #: The import that it undoes, for an undo.
    parent_id: int | None
    storage_key: str
    #: The header line of the file.
    header: str
    cursor: int
    cursor_line: int
    end_byte: int
    #: See ``queries.items.version``.
    catalog_version: str
    #: How the digests of its ``listings.values_before`` are made.
    digest_format: int
    #: Seconds since it could have been claimed.
    waited_seconds: float


class Fence(NamedTuple):
    """The state of a batch that a chunk has locked and may write."""

    cursor: int
    is_pausing: bool


class Advance(NamedTuple):
    """The progress that a chunk makes in its batch."""

    cursor: int
    cursor_line: int
    created: int
    updated: int
    unchanged: int
    failed: int


class Reclaimed(NamedTuple):
    """A batch whose lease had expired, and its new status."""

    key: BatchKey
    attempt: int
    status: BatchStatus


# Imports --------------------------------------------------------------------------------------------------------------


def request_pause(key: ImportKey) -> bool:
    """Mark a running import as pausing. Returns false if it is not running or is already pausing."""
    query = f"""
        update imports i set pause_requested_at = {_NOW}
        where {_THIS_IMPORT} and i.status = {IMPORT_RUNNING} and i.pause_requested_at is null
    """
    return change(query, key)


def settle_pause(key: ImportKey) -> bool:
    """Make a pausing import PAUSED once none of its batches is running. Returns whether it did.

    QUEUED batches are paused with it, also those that returned to the queue since Pause was pressed.
    """
    query = f"""
        select 1 from imports i
        where {_THIS_IMPORT} and i.status = {IMPORT_RUNNING} and i.pause_requested_at is not null
        for no key update
    """
    if not fetch(query, key):
        return False
    change(f"update batches b set {_PAUSED} where {_ITS_BATCHES} and b.status = {QUEUED}", key)
    query = f"""
        update imports i set status = {IMPORT_PAUSED}, pause_requested_at = null,
            pauses = case when cardinality(i.pauses) < %(noted)s then i.pauses || {_NOW} else i.pauses end
        where {_THIS_IMPORT} and i.status = {IMPORT_RUNNING}
          and exists (select 1 from batches b where {_ITS_BATCHES} and b.status = {PAUSED})
          and not exists (select 1 from batches b where {_ITS_BATCHES} and b.status in {ACTIVE_BATCHES})
    """
    is_paused = change(query, key, noted=2 * _PAUSES_NOTED)
    if is_paused:
        outbox.enqueue_notifications(key, ImportStatus.PAUSED)
    return is_paused


def resume(key: ImportKey) -> bool:
    """Resume a paused import: its paused batches become QUEUED under a new attempt."""
    query = f"""
        update imports i set status = {IMPORT_RUNNING},
            pauses = case when cardinality(i.pauses) %% 2 = 1 then i.pauses || {_NOW} else i.pauses end
        where {_THIS_IMPORT} and i.status = {IMPORT_PAUSED}
    """
    if not change(query, key):
        return False
    change(f"update batches b set {_QUEUED_AGAIN} where {_ITS_BATCHES} and b.status = {PAUSED}", key)
    return True


def terminate(key: ImportKey, *, is_unseen: bool = False) -> bool:
    """Terminate an import and every batch of it that is not over; ``is_unseen`` if its seller has not done it.

    This waits for chunks in progress. Once it is committed, every later chunk fails at its fence.
    """
    query = f"""
        update imports i set status = {IMPORT_TERMINATED}, finished_at = {_NOW}, pause_requested_at = null,
            is_unseen = cast(%(is_unseen)s as boolean)
        where {_THIS_IMPORT} and i.status in {LIVE_IMPORTS}
    """
    if not change(query, key, is_unseen=is_unseen):
        return False
    query = f"""
        update batches b set status = {TERMINATED}, finished_at = {_NOW}, updated_at = {_NOW}
        where {_ITS_BATCHES} and b.status in {UNFINISHED_BATCHES}
    """
    change(query, key)
    # Only now: until the batches were locked, chunks could still be committed.
    change(f"update imports i set end_number = {_END_NUMBER} where {_THIS_IMPORT}", key)
    outbox.enqueue_notifications(key, ImportStatus.TERMINATED)
    return True


def settle_finished(key: ImportKey) -> ImportStatus | None:
    """Make an import COMPLETED or FAILED once every batch has finished; the new status if this did it.

    It is FAILED where a row failed or a batch was given up.
    """
    query = f"""
        update imports i set
            status = case
                when exists (select 1 from batches b where {_ITS_BATCHES} and (b.failed > 0 or {GIVEN_UP}))
                then {IMPORT_FAILED} else {IMPORT_COMPLETED} end,
            finished_at = {_NOW}, end_number = {_END_NUMBER}, pause_requested_at = null, is_unseen = true
        where {_THIS_IMPORT} and i.status = {IMPORT_RUNNING}
          and not exists (
            select 1 from batches b where {_ITS_BATCHES} and b.status in {UNFINISHED_BATCHES})
        returning i.status
    """
    settled = fetch_value(query, key)
    if settled is None:
        return None
    status = ImportStatus(settled)
    outbox.enqueue_notifications(key, status)
    return status


# Batches --------------------------------------------------------------------------------------------------------------


def dispatch_next(window: int) -> list[WaitingBatch]:
    """Record that the jobs of the next QUEUED batches are about to be sent to Redis; the batches, in turn.

    They are as many as leave ``window`` jobs there, those of conversions included. One that another process writes is
    left out. The caller's commit does not wait for the disk: a batch of which this is forgotten is sent again.
    """
    query = f"""
        with next as (
            select *, row_number() over () as place from ({IN_TURN} limit greatest(0, %(window)s
                - (select count(*) from batches where status = {QUEUED} and dispatched_at is not null)
                - (select count(*) from conversions
                   where status = {CONVERSION_QUEUED} and dispatched_at is not null))) as in_turn
        ), free as (
            select b.seller_id, b.import_id, b.number, next.place from batches b join next on
                b.seller_id = next.seller_id and b.import_id = next.import_id and b.number = next.number
            where b.status = {QUEUED} and b.attempt = next.attempt and b.dispatched_at is null
            for no key update of b skip locked
        )
        update batches b set dispatched_at = {_NOW} from free
        where b.seller_id = free.seller_id and b.import_id = free.import_id and b.number = free.number
        returning free.place, b.seller_id, b.import_id, b.number, b.attempt,
            set_config('synchronous_commit', 'off', true)
    """
    rows = fetch(query, window=window, rest_seconds=REST_SECONDS)
    in_turn = sorted(rows, key=lambda row: row.place)
    return [WaitingBatch(BatchKey(row.seller_id, row.import_id, row.number), row.attempt) for row in in_turn]


def undispatch(key: BatchKey, attempt: int) -> bool:
    """Record that the job of a QUEUED batch did not reach Redis, or was lost there; the batch waits again."""
    query = f"""
        update batches b set dispatched_at = null
        where {_THIS_BATCH} and b.status = {QUEUED} and b.attempt = %(attempt)s
    """
    return change(query, key, attempt=attempt)


def claim(key: BatchKey, attempt: int, *, worker: str | None = None) -> Claim | None:
    """Claim a QUEUED batch of a running import for this attempt and ``worker``; None if that is not possible."""
    query = f"""
        update batches b set status = {RUNNING}, heartbeat_at = {_NOW}, updated_at = {_NOW},
            started_at = coalesce(b.started_at, {_NOW}), worker = cast(%(worker)s as text)
        from imports i, batches was
        where {_THIS_BATCH} and {_THIS_IMPORT} and b.status = {QUEUED} and b.attempt = %(attempt)s
          and i.status = {IMPORT_RUNNING} and i.pause_requested_at is null
          and was.seller_id = %(seller_id)s and was.import_id = %(import_id)s and was.number = %(number)s
        returning i.kind, i.parent_id, i.storage_key, i.header, b.cursor, b.cursor_line, b.end_byte,
            {VERSION} as catalog_version, i.digest_format,
            greatest(extract(epoch from {_NOW} - was.updated_at), 0)::float8 as waited_seconds
    """
    row = _fetch(query, key, attempt=attempt, worker=worker)
    return None if row is None else Claim(**{**row._asdict(), "kind": ImportKind(row.kind)})


def lock_for_chunk(key: BatchKey, attempt: int) -> Fence | None:
    """The fence: lock the batch if it is still RUNNING under this attempt; None means that nothing may be written.

    For the rest of the transaction the session has the application_name ``CHUNK``, so that the reconciler can end it
    when it outlives the lease.
    """
    query = f"""
        select b.cursor, i.pause_requested_at is not null as is_pausing,
            to_regclass('pg_dist_node') is not null as is_on_cluster, set_config('application_name', %(chunk)s, true)
        from batches b join imports i on i.seller_id = b.seller_id and i.id = b.import_id
        where {_THIS_ATTEMPT}
        for no key update of b
    """
    row = _fetch(query, key, attempt=attempt, chunk=CHUNK)
    if row is None:
        return None
    if row.is_on_cluster:
        commit_together()
    return Fence(row.cursor, row.is_pausing)


def advance(key: BatchKey, by: Advance) -> BatchStatus:
    """Advance the locked batch, and finish it at the end of its slice. Returns its new status."""
    query = f"""
        update batches b set
            cursor = %(cursor)s, cursor_line = %(cursor_line)s,
            created = b.created + %(created)s, updated = b.updated + %(updated)s,
            unchanged = b.unchanged + %(unchanged)s, failed = b.failed + %(failed)s,
            reversible = b.reversible + %(updated)s,
            pace = {_PACE},
            fruitless_attempts = 0, reason = null, heartbeat_at = {_NOW}, updated_at = {_NOW},
            status = case when %(cursor)s < b.end_byte then b.status else {COMPLETED} end,
            finished_at = case when %(cursor)s < b.end_byte then null else {_NOW} end
        where {_THIS_BATCH} and b.status = {RUNNING}
        returning b.status
    """
    row = _fetch(query, key, **by._asdict())
    return BatchStatus(row.status)


def pause_batch(key: BatchKey, attempt: int) -> bool:
    """Stop a running batch at its cursor because its import is pausing."""
    query = f"""
        update batches b set {_PAUSED} from imports i
        where {_THIS_ATTEMPT} and {_THIS_IMPORT} and i.pause_requested_at is not null
    """
    return change(query, key, attempt=attempt)


def release(key: BatchKey, attempt: int) -> bool:
    """Return a running batch to the queue at its cursor: its worker is shutting down."""
    return change(f"update batches b set {_QUEUED_AGAIN} where {_THIS_ATTEMPT}", key, attempt=attempt)


def wait_for_node(key: BatchKey, attempt: int, *, reason: str) -> bool:
    """Return a running batch to the queue because the database node with its listings is away: no failed attempt."""
    query = f"""
        update batches b set {_QUEUED_AGAIN}, fruitless_attempts = 0, reason = %(reason)s where {_THIS_ATTEMPT}
    """
    return change(query, key, attempt=attempt, reason=reason)


def end_attempt(key: BatchKey, attempt: int, *, reason: str, max_fruitless_attempts: int, detail: str = "") -> bool:
    """Return a running batch to the queue after a failed attempt, or give it up after too many.

    ``reason`` is for the seller, ``detail`` for operators.
    """
    query = f"""
        with ended as (
            update batches b set {_AFTER_TROUBLE} where {_THIS_ATTEMPT}
            returning b.seller_id, b.import_id, b.number, b.attempt, b.worker, b.reason, b.status
        )
        {_REMEMBER}
    """
    return change(
        query, key, attempt=attempt, reason=reason, detail=detail, max_fruitless_attempts=max_fruitless_attempts
    )


def reopen(key: ImportKey) -> int:
    """Requeue the given-up batches of an import at their cursors. Returns their number.

    The import, if it had FAILED, runs again. Nothing is requeued of an import that cannot be reopened.
    """
    query = f"select 1 from imports i where {_THIS_IMPORT} and {CAN_REOPEN} for no key update"
    if not fetch(query, key):
        return 0
    query = f"""
        update batches b set {_QUEUED_AGAIN}, finished_at = null, fruitless_attempts = 0, reason = null
        where {_ITS_BATCHES} and {GIVEN_UP}
    """
    reopened = execute(query, key)
    if reopened:
        query = f"""
            update imports i set status = {IMPORT_RUNNING}, finished_at = null, end_number = null, dealt_with_at = null
            where {_THIS_IMPORT} and i.status = {IMPORT_FAILED}
        """
        change(query, key)
    return reopened


def reclaim_expired(*, lease_seconds: float, max_fruitless_attempts: int) -> list[Reclaimed]:
    """Reclaim the RUNNING batches of all imports whose heartbeat is older than the lease.

    A batch whose row is locked is being written, and is skipped.
    """
    query = f"""
        with lost as (
            select seller_id, import_id, number from batches
            where status = {RUNNING} and {older_than("heartbeat_at", "%(lease_seconds)s")}
            for no key update skip locked
        ), ended as (
            update batches b set {_AFTER_TROUBLE}
            from lost
            where b.seller_id = lost.seller_id and b.import_id = lost.import_id and b.number = lost.number
            returning b.seller_id, b.import_id, b.number, b.attempt, b.worker, b.reason, b.status
        ), remembered as ({_REMEMBER})
        select seller_id, import_id, number, attempt, status from ended
    """
    return fetch_as(
        _reclaimed,
        query,
        lease_seconds=lease_seconds,
        max_fruitless_attempts=max_fruitless_attempts,
        reason="Its worker stopped responding.",
        detail="No heartbeat within the lease.",
    )


def _reclaimed(*, attempt: int, status: str, **key: int) -> Reclaimed:
    return Reclaimed(BatchKey(**key), attempt, BatchStatus(status))


def _fetch(query: str, key: BatchKey, **values: object) -> Any:
    """The only row of a statement, with the columns as attributes; None where it finds none.

    Executed by the driver alone: SQLAlchemy would take three times as long.
    """
    with driver_cursor() as cursor:
        cursor.row_factory = namedtuple_row
        return cursor.execute(query.encode(), {**key._asdict(), **values}).fetchone()
