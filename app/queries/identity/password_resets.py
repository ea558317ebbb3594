"""The links with which sellers set a new password; only the digests of their secrets are stored."""

from datetime import datetime

from sqlalchemy import delete, func, select

from app.extensions import db
from app.models import PasswordReset, Seller
from app.queries import change

_IS_VALID = PasswordReset.expires_at > func.now()


def add(seller_id: int, digest: bytes, asked_at: datetime, *, valid_seconds: float) -> bool:
    """Add a link that expires ``valid_seconds`` after ``asked_at``. Returns false if that time is over.

    Also deletes the seller's expired links.
    """
    db.session.execute(delete(PasswordReset).filter_by(seller_id=seller_id).where(~_IS_VALID))
    query = """
        insert into password_resets (seller_id, digest, expires_at)
        select %(seller_id)s, %(digest)s, expires_at
        from (select cast(%(asked_at)s as timestamptz) + make_interval(secs => %(valid_seconds)s) as expires_at) as link
        where expires_at > now()
    """
    return change(query, seller_id=seller_id, digest=digest, asked_at=asked_at, valid_seconds=valid_seconds)


def find(digest: bytes) -> Seller | None:
    """The seller of the valid link whose secret has this digest."""
    query = select(Seller).join(PasswordReset, PasswordReset.seller_id == Seller.id)
    return db.session.scalar(query.where(PasswordReset.digest == digest, _IS_VALID))


def take(digest: bytes) -> Seller | None:
    """Delete the valid link whose secret has this digest, and return its seller: of two requests one gets it."""
    taken = delete(PasswordReset).where(PasswordReset.digest == digest, _IS_VALID)
    seller_id = db.session.scalar(taken.returning(PasswordReset.seller_id))
    return None if seller_id is None else db.session.get_one(Seller, seller_id)


def delete_all_of(seller_id: int) -> None:
    """Delete all links of a seller."""
    db.session.execute(delete(PasswordReset).filter_by(seller_id=seller_id))
