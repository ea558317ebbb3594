"""The webhooks that sellers have registered."""

from __future__ import annotations

import uuid

from sqlalchemy import select, text

from app.extensions import db
from app.models import WebhookEndpoint
from app.queries import older_than
from app.queries.deliveries.outbox import EndpointKey
from app.queries.identity import sellers
from app.statuses import SwitchedOff

_THIS = "seller_id = :seller_id and id = :endpoint_id"


def lock_all_of(seller_id: int) -> int:
    """How many endpoints a seller has; nobody else adds one to them before this transaction ends."""
    sellers.lock(seller_id)
    query = text("select count(*) from webhook_endpoints where seller_id = :id")
    return int(db.session.execute(query, {"id": seller_id}).scalar_one())


def list_of(seller_id: int) -> list[WebhookEndpoint]:
    """The endpoints of a seller, in the order in which they were added."""
    query = select(WebhookEndpoint).where(WebhookEndpoint.seller_id == seller_id)
    return list(db.session.scalars(query.order_by(WebhookEndpoint.id)))


def find(seller_id: int, public_id: uuid.UUID) -> WebhookEndpoint | None:
    """The seller's endpoint with this public id; another seller's is not found."""
    query = select(WebhookEndpoint).where(WebhookEndpoint.seller_id == seller_id)
    return db.session.scalar(query.where(WebhookEndpoint.public_id == public_id))


def get(key: EndpointKey) -> WebhookEndpoint:
    """The endpoint with this key. Raises NoResultFound when it was deleted."""
    query = select(WebhookEndpoint).where(WebhookEndpoint.seller_id == key.seller_id)
    return db.session.scalars(query.where(WebhookEndpoint.id == key.endpoint_id)).one()


def note_arrival(key: EndpointKey) -> None:
    """Note that something has arrived there."""
    _execute(f"update webhook_endpoints set failing_since = null where {_THIS} and failing_since is not null", key)


def note_failure(key: EndpointKey) -> None:
    """Note that something has not arrived there."""
    _execute(
        f"update webhook_endpoints set failing_since = clock_timestamp() where {_THIS} and failing_since is null", key
    )


def has_failed_for(key: EndpointKey, seconds: float) -> bool:
    """Whether nothing has arrived there for longer than that, although it was tried."""
    statement = f"select 1 from webhook_endpoints where {_THIS} and {older_than('failing_since', ':seconds')}"
    return db.session.execute(text(statement), {**key._asdict(), "seconds": seconds}).first() is not None


def switch_off(key: EndpointKey, why: SwitchedOff) -> bool:
    """Send nothing more there; false when it was off already."""
    return _execute(
        f"""
        update webhook_endpoints set switched_off_at = clock_timestamp(), switched_off_because = :why
        where {_THIS} and switched_off_at is null
        """,
        key,
        why=why,
    )


def switch_on(key: EndpointKey) -> bool:
    """Send there again, as if nothing had ever failed; false when it was on."""
    return _execute(
        f"""
        update webhook_endpoints set switched_off_at = null, switched_off_because = null, failing_since = null
        where {_THIS} and switched_off_at is not null
        """,
        key,
    )


def change_secret(key: EndpointKey, secret: str, *, overlap_seconds: float) -> bool:
    """Sign with ``secret`` from now on, and beside it with the one before for so long."""
    return _execute(
        f"""
        update webhook_endpoints set
            old_secret = secret, old_secret_until = clock_timestamp() + make_interval(secs => :overlap_seconds),
            secret = :secret
        where {_THIS}
        """,
        key,
        secret=secret,
        overlap_seconds=overlap_seconds,
    )


def forget_old_secrets() -> None:
    """Delete the secrets that do not sign any more."""
    db.session.execute(
        text(
            """
            update webhook_endpoints set old_secret = null, old_secret_until = null
            where old_secret_until < clock_timestamp()
            """
        )
    )


def delete(key: EndpointKey) -> bool:
    """Forget an endpoint with its log and all that waits for it."""
    return _execute(f"delete from webhook_endpoints where {_THIS}", key)


def _execute(statement: str, key: EndpointKey, **values: object) -> bool:
    changed = db.session.execute(text(statement), {**key._asdict(), **values})
    return changed.rowcount == 1  # type: ignore[attr-defined,no-any-return]
