"""Queries on imports and their batches, for pages, the dispatcher and the reconciler."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Exists, Row, ScalarSelect, Select, case, exists, func, or_, select, tuple_, update
from sqlalchemy.orm import Bundle, InstrumentedAttribute, aliased

from app.extensions import db
from app.models import Batch, Conversion, Fixing, Import
from app.queries import BatchKey, ImportKey, execute, fetch_as, fetch_one, fetch_value, older_than
from app.queries.imports import corrections
from app.queries.imports.corrections import NOTHING_DONE, FailedAgain, Standing
from app.queries.status_sets import (
    ACTIVE_BATCHES,
    IMPORT_FAILED,
    IMPORT_RUNNING,
    IMPORT_TERMINATED,
    KIND_IMPORT,
    KIND_UNDO,
    QUEUED,
    UNFINISHED_BATCHES,
    WAITS_FOR_NODE,
)
from app.statuses import ImportKind, ImportStatus, RetriedRows

#: How long a batch waits after consecutive failed attempts: not at all after the first, because mostly a worker has
#: died and another can continue at once; then this times 1, 4, 9, so that five attempts outlast a storage or database
#: that is away for half a minute.
REST_SECONDS = 3.0
#: How long it waits for a database node that was away.
_NODE_REST_SECONDS = 10.0
_REST = f"""
    case when {WAITS_FOR_NODE} then {_NODE_REST_SECONDS}
        else %(rest_seconds)s * power(greatest(b.fruitless_attempts - 1, 0), 2) end
"""
#: Not deleted by its seller.
_IS_THERE = Import.deleted_at.is_(None)
#: The rows of a foreign file that nobody has decided about, unless the import that has had them was deleted since.
_UNDECIDED = case((Conversion.scan["is_decided"].as_boolean(), 0), else_=Conversion.undecided)
#: SQL: whether any import of the seller is running.
_HAS_RUNNING = f"exists (select from imports where seller_id = %(seller_id)s and status = {IMPORT_RUNNING})"
_IS_ITS_CONVERSION = (Conversion.seller_id == Import.seller_id) & (Conversion.id == Import.conversion_id)


class ImportFilter(NamedTuple):
    """A filter for a seller's imports; fields that are None or empty match everything."""

    #: Each must occur in the name of the file, or in that which its seller gave the import, in any case.
    words: tuple[str, ...] = ()
    status: ImportStatus | None = None
    kind: ImportKind | None = None
    #: Only imports that need their seller: paused, or with failed rows that have neither been retried nor dealt with,
    #: or with rows of a foreign file that nobody has decided about.
    needs_attention: bool = False
    #: Only imports that have ended since their seller last looked.
    is_unseen: bool = False


#: Every import.
ANY = ImportFilter()


class WithCounters(NamedTuple):
    """An import with the sums of its batches' counters."""

    of: Import
    created: int
    updated: int
    unchanged: int
    failed: int
    #: When its first batch was claimed; None before that.
    started_at: datetime | None
    #: When any of its batches last changed.
    updated_at: datetime
    #: The public id of the conversion that its file comes from; None for a file in the import format.
    conversion: uuid.UUID | None
    #: Rows of the foreign file that were left out of it, and those of them that nobody decided about.
    left_out: int
    undecided: int
    #: The public id of the import that has rows which were left out or open, since they were decided.
    decided_as: uuid.UUID | None
    #: How far its failed rows are corrected.
    fixed: Standing
    #: Whether all that could be undone of it is; None: it has no undo.
    is_undone: bool | None
    #: Where its failed rows have failed again.
    failed_again: Sequence[FailedAgain] = ()

    @property
    def not_processed(self) -> int:
        """Rows that are not processed yet, or never will be."""
        return self.of.total - self.created - self.updated - self.unchanged - self.failed


class WaitingBatch(NamedTuple):
    """A QUEUED batch, and the attempt under which it waits."""

    key: BatchKey
    attempt: int


