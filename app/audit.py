"""The audit log: who did what to which import, listing, token, webhook or session, when, and from where.

Each face says for each request who acts (``act_as``); what is done says so itself (``record``), in the transaction in
which it does it, so that neither is there without the other.
"""

from __future__ import annotations

import getpass
import os
import socket
import uuid
from dataclasses import dataclass
from enum import StrEnum

from flask import g, has_request_context, request

from app.extensions import db
from app.models import AuditEntry

#: Longest detail that is kept.
_MAX_DETAIL = 500


class Action(StrEnum):
    """What can be done; the words stand in the log."""

    IMPORT = "import"
    CHECK = "check"
    IMPORT_CHECKED = "import checked file"
    RETRY_FAILED = "retry failed rows"
    RETRY_REMAINING = "import remaining rows"
    PAUSE = "pause"
    RESUME = "resume"
    TERMINATE = "terminate"
    REOPEN = "try given-up batches again"
    HIDE = "hide listing"
    SHOW = "show listing"
    MAKE_TOKEN = "make token"
    REVOKE_TOKEN = "revoke token"
    ADD_WEBHOOK = "add webhook"
    CHANGE_WEBHOOK_SECRET = "change webhook secret"
    SWITCH_WEBHOOK_ON = "switch webhook on"
    SWITCH_WEBHOOK_OFF = "switch webhook off"
    DELETE_WEBHOOK = "delete webhook"
    CHANGE_PASSWORD = "change password"


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who does something."""

    #: None for who is no seller: somebody at the command line.
    seller_id: int | None
    name: str
    #: ``web``, ``api`` or ``command line``.
    via: str
    #: The network address, or the host of the command line.
    address: str


def act_as(actor: Actor) -> None:
    """Let everything until the end of this request be done by ``actor``."""
    g.sluice_actor = actor


def record(action: Action, seller_id: int, public_id: uuid.UUID | None = None, *, detail: str = "") -> None:
    """Note in the current transaction what is being done to something of ``seller_id``.

    ``public_id`` is that of an import; what else it is done to stands in ``detail``.
    """
    actor: Actor = g.get("sluice_actor") or (_unknown() if has_request_context() else _at_the_command_line())
    db.session.add(
        AuditEntry(
            actor_id=actor.seller_id,
            actor=actor.name,
            via=actor.via,
            address=actor.address,
            action=action,
            seller_id=seller_id,
            public_id=public_id,
            detail=detail[:_MAX_DETAIL],
        )
    )


def _unknown() -> Actor:
    """Of a face that does not say who acts; that it happened is worth noting all the same."""
    return Actor(None, "unknown", request.blueprint or "web", request.remote_addr or "")


def _at_the_command_line() -> Actor:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # In a container there may be nobody of that number.
        user = f"user {os.getuid()}"
    return Actor(None, user, "command line", socket.gethostname())
