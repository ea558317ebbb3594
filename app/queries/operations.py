"""Queries for operators: the imports of all sellers, the queue, the workers, and what went wrong."""

import uuid
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from app.import_fields import ImportState
from app.queries import ImportKey, execute, fetch_as, fetch_value
from app.queries.imports.corrections import find_failed_again
from app.queries.status_sets import (
    ACTIVE_BATCHES,
    CAN_REOPEN,
    GIVEN_UP,
    IMPORT_COMPLETED,
    IMPORT_PAUSED,
    IMPORT_RUNNING,
    ITS_UNDOS,
    LIVE_IMPORTS,
    PAUSED,
    QUEUED,
    RUNNING,
)
from app.statuses import BatchStatus, ImportKind, ImportStatus

_NOW = "clock_timestamp()"
#: A worker without a heartbeat for this long, on a host where others report, has died with its supervisor.
_LEFT_BEHIND_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSeen(ImportState):
    """An import as an operator sees it."""

    seller_id: int
    import_id: int
    email: str
    is_pausing: bool
    queued: int
    running: int
    given_up: int
    #: Since the upload.
    age_seconds: float
    #: From the start of the first batch until now, or until the last change; None before that.
    rows_per_second: float | None
    source_removed: bool
    #: As in ``ImportProgress``.
    is_dealt_with: bool
    dealt_with: int
    is_undone: bool


class Waiting(NamedTuple):
    """The number of waiting batches of RUNNING imports, and since when they wait."""

    #: QUEUED batches; those of them whose jobs were sent to Redis; and those that wait after a failed attempt.
    queued: int
    sent: int
    resting: int
    running: int
    #: How long the oldest batch has waited that is not delayed by a failed attempt; None without one.
    oldest_seconds: float | None


class SellerWaiting(NamedTuple):
    """The number of waiting batches of one seller."""

    email: str
    batches: int


class Worker(NamedTuple):
    """A worker process, and the batch that it has claimed."""

    host: str
    pid: int
    started_at: datetime
    silent_seconds: float
    public_id: uuid.UUID | None
    number: int | None


class Reconciler(NamedTuple):
    """When the reconciler last ran, and the totals of its repairs."""

    silent_seconds: float | None
    batches_reclaimed: int
    jobs_lost: int
    imports_settled: int
    transactions_ended: int
    #: Why its workers cannot send jobs to Redis, in a sentence; None: they can.
    dispatch_trouble: str | None


class Trouble(NamedTuple):
    """A failed attempt."""

    at: datetime
    public_id: uuid.UUID
    email: str
    file_name: str
    number: int
    attempt: int
    worker: str | None
    reason: str
    detail: str
    is_given_up: bool


class Crashing(NamedTuple):
    """A batch whose attempts keep failing."""

    public_id: uuid.UUID
    email: str
    file_name: str
    number: int
    status: str
    is_given_up: bool
    times: int
    reason: str
    detail: str


class BatchSeen(NamedTuple):
    """A batch as an operator sees it."""

    number: int
    status: BatchStatus
    is_given_up: bool
    total: int
    successful: int
    failed: int
    attempt: int
    worker: str | None
    reason: str | None
    updated_at: datetime


class Entry(NamedTuple):
    """An entry of the audit log."""

    id: int
    at: datetime
    actor_id: int | None
    actor: str
    via: str
    address: str
    action: str
    #: The seller whose import or listing it was.
    email: str
    public_id: uuid.UUID | None
    #: The name of its file; None if it is not about an import, or the import has been deleted.
    file_name: str | None
    detail: str


_IMPORTS = f"""
    select i.seller_id, i.id as import_id, i.public_id, s.email, i.file_name, i.kind, i.status,
        i.pause_requested_at is not null as is_pausing, i.total,
        sum(b.created)::int as created, sum(b.updated)::int as updated, sum(b.unchanged)::int as unchanged,
        sum(b.failed)::int as failed, min(b.started_at) as started_at,
        (count(*) filter (where b.status = {QUEUED}))::int as queued,
        (count(*) filter (where b.status = {RUNNING}))::int as running,
        (count(*) filter (where {GIVEN_UP}))::int as given_up,
        i.created_at, i.finished_at, extract(epoch from {_NOW} - i.created_at)::float8 as age_seconds,
        (sum(b.created + b.updated + b.unchanged + b.failed) / nullif(extract(epoch from
            coalesce(i.finished_at, case i.status when {IMPORT_RUNNING} then {_NOW} end, max(b.updated_at))
            - min(b.started_at)), 0))::float8 as rows_per_second,
        i.source_removed_at is not null as source_removed, i.dealt_with_at is not null as is_dealt_with,
        coalesce((select taken + left_out from fixings f where f.seller_id = i.seller_id and f.import_id = i.id), 0)
            as dealt_with,
        exists ({ITS_UNDOS} and u.status = {IMPORT_COMPLETED}) as is_undone
    from imports i
    join sellers s on s.id = i.seller_id
    join batches b on b.seller_id = i.seller_id and b.import_id = i.id
    where {{condition}}
    group by i.seller_id, i.id, s.email
"""


