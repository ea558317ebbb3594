"""The accounts of sellers and operators."""

from sqlalchemy import select

from app.extensions import db
from app.models import Seller
from app.queries import execute


def find(email: str) -> Seller | None:
    """The seller with exactly this email address, which is stored in lower case."""
    return db.session.scalar(select(Seller).where(Seller.email == email))


def list_all() -> list[Seller]:
    """All sellers, ordered by email address."""
    return list(db.session.scalars(select(Seller).order_by(Seller.email)))


def lock(seller_id: int) -> None:
    """Lock the seller's row, so that no other transaction checks a limit of this seller before this one ends."""
    execute("select 1 from sellers where id = %(id)s for no key update", id=seller_id)