class Source(NamedTuple):
    """The file of an import."""

    #: Its header line as in the file, with its byte-order mark and line ending.
    header: str
    storage_key: str
    sha256: bytes
    kind: ImportKind
    #: See ``models.Import``.
    digest_format: int


class ImportNotFound(Exception):
    """The seller has no such import."""


def get_key(seller_id: int, public_id: uuid.UUID) -> ImportKey:
    """The key of the seller's import with this public id. Raises ImportNotFound, also for another seller's import."""
    query = select(Import.id).where(Import.seller_id == seller_id, Import.public_id == public_id, _IS_THERE)
    found = db.session.scalar(query)
    if found is None:
        raise ImportNotFound
    return ImportKey(seller_id, found)


def find_of_any_seller(public_id: uuid.UUID) -> Import | None:
    """The import with this public id, of any seller: for operators only."""
    return db.session.scalar(select(Import).where(Import.public_id == public_id))


class SentInDay(NamedTuple):
    """A seller's usage in the last 24 hours, including checks, retries and repeated imports; undos bring no file."""

    #: Foreign files that have become an import are counted as imports.
    files: int
    rows: int
    #: A foreign file counts as it came and once more as it is imported, because both are stored.
    bytes: int


def count_day(seller_id: int) -> SentInDay:
    """The usage of a seller in the last 24 hours."""
    # A retry shares the foreign file of the conversion before it.
    query = f"""
        select i.files + c.files, i.rows, i.bytes + c.bytes from (
            select count(*) as files, coalesce(sum(total), 0) as rows, coalesce(sum(file_size), 0) as bytes
            from imports
            where seller_id = %(seller_id)s and created_at > now() - interval '1 day' and kind <> {KIND_UNDO}
        ) i, (
            select count(*) filter (where used_at is null) as files, coalesce(sum(file_size), 0) as bytes
            from conversions
            where seller_id = %(seller_id)s and created_at > now() - interval '1 day'
              and storage_key = concat(seller_id, '/', public_id, '.source')
        ) c
    """
    return SentInDay(*map(int, fetch_one(query, seller_id=seller_id)))


def get_with_counters(seller_id: int, public_id: uuid.UUID) -> WithCounters:
    """The seller's import with its counters. Raises ImportNotFound, also for another seller's import."""
    query = _with_counters().where(Import.seller_id == seller_id, Import.public_id == public_id)
    found = _list(query)
    if not found:
        raise ImportNotFound
    return found[0]


def get_source(key: ImportKey) -> Source:
    """The file of an import that exists. Raises NoResultFound for any other."""
    query = select(*(getattr(Import, name) for name in Source._fields)).where(
        Import.seller_id == key.seller_id, Import.id == key.import_id
    )
    source = Source(*db.session.execute(query).one())
    return source._replace(kind=ImportKind(source.kind))


def find_retries(key: ImportKey) -> dict[RetriedRows, WithCounters]:
    """The retries of this import, by the rows that each has."""
    return {RetriedRows(str(one.of.retried_rows)): one for one in _list_children(key)}


def find_undo(key: ImportKey) -> WithCounters | None:
    """The latest undo of this import."""
    found = _list_children(key, Import.kind == ImportKind.UNDO)
    return found[-1] if found else None


def find_undone(key: ImportKey) -> Import | None:
    """The import that this one undoes, if it is an undo."""
    undo = aliased(Import)
    query = select(Import).join(undo, tuple_(Import.seller_id, Import.id) == tuple_(undo.seller_id, undo.parent_id))
    of_undo = (undo.seller_id == key.seller_id, undo.id == key.import_id, undo.kind == ImportKind.UNDO)
    return db.session.scalar(query.where(*of_undo))


def list_takers(key: ImportKey) -> list[WithCounters]:
    """The imports that have taken up failed rows of this import, in order."""
    return _list_children(key, Import.retried_rows == RetriedRows.FAILED)


def _list_children(key: ImportKey, *wanted: ColumnElement[bool]) -> list[WithCounters]:
    query = _with_counters().where(Import.seller_id == key.seller_id, Import.parent_id == key.import_id, *wanted)
    return _list(query.order_by(Import.id))


