"""What the buttons on the pages of webhooks do."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection
from datetime import UTC, datetime

from flask import current_app

from app.config import Settings
from app.deliveries import addresses, webhook
from app.extensions import db
from app.imports import queue
from app.models import WebhookEndpoint
from app.queries import deliveries, endpoints
from app.queries.deliveries import TEST_EVENT, EndpointKey
from app.statuses import IMPORT_EVENTS, SwitchedOff

MAX_ENDPOINTS = 10
#: How long the secret before the present one still signs.
SECRET_OVERLAP_SECONDS = 24 * 3600.0


class EndpointRefused(Exception):
    """The button does not fit the state of the endpoint; the message is a sentence for the seller."""


def add(seller_id: int, url: str, events: Collection[str]) -> WebhookEndpoint:
    """Register ``url`` for ``events``, all of them known. Its secret is to be shown now and never again.

    Raises addresses.UrlRefused for an address to which nothing is sent, EndpointRefused when there are too many.
    """
    settings: Settings = current_app.extensions["sluice_settings"]
    addresses.parse(url, allow_private=settings.webhook_allow_private)
    if endpoints.lock_all_of(seller_id) >= MAX_ENDPOINTS:
        db.session.rollback()
        raise EndpointRefused(f"There are {MAX_ENDPOINTS} webhooks already. Delete one that is not needed any more.")
    wanted = [event for event in IMPORT_EVENTS.values() if event in events]
    added = WebhookEndpoint(seller_id=seller_id, url=url, events=wanted, secret=webhook.new_secret())
    db.session.add(added)
    db.session.commit()
    return added


def switch_on(key: EndpointKey) -> None:
    """Send there again, first of all what has been waiting."""
    if endpoints.switch_on(key):
        deliveries.hurry(key)
    db.session.commit()
    queue.send_deliver()


def switch_off(key: EndpointKey) -> None:
    """Send nothing more there until it is switched on; what waits goes on waiting."""
    endpoints.switch_off(key, SwitchedOff.SELLER)
    db.session.commit()


def delete(key: EndpointKey) -> None:
    """Forget an endpoint with its log and all that waits for it."""
    endpoints.delete(key)
    db.session.commit()


def change_secret(key: EndpointKey) -> str:
    """Sign with a new secret from now on, for a day with the present one too; the new one, to be shown once."""
    secret = webhook.new_secret()
    endpoints.change_secret(key, secret, overlap_seconds=SECRET_OVERLAP_SECONDS)
    db.session.commit()
    return secret


def send_test(key: EndpointKey) -> None:
    """Send a message that speaks of nothing, once. Raises EndpointRefused when the endpoint is off."""
    endpoint = _refuse_if_off(key)
    body = {
        "type": TEST_EVENT,
        "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
        "data": {"message": "This is a test. No import has changed.", "endpoint": str(endpoint.public_id)},
    }
    deliveries.add_test(key, json.dumps(body, separators=(",", ":")))
    db.session.commit()
    queue.send_deliver()


def send_again(key: EndpointKey, public_id: uuid.UUID) -> None:
    """Send a message of the log again, under its own id. Raises EndpointRefused when that is not possible now."""
    _refuse_if_off(key)
    if not deliveries.send_again(key, public_id):
        db.session.rollback()
        raise EndpointRefused("This message is being sent at this very moment.")
    db.session.commit()
    queue.send_deliver()


def _refuse_if_off(key: EndpointKey) -> WebhookEndpoint:
    endpoint = endpoints.get(key)
    if endpoint.switched_off_at is not None:
        raise EndpointRefused("This webhook is switched off. Switch it on first.")
    return endpoint
