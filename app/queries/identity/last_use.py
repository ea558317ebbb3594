"""When a token or session was last used, to the minute, so that not every use writes."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import InstrumentedAttribute

from app.extensions import db

_RESOLUTION = timedelta(minutes=1)

#: The column with a model's last use; null where it has never been used.
Column = InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None]


class Key(NamedTuple):
    """The primary key of the row that is used."""

    seller_id: int
    id: int


def is_noted(used_at: Column) -> ColumnElement[bool]:
    """SQL: whether a use within this minute is already noted; null where there never was one."""
    return used_at > func.now() - _RESOLUTION


def note(used_at: Column, key: Key) -> None:
    """Note that a row is used now, unless another transaction has locked it: that is not waited for."""
    table: Any = used_at.class_
    free = select(table.id).filter_by(**key._asdict()).with_for_update(skip_locked=True)
    is_free = (table.seller_id == key.seller_id) & (table.id == free.scalar_subquery())
    db.session.execute(update(table).where(is_free).values({used_at: func.now()}))