class WithFailed(NamedTuple):
    """An import whose failed rows are stored, and the header of its file."""

    id: int
    header: str


def list_with_failed(seller_id: int, *, fewest: int, most: int, limit: int) -> list[WithFailed]:
    """Those of a seller's newest imports that are over and have so many failed rows, without checks."""
    # Each upload asks. The counters and all else that pages show would take the planner longer than the rest.
    query = f"""
        select n.id, n.header from (
            select id, header from imports where seller_id = %(seller_id)s and kind = {KIND_IMPORT}
              and status in ({IMPORT_FAILED}, {IMPORT_TERMINATED}) and errors_removed_at is null and deleted_at is null
            order by id desc limit %(limit)s
        ) n
        where (select sum(b.failed) from batches b where b.seller_id = %(seller_id)s and b.import_id = n.id)
          between %(fewest)s and %(most)s
        order by n.id desc
    """
    return fetch_as(WithFailed, query, seller_id=seller_id, fewest=fewest, most=most, limit=limit)


def _is_undone(one: type[Import], *statuses: ImportStatus) -> Exists:
    """Whether an import has been undone, if only in part; with ``statuses``, by an undo in one of them."""
    undo = aliased(Import)
    found = exists().where(undo.seller_id == one.seller_id, undo.parent_id == one.id, undo.kind == ImportKind.UNDO)
    return found.where(undo.status.in_(statuses)) if statuses else found


def is_undone(key: ImportKey) -> bool:
    """Whether an import has been undone, if only in part."""
    query = select(_is_undone(Import)).where(Import.seller_id == key.seller_id, Import.id == key.import_id)
    return bool(db.session.scalar(query))


def is_decided(seller_id: int, conversion_id: int, parent_id: int | None = None) -> bool:
    """Whether the rows that an import of a conversion has left open are in another import, which is not undone.

    So it is if that is true of any import that it comes from, the next of which is ``parent_id``.
    """
    of_seller = select(Import.parent_id, Import.conversion_id).where(Import.seller_id == seller_id)
    before = of_seller.where(Import.id == parent_id).cte("before", recursive=True)
    before = before.union(of_seller.where(Import.id == before.c.parent_id))
    ids = select(Conversion.id).where(
        Conversion.seller_id == seller_id,
        or_(Conversion.id == conversion_id, Conversion.id.in_(select(before.c.conversion_id))),
    )
    is_noted = ids.where(Conversion.scan["is_decided"].as_boolean()).exists()
    return bool(db.session.scalar(select(or_(is_noted, _decider(seller_id, ids).exists()))))


def _decided_as() -> ScalarSelect[uuid.UUID]:
    """See ``WithCounters.decided_as``."""
    return _decider(Import.seller_id, [Import.conversion_id]).correlate(Import).scalar_subquery()


def _decider(
    seller_id: int | InstrumentedAttribute[int], conversion_ids: list[InstrumentedAttribute[int | None]] | Select[int]
) -> Select[uuid.UUID]:
    decider, deciding = aliased(Import), aliased(Conversion)
    its = (deciding.seller_id == decider.seller_id) & (deciding.id == decider.conversion_id)
    query = (
        select(decider.public_id)
        .join(deciding, its)
        .where(
            deciding.seller_id == seller_id,
            deciding.decides.in_(conversion_ids),
            decider.kind == ImportKind.IMPORT,
            decider.deleted_at.is_(None),
            ~_is_undone(decider),
        )
    )
    return query.order_by(decider.id.desc()).limit(1)


def find_by_form(seller_id: int, form_key: uuid.UUID) -> Import | None:
    """The import that was created with this form key."""
    return db.session.scalar(select(Import).where(Import.seller_id == seller_id, Import.form_key == form_key))


