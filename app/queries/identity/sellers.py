"""The accounts of sellers and operators."""

from __future__ import annotations

from sqlalchemy import select, text

from app.extensions import db
from app.models import Seller


def find(email: str) -> Seller | None:
    """The seller with exactly this e-mail address, which is kept in lower case."""
    return db.session.scalar(select(Seller).where(Seller.email == email))


def list_all() -> list[Seller]:
    """All sellers by e-mail address."""
    return list(db.session.scalars(select(Seller).order_by(Seller.email)))


def lock(seller_id: int) -> None:
    """Let nobody else count what this seller has, in order to add to it, before this transaction ends."""
    db.session.execute(text("select 1 from sellers where id = :id for no key update"), {"id": seller_id})
