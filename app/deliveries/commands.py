"""The actions on webhook endpoints: add, switch on and off, test, delete, change the secret."""

import json
import logging
import uuid
from collections.abc import Collection
from datetime import UTC, datetime
from urllib.parse import urlsplit

from limits import parse
from sqlalchemy.exc import NoResultFound

from app import audit, rate_limits
from app.audit import Action
from app.config import current_settings
from app.deliveries import addresses, webhook
from app.extensions import db
from app.identity import secrets
from app.import_fields import iso
from app.jobs import queue
from app.models import WebhookEndpoint
from app.queries.deliveries import outbox, webhook_endpoints
from app.queries.deliveries.outbox import TEST_EVENT, EndpointKey
from app.queries.identity import sellers
from app.statuses import IMPORT_EVENTS, SwitchedOff

log = logging.getLogger(__name__)

MAX_ENDPOINTS = 10
#: How often a seller may send a message by hand: the receiver may belong to others.
_BY_HAND = parse("20 per 10 minutes")
#: How long the previous secret still signs.
SECRET_OVERLAP_SECONDS = 24 * 3600.0


class EndpointRefused(Exception):
    """The action is not possible in the endpoint's state; the message is a sentence for the seller."""


def add(seller_id: int, url: str, events: Collection[str], *, form_key: uuid.UUID | None = None) -> WebhookEndpoint:
    """Register ``url`` for ``events``. The secret must be shown now, and never again.

    Raises addresses.UrlRefused for a URL that is not allowed, and EndpointRefused when there are too many, or when a
    form with this ``form_key`` has added one before.
    """
    settings = current_settings()
    addresses.parse(url, allow_private=settings.webhook_allow_private)
    public_id = secrets.public_id_for(seller_id, form_key)
    sellers.lock(seller_id)
    there = webhook_endpoints.list_of(seller_id)
    if any(one.public_id == public_id for one in there):
        db.session.rollback()
        raise EndpointRefused("You’ve already added this webhook. If you didn’t keep its secret, create a new one.")
    if len(there) >= MAX_ENDPOINTS:
        db.session.rollback()
        raise EndpointRefused(f"There are {MAX_ENDPOINTS} webhooks already. Delete one you no longer need.")
    wanted = [event for event in IMPORT_EVENTS.values() if event in events]
    added = WebhookEndpoint(
        public_id=public_id, seller_id=seller_id, url=url, events=wanted, secret=webhook.new_secret()
    )
    db.session.add(added)
    _commit(Action.ADD_WEBHOOK, added)
    return added


def switch_on(key: EndpointKey) -> None:
    """Send to the endpoint again, waiting messages first. Raises EndpointRefused when it was deleted meanwhile."""
    if webhook_endpoints.switch_on(key):
        outbox.hurry(key)
    _commit(Action.SWITCH_WEBHOOK_ON, _find(key))
    queue.wake_deliverer()


def switch_off(key: EndpointKey) -> None:
    """Stop sending to the endpoint until it is switched on. Its messages wait."""
    webhook_endpoints.switch_off(key, SwitchedOff.SELLER)
    _commit(Action.SWITCH_WEBHOOK_OFF, _find(key))


def delete(key: EndpointKey) -> None:
    """Delete an endpoint, its log and its waiting messages."""
    gone = _find(key)
    webhook_endpoints.delete(key)
    _commit(Action.DELETE_WEBHOOK, gone)


def change_secret(key: EndpointKey, *, present: str) -> str:
    """Sign with a new secret from now on, and for a day with the present one too. Returns the new secret, to show once.

    ``present`` is the mark of the secret to replace. Raises EndpointRefused if another one is present by now, as when
    the form is sent again: the day of the previous secret would end at once.
    """
    sellers.lock(key.seller_id)
    endpoint = _find(key)
    if secret_mark(endpoint) != present:
        db.session.rollback()
        raise EndpointRefused("The secret has already been changed. If you didn’t keep it, create a new one.")
    secret = webhook.new_secret()
    webhook_endpoints.change_secret(key, secret, overlap_seconds=SECRET_OVERLAP_SECONDS)
    _commit(Action.CHANGE_WEBHOOK_SECRET, endpoint)
    return secret


def secret_mark(endpoint: WebhookEndpoint) -> str:
    """A mark that distinguishes the present secret of an endpoint from others, and reveals nothing else."""
    return secrets.digest(endpoint.secret).hex()[:16]


def send_test(key: EndpointKey) -> None:
    """Send a test message, once.

    Raises EndpointRefused when the endpoint is off, or the seller has pressed such a button too often.
    """
    endpoint = _find_to_send_by_hand(key)
    body = {
        "type": TEST_EVENT,
        "timestamp": iso(datetime.now(UTC)),
        "data": {"message": "This is a test. No import has changed.", "endpoint": str(endpoint.public_id)},
    }
    outbox.add_test(key, json.dumps(body, separators=(",", ":")))
    db.session.commit()
    queue.wake_deliverer()


def send_again(key: EndpointKey, public_id: uuid.UUID) -> None:
    """Send a message of the log again, under its own id. Raises EndpointRefused when that is not possible now."""
    _find_to_send_by_hand(key)
    if not outbox.send_again(key, public_id):
        db.session.rollback()
        raise EndpointRefused("This delivery is being sent right now.")
    db.session.commit()
    queue.wake_deliverer()


def _find(key: EndpointKey) -> WebhookEndpoint:
    try:
        return webhook_endpoints.get(key)
    except NoResultFound as error:
        raise EndpointRefused("This webhook no longer exists.") from error


def _find_to_send_by_hand(key: EndpointKey) -> WebhookEndpoint:
    """An endpoint. Raises EndpointRefused when it is off, or the seller has sent by hand too often."""
    endpoint = _find(key)
    if endpoint.switched_off_at is not None:
        raise EndpointRefused("This webhook is switched off. Switch it on first.")
    if seconds := rate_limits.hit(_BY_HAND, "webhook", str(key.seller_id)):
        again = rate_limits.say_when_again(seconds)
        raise EndpointRefused(f"{_BY_HAND.amount} deliveries were sent by hand recently. {again}")
    return endpoint


def _commit(action: Action, endpoint: WebhookEndpoint) -> None:
    """Commit what was done to an endpoint, with its entry in the audit log."""
    seller_id, public_id = endpoint.seller_id, endpoint.public_id
    # Only the host: the rest of a URL is often a secret of the receiver.
    audit.record(action, seller_id, detail=urlsplit(endpoint.url).hostname or "")
    db.session.commit()
    log.info("%s: seller %d, webhook %s", action.value, seller_id, public_id)