def lock_file(seller_id: int, sha256: bytes) -> None:
    """Lock this file of the seller until the end of the transaction, so that no other creates an import of it.

    A collision with another file, one in four thousand million, costs a short wait.
    """
    part = int.from_bytes(sha256[:4], signed=True)
    query = "select pg_advisory_xact_lock(cast(%(seller_id)s as int), cast(%(part)s as int))"
    execute(query, seller_id=seller_id, part=part)


def find_same_file(seller_id: int, sha256: bytes) -> list[Import]:
    """The seller's imports of the same file, newest first, without checks and without those that have been undone."""
    return list(db.session.scalars(_of_same_file(select(Import), seller_id, sha256).where(~_is_undone(Import))))


def list_same_file(seller_id: int, sha256: bytes, *, limit: int) -> list[WithCounters]:
    """The seller's newest imports of the same file with their counters, without checks."""
    return _list(_of_same_file(_with_counters(), seller_id, sha256).limit(limit))


def count_same_file(seller_id: int, sha256: bytes) -> int:
    """The number of the seller's imports of the same file, without checks."""
    same = _of_same_file(select(Import.id), seller_id, sha256)
    return db.session.execute(select(func.count()).select_from(same.subquery())).scalar_one()


def _of_same_file(query: Select[Any], seller_id: int, sha256: bytes) -> Select[Any]:
    query = query.where(Import.seller_id == seller_id, Import.sha256 == sha256, Import.kind == ImportKind.IMPORT)
    return query.where(_IS_THERE).order_by(Import.id.desc())


def list_relatives(seller_id: int, ids: Collection[int], parent_ids: Collection[int]) -> list[WithCounters]:
    """The seller's imports with one of ``parent_ids``, and those that have taken up rows of one of ``ids``."""
    related = or_(Import.id.in_(parent_ids), Import.parent_id.in_(ids))
    return _list(_with_counters().where(Import.seller_id == seller_id, related).order_by(Import.id))


def list_kin(key: ImportKey, *, limit: int) -> list[WithCounters]:
    """This import and all that it comes from or that come from it, over any number of retries, oldest first."""
    of_seller = select(Import.id, Import.parent_id).where(Import.seller_id == key.seller_id)
    itself = of_seller.where(Import.id == key.import_id).cte("kin", recursive=True)
    kin = itself.union(of_seller.where(or_(Import.id == itself.c.parent_id, Import.parent_id == itself.c.id)))
    query = _with_counters().where(Import.seller_id == key.seller_id, Import.id.in_(select(kin.c.id)))
    return _list(query.order_by(Import.id).limit(limit))


def count_needing_attention(seller_id: int) -> int:
    """The number of the seller's imports that need attention."""
    query = select(func.count(Import.id)).where(Import.seller_id == seller_id, _IS_THERE)
    count: int = db.session.execute(_matching(query, ImportFilter(needs_attention=True))).scalar_one()
    return count


def list_with_counters(
    seller_id: int, *, limit: int, before: int | None = None, wanted: ImportFilter = ANY
) -> list[WithCounters]:
    """The seller's imports that match ``wanted``, with counters, newest first; only those older than ``before``."""
    # Ids grow with time, so they give both the order of the list and the position in it. They are found before anything
    # is counted: otherwise a filter with few matches would count the batches of all other imports too.
    found = _matching(select(Import.id).where(Import.seller_id == seller_id, _IS_THERE), wanted)
    if before is not None:
        found = found.where(Import.id < before)
    ids = found.order_by(Import.id.desc()).limit(limit)
    return _list(_with_counters().where(Import.seller_id == seller_id, Import.id.in_(ids)).order_by(Import.id.desc()))


def has_running(seller_id: int) -> bool:
    """Whether any import of the seller is running."""
    return bool(fetch_value(f"select {_HAS_RUNNING}", seller_id=seller_id))


def count_unseen(seller_id: int) -> tuple[int, bool]:
    """The number of the seller's imports that have ended since they last looked, and whether any is running."""
    # One statement, because every page asks.
    query = f"""
        select (
            select count(*) from imports where seller_id = %(seller_id)s and is_unseen and deleted_at is null
        ) as unseen, {_HAS_RUNNING} as is_running
    """
    found = fetch_one(query, seller_id=seller_id)
    return found.unseen, found.is_running


