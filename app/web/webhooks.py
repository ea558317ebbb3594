"""Webhooks: the endpoints of a seller, and the log of deliveries to each."""

import uuid
from datetime import UTC, datetime, timedelta

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.deliveries import commands
from app.deliveries.addresses import UrlRefused
from app.deliveries.commands import EndpointRefused
from app.http.form_fields import read_form_key
from app.models import Delivery, WebhookEndpoint
from app.queries.deliveries import outbox, webhook_endpoints
from app.queries.deliveries.outbox import TEST_EVENT, EndpointKey
from app.statuses import DeliveryStatus, SwitchedOff
from app.web.filters import Label
from app.web.forms import ConfirmForm, EndpointForm
from app.web.live_page import render_live
from app.web.session import require_seller, seller_id

blueprint = Blueprint("webhooks", __name__, url_prefix="/settings/webhooks")
blueprint.before_request(require_seller)

#: The events of webhooks, and their names on pages.
_EVENTS = {
    "import.paused": "Import paused",
    "import.completed": "Import completed",
    "import.failed": "Import finished with failed rows",
    "import.terminated": "Import terminated",
}
_EVENT_NAMES = {**_EVENTS, TEST_EVENT: "Test"}

#: Messages on one page of a log.
_PAGE_SIZE = 25
#: The page polls while a message is due within this many seconds.
_SOON = timedelta(seconds=15)

_DELIVERY_LABELS = {
    DeliveryStatus.WAITING: Label("Waiting", "quiet", "clock"),
    DeliveryStatus.SENDING: Label("Sending", "moving", "flow"),
    DeliveryStatus.DELIVERED: Label("Delivered", "success", "check"),
    DeliveryStatus.GIVEN_UP: Label("Failed", "danger", "alert"),
}
_RETRYING = Label("Retrying", "warning", "retry")

_ON = Label("On", "success", "check")
_FAILING = Label("On, but failing", "warning", "alert")
_OFF = Label("Off", "quiet", "stop")
_OFF_BY_TROUBLE = Label("Switched off", "danger", "alert")


@blueprint.app_template_global()
def event_name(event: str) -> str:
    """The name of an event on pages."""
    return _EVENT_NAMES.get(event, event)


@blueprint.app_template_global()
def delivery_label(one: Delivery) -> Label:
    """How the state of a message is drawn."""
    if one.status == DeliveryStatus.WAITING and one.attempts:
        return _RETRYING
    return _DELIVERY_LABELS[DeliveryStatus(one.status)]


@blueprint.app_template_global()
def endpoint_label(one: WebhookEndpoint) -> Label:
    """How the state of an endpoint is drawn."""
    if one.switched_off_because:
        return _OFF if one.switched_off_because == SwitchedOff.SELLER else _OFF_BY_TROUBLE
    return _FAILING if one.failing_since else _ON


@blueprint.get("")
def index() -> ResponseReturnValue:
    """All webhooks of the seller, and the form that adds one."""
    return _render_index(EndpointForm(), list(_EVENTS))


@blueprint.post("")
def add() -> ResponseReturnValue:
    """Add a webhook, which requires the password; answers with its secret, or the form again (422).

    The secret is shown in this answer and nowhere else: a session's cookie is signed, but not encrypted.
    """
    form, events = EndpointForm(), [event for event in request.form.getlist("events") if event in _EVENTS]
    if form.validate() and events:
        try:
            added = commands.add(seller_id(), form.url.data or "", events, form_key=read_form_key(request.form))
        except (UrlRefused, EndpointRefused) as refused:
            form.url.errors = [str(refused)]
        else:
            return _render(added, secret=added.secret)
    return _render_index(form, events), 422


@blueprint.get("/<uuid:endpoint_id>")
def show(endpoint_id: uuid.UUID) -> ResponseReturnValue:
    """A webhook with its log; ``before`` is the last message of the page before."""
    return _render(_find(endpoint_id), before=request.args.get("before", type=uuid.UUID))


def _render(endpoint: WebhookEndpoint, *, before: uuid.UUID | None = None, secret: str = "") -> Response:
    key = _key(endpoint)
    # Addresses contain only public ids.
    before_id = _find_delivery(key, before).id if before else None
    found = outbox.list_page(key, limit=_PAGE_SIZE + 1, before=before_id)
    shown = found[:_PAGE_SIZE]
    return render_live(
        "webhooks/show.html",
        "webhooks/_deliveries.html",
        endpoint=endpoint,
        secret=secret,
        old_secret_signs=endpoint.old_secret_until is not None and endpoint.old_secret_until > datetime.now(UTC),
        deliveries=shown,
        older=shown[-1].public_id if len(found) > _PAGE_SIZE else None,
        before=before,
        is_moving=endpoint.switched_off_at is None and any(map(_is_moving, shown)),
        here=url_for("webhooks.show", endpoint_id=endpoint.public_id, before=before),
    )