def list_live(*, limit: int) -> list[ImportSeen]:
    """The imports of all sellers that are not over, oldest first."""
    return _imports(f"i.status in {LIVE_IMPORTS}", "i.id", limit=limit)


def list_ended(*, limit: int) -> list[ImportSeen]:
    """The imports that ended last, newest first."""
    last = "select seller_id, id from imports where finished_at is not null order by finished_at desc limit %(limit)s"
    return _imports(f"(i.seller_id, i.id) in ({last})", "i.finished_at desc", limit=limit)


def list_given_up(*, limit: int) -> list[ImportSeen]:
    """The imports of which batches were given up and can be tried again, newest first; checks excluded."""
    condition = f"""
        {CAN_REOPEN}
        and exists (select from batches b where b.seller_id = i.seller_id and b.import_id = i.id and {GIVEN_UP})
    """
    return _imports(condition, "i.id desc", limit=limit)


def find_import(public_id: uuid.UUID) -> ImportSeen | None:
    """The import with this public id, of any seller."""
    found = _imports("i.public_id = %(public_id)s", "i.id", limit=1, public_id=public_id)
    return found[0] if found else None


def _imports(condition: str, order: str, *, limit: int, **values: object) -> list[ImportSeen]:
    query = f"{_IMPORTS.format(condition=condition)} order by {order} limit %(limit)s"
    found = fetch_as(_seen, query, limit=limit, **values)
    of_seller: defaultdict[int, list[int]] = defaultdict(list)
    for one in found:
        if one.dealt_with:
            of_seller[one.seller_id].append(one.import_id)
    again = {import_id: of for each in of_seller.items() for import_id, of in find_failed_again(*each).items()}
    return [
        replace(one, dealt_with=one.dealt_with - sum(each.open for each in again.get(one.import_id, ())))
        for one in found
    ]


def _seen(*, kind: str, status: str, **others: Any) -> ImportSeen:
    return ImportSeen(kind=ImportKind(kind), status=ImportStatus(status), **others)


def count_waiting() -> Waiting:
    """The length of the queue, from the database alone."""
    query = f"""
        select (count(*) filter (where b.status = {QUEUED}))::int as queued,
            (count(*) filter (where b.status = {QUEUED} and b.dispatched_at is not null))::int as sent,
            (count(*) filter (where b.status = {QUEUED} and b.fruitless_attempts > 1))::int as resting,
            (count(*) filter (where b.status = {RUNNING}))::int as running,
            extract(epoch from {_NOW} - min(b.updated_at)
                filter (where b.status = {QUEUED} and b.fruitless_attempts <= 1))::float8 as oldest_seconds
        from batches b join imports i on i.seller_id = b.seller_id and i.id = b.import_id
        where b.status in {ACTIVE_BATCHES} and i.status = {IMPORT_RUNNING}
    """
    return fetch_as(Waiting, query)[0]


def count_waiting_by_seller(*, limit: int) -> list[SellerWaiting]:
    """Numbers of waiting batches by seller, largest first."""
    query = f"""
        select s.email, count(*)::int as batches
        from batches b join imports i on i.seller_id = b.seller_id and i.id = b.import_id
        join sellers s on s.id = b.seller_id
        where b.status = {QUEUED} and i.status = {IMPORT_RUNNING}
        group by s.email order by batches desc, s.email limit %(limit)s
    """
    return fetch_as(SellerWaiting, query, limit=limit)


def count_paused() -> int:
    """The number of batches that are paused until Resume is pressed."""
    query = f"""
        select count(*) from batches b join imports i on i.seller_id = b.seller_id and i.id = b.import_id
        where i.status = {IMPORT_PAUSED} and b.status = {PAUSED}
    """
    return int(fetch_value(query))


def count_given_up() -> int:
    """The number of given-up batches of all imports."""
    return int(fetch_value(f"select count(*) from batches b where {GIVEN_UP}"))


def list_workers() -> list[Worker]:
    """All workers that have not shut down cleanly, by host."""
    query = f"""
        select w.host, w.pid, w.started_at, extract(epoch from {_NOW} - w.heartbeat_at)::float8 as silent_seconds,
            i.public_id, b.number
        from workers w
        left join batches b on b.status = {RUNNING} and b.worker = w.host || ':' || w.pid
        left join imports i on i.seller_id = b.seller_id and i.id = b.import_id
        order by w.host, w.pid, i.id, b.number
    """
    return fetch_as(Worker, query)


