"""Queries on the mappings that sellers have saved."""

import uuid

from sqlalchemy import select

from app.extensions import db
from app.models import SavedMapping
from app.queries import execute


def list_all(seller_id: int) -> list[SavedMapping]:
    """The seller's mappings by name."""
    return list(db.session.scalars(select(SavedMapping).filter_by(seller_id=seller_id).order_by(SavedMapping.name)))


def find(seller_id: int, public_id: uuid.UUID) -> SavedMapping | None:
    """The seller's mapping with this public id."""
    return db.session.scalar(select(SavedMapping).filter_by(seller_id=seller_id, public_id=public_id))


def find_by_name(seller_id: int, name: str) -> SavedMapping | None:
    """The seller's mapping with this name."""
    return db.session.scalar(select(SavedMapping).filter_by(seller_id=seller_id, name=name))


def find_for_columns(seller_id: int, columns_hash: bytes) -> SavedMapping | None:
    """The seller's mapping for files with these columns that was used last."""
    fitting = select(SavedMapping).filter_by(seller_id=seller_id, columns_hash=columns_hash)
    newest = (SavedMapping.used_at.desc().nulls_last(), SavedMapping.id.desc())
    return db.session.scalar(fitting.order_by(*newest).limit(1))


def mark_used(seller_id: int, name: str) -> None:
    """Record that a mapping was used."""
    query = "update mappings set used_at = clock_timestamp() where seller_id = %(seller_id)s and name = %(name)s"
    execute(query, seller_id=seller_id, name=name)
