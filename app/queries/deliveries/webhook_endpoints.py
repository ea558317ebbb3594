"""The webhook endpoints of sellers."""

import uuid

from sqlalchemy import select

from app.extensions import db
from app.models import WebhookEndpoint
from app.queries import change, execute, fetch, older_than
from app.queries.deliveries.outbox import EndpointKey
from app.statuses import SwitchedOff

_THIS = "seller_id = %(seller_id)s and id = %(endpoint_id)s"


def list_of(seller_id: int) -> list[WebhookEndpoint]:
    """The endpoints of a seller, oldest first."""
    query = select(WebhookEndpoint).filter_by(seller_id=seller_id).order_by(WebhookEndpoint.id)
    return list(db.session.scalars(query))


def find(seller_id: int, public_id: uuid.UUID) -> WebhookEndpoint | None:
    """The seller's endpoint with this public id; another seller's is not found."""
    return db.session.scalar(select(WebhookEndpoint).filter_by(seller_id=seller_id, public_id=public_id))


def get(key: EndpointKey) -> WebhookEndpoint:
    """The endpoint with this key. Raises NoResultFound when it was deleted."""
    return db.session.scalars(select(WebhookEndpoint).filter_by(seller_id=key.seller_id, id=key.endpoint_id)).one()


def note_arrival(key: EndpointKey) -> None:
    """Record a successful delivery."""
    change(f"update webhook_endpoints set failing_since = null where {_THIS} and failing_since is not null", key)


def note_failure(key: EndpointKey) -> None:
    """Record a failed delivery."""
    query = f"update webhook_endpoints set failing_since = clock_timestamp() where {_THIS} and failing_since is null"
    change(query, key)


def has_failed_for(key: EndpointKey, seconds: float) -> bool:
    """Whether all deliveries have failed for longer than that."""
    query = f"select 1 from webhook_endpoints where {_THIS} and {older_than('failing_since', '%(seconds)s')}"
    return bool(fetch(query, key, seconds=seconds))


def switch_off(key: EndpointKey, why: SwitchedOff) -> bool:
    """Switch the endpoint off. Returns false if it already was."""
    query = f"""
        update webhook_endpoints set switched_off_at = clock_timestamp(), switched_off_because = %(why)s
        where {_THIS} and switched_off_at is null
    """
    return change(query, key, why=why)


def switch_on(key: EndpointKey) -> bool:
    """Switch the endpoint on, and forget its failures. Returns false if it already was."""
    query = f"""
        update webhook_endpoints set switched_off_at = null, switched_off_because = null, failing_since = null
        where {_THIS} and switched_off_at is not null
    """
    return change(query, key)


def change_secret(key: EndpointKey, secret: str, *, overlap_seconds: float) -> bool:
    """Sign with ``secret`` from now on, and for this long also with the previous one."""
    query = f"""
        update webhook_endpoints set
            old_secret = secret, old_secret_until = clock_timestamp() + make_interval(secs => %(overlap_seconds)s),
            secret = %(secret)s
        where {_THIS}
    """
    return change(query, key, secret=secret, overlap_seconds=overlap_seconds)


def forget_old_secrets() -> None:
    """Delete previous secrets that have expired."""
    query = """
        update webhook_endpoints set old_secret = null, old_secret_until = null
        where old_secret_until < clock_timestamp()
    """
    execute(query)


def delete(key: EndpointKey) -> bool:
    """Delete an endpoint, its log and its waiting messages."""
    return change(f"delete from webhook_endpoints where {_THIS}", key)
