"""Queries on conversions: finding and changing drafts, and what they own in the storage."""

import uuid
from collections.abc import Collection
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import Select, exists, false, func, select

from app.extensions import db
from app.models import Conversion, Import
from app.queries import ConversionKey, ImportKey, change, fetch_as, older_than
from app.queries.status_sets import ACTIVE_CONVERSIONS, CONVERSION_QUEUED, CONVERTED, ITS_UNDOS, KIND_IMPORT
from app.statuses import ACTIVE_CONVERSION_STATUSES, ImportKind

_THIS = "seller_id = %(seller_id)s and id = %(conversion_id)s"
_IS_ITS_IMPORT = (Import.seller_id == Conversion.seller_id) & (Import.conversion_id == Conversion.id)


class WaitingConversion(NamedTuple):
    """A QUEUED conversion, and the attempt under which it waits."""

    key: ConversionKey
    attempt: int


def find(seller_id: int, public_id: uuid.UUID) -> Conversion | None:
    """The seller's conversion with this public id; another seller's is not found."""
    return db.session.scalar(select(Conversion).filter_by(seller_id=seller_id, public_id=public_id))


def find_unfinished(seller_id: int, *, hours: int, limit: int) -> list[Conversion]:
    """The seller's files of these last hours of which nothing was imported or checked yet, the latest first.

    Those that start by themselves once they are converted, and parts of others, are none of them.
    """
    query = select(Conversion).where(
        Conversion.seller_id == seller_id,
        Conversion.used_at.is_(None),
        Conversion.start_as.is_(None),
        Conversion.updated_at > func.now() - timedelta(hours=hours),
        func.coalesce(Conversion.scan["is_part"].as_boolean(), false()).is_(False),
    )
    return list(db.session.scalars(query.order_by(Conversion.updated_at.desc()).limit(limit)))


def find_by_form(seller_id: int, form_key: uuid.UUID) -> Conversion | None:
    """The conversion that was created with this form key."""
    return db.session.scalar(select(Conversion).filter_by(seller_id=seller_id, form_key=form_key))


def find_of_import(key: ImportKey) -> Conversion | None:
    """The conversion that the file of an import comes from; None if it was uploaded in the import format."""
    query = select(Conversion).join(Import, _IS_ITS_IMPORT)
    return db.session.scalar(query.where(Import.seller_id == key.seller_id, Import.id == key.import_id))


def find_of_imports(seller_id: int, public_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Conversion]:
    """The conversions that the files of these imports come from, by the public ids of the imports."""
    query = select(Import.public_id, Conversion).join(Conversion, _IS_ITS_IMPORT)
    rows = db.session.execute(query.where(Import.seller_id == seller_id, Import.public_id.in_(public_ids)))
    return {row.public_id: row.Conversion for row in rows}


def find_import(key: ConversionKey) -> Import | None:
    """The newest import or check of a converted file that its seller has not deleted."""
    return db.session.scalar(_of_conversion(key).limit(1))


def list_imports(key: ConversionKey) -> list[Import]:
    """The imports of a converted file that its seller has not deleted, newest first, without checks."""
    return list(db.session.scalars(_of_conversion(key).where(Import.kind == ImportKind.IMPORT)))


def _of_conversion(key: ConversionKey) -> Select[Import]:
    return select(Import).filter_by(**key._asdict(), deleted_at=None).order_by(Import.id.desc())


def mark_decided(key: ImportKey) -> None:
    """Record that the rows which this import has were decided, for when nothing is left of it, unless it is undone."""
    query = f"""
        update conversions d set scan = d.scan || jsonb_build_object('is_decided', true)
        from imports i join conversions c on c.seller_id = i.seller_id and c.id = i.conversion_id
        where d.seller_id = %(seller_id)s and i.seller_id = %(seller_id)s and i.id = %(import_id)s
          and i.kind = {KIND_IMPORT} and d.id = c.decides and not exists ({ITS_UNDOS})
    """
    change(query, key)


def lock(key: ConversionKey) -> Conversion | None:
    """The conversion as it is now, locked until the end of the transaction; None if it was deleted."""
    return db.session.get(Conversion, tuple(key), with_for_update={"key_share": True}, populate_existing=True)


