"""When something of a seller's was last used: told to the minute, so that not every use writes."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import InstrumentedAttribute

from app.extensions import db

_TOLD_EVERY_SECONDS = 60

#: The column of a model in which its last use stands; null in some: it never was used.
Column = InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None]


class Key(NamedTuple):
    """The primary key of what is used."""

    seller_id: int
    id: int


def is_noted(used_at: Column) -> ColumnElement[bool]:
    """SQL for: a use now need not be noted, because one of this minute was; null where there never was one."""
    return used_at > func.now() - func.make_interval(0, 0, 0, 0, 0, 0, _TOLD_EVERY_SECONDS)


def note(used_at: Column, key: Key) -> None:
    """Note that a row is used now, unless somebody else holds it, for whom nobody waits."""
    table: Any = used_at.class_
    free = (
        select(table.id).where(table.seller_id == key.seller_id, table.id == key.id).with_for_update(skip_locked=True)
    )
    db.session.execute(
        update(table)
        .where(table.seller_id == key.seller_id, table.id == free.scalar_subquery())
        .values({used_at: func.now()})
    )
