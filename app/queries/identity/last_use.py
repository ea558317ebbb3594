"""When a token or session was last used, to the minute, so that not every use writes."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import InstrumentedAttribute

from app.extensions import db

_RESOLUTION_SECONDS = 60

#: The column with a model's last use; null where it has never been used.
Column = InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None]


class Key(NamedTuple):
    """The primary key of the row that is used."""

    seller_id: int
    id: int


def is_noted(used_at: Column) -> ColumnElement[bool]:
    """SQL: whether a use within this minute is already noted; null where there never was one."""
    return used_at > func.now() - func.make_interval(0, 0, 0, 0, 0, 0, _RESOLUTION_SECONDS)


def note(used_at: Column, key: Key) -> None:
    """Note that a row is used now, unless another transaction has locked it: that is not waited for."""
    table: Any = used_at.class_
    free = (
        select(table.id).where(table.seller_id == key.seller_id, table.id == key.id).with_for_update(skip_locked=True)
    )
    db.session.execute(
        update(table)
        .where(table.seller_id == key.seller_id, table.id == free.scalar_subquery())
        .values({used_at: func.now()})
    )