def find_next_to_dispatch(limit: int) -> list[WaitingConversion]:
    """The conversions to send next, the oldest of each seller who has none under way.

    No more than ``limit`` are under way at a time.
    """
    query = f"""
        select distinct on (seller_id) seller_id, id as conversion_id, attempt from conversions c
        where status = {CONVERSION_QUEUED} and dispatched_at is null
          and {older_than("updated_at", "3.0 * power(greatest(fruitless_attempts - 1, 0), 2)")}
          and not exists (
            select 1 from conversions o where o.seller_id = c.seller_id and o.status in {ACTIVE_CONVERSIONS}
              and o.dispatched_at is not null)
        order by seller_id, id
        limit greatest(0, %(limit)s - (
            select count(*) from conversions where status in {ACTIVE_CONVERSIONS} and dispatched_at is not null))
    """
    return fetch_as(_waiting, query, limit=limit)


def find_dispatched(*, older_than_seconds: float) -> list[WaitingConversion]:
    """The QUEUED conversions whose job was sent to Redis that long ago and has not begun."""
    query = f"""
        select seller_id, id as conversion_id, attempt from conversions
        where status = {CONVERSION_QUEUED} and {older_than("dispatched_at", "%(seconds)s")}
    """
    return fetch_as(_waiting, query, seconds=older_than_seconds)


def _waiting(*, attempt: int, **key: int) -> WaitingConversion:
    return WaitingConversion(ConversionKey(**key), attempt)


def mark_used(key: ConversionKey) -> None:
    """Record that a conversion was imported or checked."""
    change(f"update conversions set used_at = coalesce(used_at, clock_timestamp()) where {_THIS}", key)


def find_to_start() -> list[ConversionKey]:
    """The converted files that are to be imported or checked, and are not yet: the process that converted them died."""
    query = f"""
        select seller_id, id as conversion_id from conversions
        where status = {CONVERTED} and start_as is not null and used_at is null
    """
    return fetch_as(ConversionKey, query)


def note_hindrance(key: ConversionKey, reason: str) -> None:
    """Record why a converted file was not started, unless another process has; it is not tried again by itself."""
    query = f"update conversions set start_as = null, reason = %(reason)s where {_THIS} and used_at is null"
    change(query, key, reason=reason)


def let_go(key: ConversionKey) -> bool:
    """Delete a conversion that is neither under way nor was ever imported or checked. Returns whether it did."""
    query = f"delete from conversions where {_THIS} and used_at is null and status not in {ACTIVE_CONVERSIONS}"
    return change(query, key)


def find_old_drafts(*, days: int, limit: int) -> list[Conversion]:
    """The drafts, and the conversions that were never imported or checked, that nobody has touched for that long."""
    is_over = Conversion.used_at.is_(None) & Conversion.status.not_in(ACTIVE_CONVERSION_STATUSES)
    query = select(Conversion).where(is_over, Conversion.updated_at < func.now() - timedelta(days=days))
    return list(db.session.scalars(query.order_by(Conversion.updated_at).limit(limit)))


def find_without_sources(*, limit: int) -> list[Conversion]:
    """The conversions that still keep their files although no import of them does."""
    keeping = exists().where(_IS_ITS_IMPORT, Import.source_removed_at.is_(None))
    query = select(Conversion).where(Conversion.used_at.is_not(None), Conversion.source_removed_at.is_(None), ~keeping)
    return list(db.session.scalars(query.limit(limit)))


def find_without_imports(*, limit: int) -> list[Conversion]:
    """The conversions whose imports have all been deleted."""
    query = select(Conversion).where(Conversion.used_at.is_not(None), ~exists().where(_IS_ITS_IMPORT))
    return list(db.session.scalars(query.limit(limit)))


def give_up_sources(key: ConversionKey) -> bool:
    """Record that the files of a conversion are deleted, unless an import has come to need them."""
    if lock(key) is None:
        return False
    query = f"""
        update conversions c set source_removed_at = clock_timestamp()
        where {_THIS} and source_removed_at is null and not exists (
            select 1 from imports i where i.seller_id = c.seller_id and i.conversion_id = c.id
              and i.source_removed_at is null)
    """
    return change(query, key)


def drop(key: ConversionKey) -> bool:
    """Delete a conversion whose imports have all been deleted."""
    if lock(key) is None:
        return False
    query = f"""
        delete from conversions c where {_THIS} and not exists (
            select 1 from imports i where i.seller_id = c.seller_id and i.conversion_id = c.id)
    """
    return change(query, key)