def get_reconciler() -> Reconciler:
    """The state of the reconciler."""
    query = f"""
        select extract(epoch from {_NOW} - last_run_at)::float8 as silent_seconds,
            batches_reclaimed + batches_taken_back as batches_reclaimed, jobs_lost, imports_settled,
            transactions_ended, dispatch_trouble
        from reconciler where id = 1
    """
    return fetch_as(Reconciler, query)[0]


def list_troubles(*, limit: int, key: ImportKey | None = None) -> list[Trouble]:
    """The failed attempts of one import or of all, newest first."""
    query = f"""
        select l.at, i.public_id, s.email, i.file_name, l.number, l.attempt, l.worker, l.reason, l.detail,
            l.is_given_up
        from lost_attempts l
        join imports i on i.seller_id = l.seller_id and i.id = l.import_id
        join sellers s on s.id = l.seller_id
        {"where l.seller_id = %(seller_id)s and l.import_id = %(import_id)s" if key else ""}
        order by l.at desc limit %(limit)s
    """
    return fetch_as(Trouble, query, key, limit=limit)


def list_crashing(*, times: int, hours: float, limit: int) -> list[Crashing]:
    """The batches, active or given up, with at least this many failed attempts lately, most failures first."""
    query = f"""
        select i.public_id, s.email, i.file_name, b.number, b.status, {GIVEN_UP} as is_given_up,
            count(*)::int as times, (array_agg(l.reason order by l.attempt desc))[1] as reason,
            (array_agg(l.detail order by l.attempt desc))[1] as detail
        from lost_attempts l
        join batches b on b.seller_id = l.seller_id and b.import_id = l.import_id and b.number = l.number
        join imports i on i.seller_id = l.seller_id and i.id = l.import_id
        join sellers s on s.id = l.seller_id
        where l.at > {_NOW} - make_interval(secs => %(seconds)s)
          and (b.status in {ACTIVE_BATCHES} or {GIVEN_UP})
        group by i.seller_id, i.id, s.email, b.seller_id, b.import_id, b.number
        having count(*) >= %(times)s
        order by count(*) desc, i.id, b.number limit %(limit)s
    """
    return fetch_as(Crashing, query, times=times, seconds=hours * 3600, limit=limit)


def list_batches(key: ImportKey) -> list[BatchSeen]:
    """The batches of an import in the order of the file."""
    query = f"""
        select number, status, {GIVEN_UP} as is_given_up, total, created + updated + unchanged as successful,
            failed, attempt, worker, reason, updated_at
        from batches b where seller_id = %(seller_id)s and import_id = %(import_id)s order by number
    """
    return [one._replace(status=BatchStatus(one.status)) for one in fetch_as(BatchSeen, query, key)]


def list_audit(*, limit: int, before: int | None = None, public_id: uuid.UUID | None = None) -> list[Entry]:
    """The audit log, newest first: of one import or of all, only entries older than ``before``."""
    conditions = ["true"]
    conditions += ["a.public_id = %(public_id)s"] if public_id else []
    conditions += ["a.id < %(before)s"] if before is not None else []
    query = f"""
        select a.id, a.at, a.actor_id, a.actor, a.via, a.address, a.action, coalesce(s.email, '') as email, a.public_id,
            i.file_name, a.detail
        from audit_log a left join sellers s on s.id = a.seller_id
        left join imports i on i.seller_id = a.seller_id and i.public_id = a.public_id
        where {" and ".join(conditions)} order by a.id desc limit %(limit)s
    """
    return fetch_as(Entry, query, limit=limit, before=before, public_id=public_id)


def note_workers(host: str, pids: Collection[int], *, gone: Collection[int] = ()) -> None:
    """Note that workers of a host are alive, and that others are ``gone``.

    Each supervisor of a host reports its own workers. Those of a dead supervisor are deleted when they become silent.
    """
    query = f"""
        delete from workers where host = %(host)s and (pid = any(cast(%(gone)s as int[]))
            or heartbeat_at < {_NOW} - make_interval(secs => %(seconds)s) and %(is_alive)s)
    """
    execute(query, host=host, gone=list(gone), seconds=_LEFT_BEHIND_SECONDS, is_alive=bool(pids))
    query = f"""
        insert into workers (host, pid) select %(host)s, unnest(cast(%(pids)s as int[]))
        on conflict (host, pid) do update set heartbeat_at = {_NOW}
    """
    execute(query, host=host, pids=list(pids))


def forget_workers(*, silent_seconds: float) -> None:
    """Delete the workers of hosts that have not reported for this long."""
    query = f"delete from workers where heartbeat_at < {_NOW} - make_interval(secs => %(seconds)s)"
    execute(query, seconds=silent_seconds)


def forget_troubles(*, days: float) -> None:
    """Delete failed attempts that are older."""
    query = f"delete from lost_attempts where at < {_NOW} - make_interval(secs => %(seconds)s)"
    execute(query, seconds=days * 86_400)