@blueprint.post("/<uuid:endpoint_id>/on")
def switch_on(endpoint_id: uuid.UUID) -> ResponseReturnValue:
    """Switch the webhook on; waiting messages are sent first."""
    commands.switch_on(_key(_find(endpoint_id)))
    flash("The webhook is on. Pending deliveries are being sent.", "success")
    return _back(endpoint_id)


@blueprint.post("/<uuid:endpoint_id>/off")
def switch_off(endpoint_id: uuid.UUID) -> ResponseReturnValue:
    """Switch the webhook off."""
    commands.switch_off(_key(_find(endpoint_id)))
    flash("The webhook is off.", "success")
    return _back(endpoint_id)


@blueprint.get("/<uuid:endpoint_id>/secret")
def confirm_secret(endpoint_id: uuid.UUID) -> ResponseReturnValue:
    """The page that asks for the password before a new secret is created."""
    return _render_secret(_find(endpoint_id), ConfirmForm())


@blueprint.post("/<uuid:endpoint_id>/secret")
def change_secret(endpoint_id: uuid.UUID) -> ResponseReturnValue:
    """Create a new secret, which only this answer shows; the old one also signs for a day."""
    endpoint, form = _find(endpoint_id), ConfirmForm()
    if not form.validate():
        return _render_secret(endpoint, form), 422
    secret = commands.change_secret(_key(endpoint), present=request.form.get("present", ""))
    return _render(_find(endpoint_id), secret=secret)


def _render_secret(endpoint: WebhookEndpoint, form: ConfirmForm) -> str:
    return render_template(
        "webhooks/confirm_secret.html", endpoint=endpoint, form=form, present=commands.secret_mark(endpoint)
    )


@blueprint.post("/<uuid:endpoint_id>/test")
def send_test(endpoint_id: uuid.UUID) -> ResponseReturnValue:
    """Send a test message; its result is the first entry of the log."""
    commands.send_test(_key(_find(endpoint_id)))
    return _back(endpoint_id)


@blueprint.get("/<uuid:endpoint_id>/delete")
def confirm_delete(endpoint_id: uuid.UUID) -> ResponseReturnValue:
    """The page that asks before a webhook is deleted."""
    return render_template("webhooks/confirm_delete.html", endpoint=_find(endpoint_id))


@blueprint.post("/<uuid:endpoint_id>/delete")
def delete(endpoint_id: uuid.UUID) -> ResponseReturnValue:
    """Delete a webhook, its log and its waiting messages."""
    commands.delete(_key(_find(endpoint_id)))
    flash("The webhook was deleted.", "success")
    return redirect(url_for("webhooks.index"), 303)


@blueprint.post("/<uuid:endpoint_id>/<uuid:delivery_id>/again")
def send_again(endpoint_id: uuid.UUID, delivery_id: uuid.UUID) -> ResponseReturnValue:
    """Send a message of the log again, under the same id."""
    key = _key(_find(endpoint_id))
    _find_delivery(key, delivery_id)
    commands.send_again(key, delivery_id)
    return _back(endpoint_id)


def _render_index(form: EndpointForm, chosen: list[str]) -> str:
    return render_template(
        "webhooks/index.html",
        form=form,
        endpoints=webhook_endpoints.list_of(seller_id()),
        events=_EVENTS,
        chosen=chosen,
        max_endpoints=commands.MAX_ENDPOINTS,
        form_key=uuid.uuid4(),
    )


def _find(public_id: uuid.UUID) -> WebhookEndpoint:
    return webhook_endpoints.find(seller_id(), public_id) or abort(404)


def _key(endpoint: WebhookEndpoint) -> EndpointKey:
    return EndpointKey(endpoint.seller_id, endpoint.id)


def _find_delivery(key: EndpointKey, public_id: uuid.UUID) -> Delivery:
    return outbox.find(key, public_id) or abort(404)


def _is_moving(one: Delivery) -> bool:
    """Whether a message will change soon."""
    is_due = one.due_at < datetime.now(UTC) + _SOON
    return one.status == DeliveryStatus.SENDING or (one.status == DeliveryStatus.WAITING and is_due)


def _back(public_id: uuid.UUID) -> ResponseReturnValue:
    return redirect(url_for("webhooks.show", endpoint_id=public_id), 303)