def mark_seen(seller_id: int, public_id: uuid.UUID | None = None) -> None:
    """Record that the seller has looked at this import, or at all of theirs."""
    seen = update(Import).where(Import.seller_id == seller_id, Import.is_unseen).values(is_unseen=False)
    db.session.execute(seen if public_id is None else seen.where(Import.public_id == public_id))


def _matching(query: Select[Any], wanted: ImportFilter) -> Select[Any]:
    for word in wanted.words:
        named = (column.icontains(word, autoescape=True) for column in (Import.file_name, Import.name))
        query = query.where(or_(*named))
    if wanted.status is not None:
        query = query.where(Import.status == wanted.status)
    if wanted.kind is not None:
        query = query.where(Import.kind == wanted.kind)
    if wanted.is_unseen:
        query = query.where(Import.is_unseen)
    if wanted.needs_attention:
        heir = aliased(Import)
        is_followed = exists().where(
            heir.seller_id == Import.seller_id, heir.parent_id == Import.id, heir.taken_up_as.is_(None)
        )
        failed = select(func.sum(Batch.failed)).where(Batch.seller_id == Import.seller_id, Batch.import_id == Import.id)
        closed = select(Fixing.taken + Fixing.left_out).where(
            Fixing.seller_id == Import.seller_id, Fixing.import_id == Import.id
        )
        is_settled = func.coalesce(
            closed.correlate(Import).scalar_subquery() >= failed.correlate(Import).scalar_subquery(), False
        )
        has_failed = (Import.status == ImportStatus.FAILED) & (Import.kind == ImportKind.IMPORT)
        is_undecided = (
            exists().where(_IS_ITS_CONVERSION, _UNDECIDED > 0) & _decided_as().is_(None) & ~_is_undone(Import)
        )
        is_undecided &= (Import.kind == ImportKind.IMPORT) & Import.finished_at.is_not(None)
        is_open = ((has_failed & ~is_followed & ~is_settled) | is_undecided) & Import.dealt_with_at.is_(None)
        query = query.where(or_(Import.status == ImportStatus.PAUSED, is_open))
    return query


@cache
def _with_counters() -> Select[Any]:
    # Kept, because to build it takes as long as to execute it.
    return (
        select(
            Import,
            func.coalesce(func.sum(Batch.created), 0).label("created"),
            func.coalesce(func.sum(Batch.updated), 0).label("updated"),
            func.coalesce(func.sum(Batch.unchanged), 0).label("unchanged"),
            func.coalesce(func.sum(Batch.failed), 0).label("failed"),
            func.min(Batch.started_at).label("started_at"),
            func.greatest(func.max(Batch.updated_at), Import.created_at).label("updated_at"),
            Conversion.public_id.label("conversion"),
            func.coalesce(Conversion.left_out + Conversion.undecided, 0).label("left_out"),
            func.coalesce(_UNDECIDED, 0).label("undecided"),
            _decided_as().label("decided_as"),
            Bundle("fixed", *(getattr(Fixing, name) for name in Standing._fields)),
            case((_is_undone(Import), _is_undone(Import, ImportStatus.COMPLETED))).label("is_undone"),
        )
        .join(Batch, tuple_(Batch.seller_id, Batch.import_id) == tuple_(Import.seller_id, Import.id))
        .outerjoin(Conversion, _IS_ITS_CONVERSION)
        .outerjoin(Fixing, tuple_(Fixing.seller_id, Fixing.import_id) == tuple_(Import.seller_id, Import.id))
        .where(_IS_THERE)
        .group_by(Import.seller_id, Import.id, Conversion.seller_id, Conversion.id, Fixing.seller_id, Fixing.import_id)
    )


def _list(query: Select[Any]) -> list[WithCounters]:
    """The imports that are found by a query that begins with ``_with_counters``."""
    found = [_counted(row) for row in db.session.execute(query)]
    # Asked of those alone that have any: most pages need no further statement.
    ids = [one.of.id for one in found if one.fixed.taken]
    again = corrections.find_failed_again(found[0].of.seller_id, ids) if ids else {}
    return [one._replace(failed_again=again.get(one.of.id, ())) for one in found]


def _counted(row: Row[Any]) -> WithCounters:
    counted = (name for name in WithCounters._fields[1:] if name not in WithCounters._field_defaults)
    found = WithCounters(of=row.Import, **{name: getattr(row, name) for name in counted})
    return found._replace(fixed=NOTHING_DONE if row.fixed.version is None else Standing(*row.fixed))


def list_batches(key: ImportKey) -> list[Batch]:
    """All batches of an import in the order of the file."""
    query = select(Batch).where(Batch.seller_id == key.seller_id, Batch.import_id == key.import_id)
    return list(db.session.scalars(query.order_by(Batch.number)))


def find_running() -> list[ImportKey]:
    """The imports that are running."""
    return fetch_as(ImportKey, f"select seller_id, id as import_id from imports where status = {IMPORT_RUNNING}")


#: The batches to send next, round robin over the sellers and, within a seller, over the imports.
#:
#: Batches that are running or already sent count as turns taken, so a new import comes before the next batch of a
#: seller who has many running. A batch waits after each failed attempt, longer each time.
#:
#: Of a seller whose batches wait for a database node, only one is sent at a time: it finds out whether the node is
#: back, and no others keep workers waiting for it.
IN_TURN = f"""
    with live as (
        select b.seller_id, b.import_id, b.number, b.attempt,
               b.status = {QUEUED} and b.dispatched_at is null as waits, {older_than("b.updated_at", _REST)} as rested,
               {WAITS_FOR_NODE} as waits_for_node
        from batches b join imports i on i.seller_id = b.seller_id and i.id = b.import_id
        where b.status in {ACTIVE_BATCHES} and i.status = {IMPORT_RUNNING} and i.pause_requested_at is null
    ), trying as (
        select distinct on (seller_id) seller_id, import_id, number from live
        where waits_for_node order by seller_id, waits, import_id, number
    ), in_import as (
        select *, row_number() over (partition by seller_id, import_id order by waits, number) as turn from live
    ), in_seller as (
        select *, row_number() over (partition by seller_id order by waits, turn, import_id) as seller_turn
        from in_import
    )
    select b.seller_id, b.import_id, b.number, b.attempt from in_seller b left join trying t using (seller_id)
    where b.waits and b.rested and (t.number is null or (t.import_id, t.number) = (b.import_id, b.number))
    order by b.seller_turn, b.import_id, b.number
"""


def find_next_to_dispatch(limit: int) -> list[WaitingBatch]:
    """The first ``limit`` of the batches ``IN_TURN``."""
    return fetch_as(_waiting, f"{IN_TURN} limit %(limit)s", limit=limit, rest_seconds=REST_SECONDS)


def find_dispatched(*, older_than_seconds: float) -> list[WaitingBatch]:
    """The QUEUED batches whose job was sent to Redis that long ago and has not begun."""
    query = f"""
        select seller_id, import_id, number, attempt from batches
        where status = {QUEUED} and {older_than("dispatched_at", "%(seconds)s")}
    """
    return fetch_as(_waiting, query, seconds=older_than_seconds)


def _waiting(*, attempt: int, **key: int) -> WaitingBatch:
    return WaitingBatch(BatchKey(**key), attempt)


def may_settle(key: ImportKey) -> bool:
    """Whether the import is pausing, or has no batch left that still has rows to work on."""
    query = f"""
        select exists (
            select 1 from imports where seller_id = %(seller_id)s and id = %(import_id)s
              and pause_requested_at is not null)
          or not exists (
            select 1 from batches where seller_id = %(seller_id)s and import_id = %(import_id)s
              and status in {UNFINISHED_BATCHES})
    """
    return bool(fetch_value(query, key))
