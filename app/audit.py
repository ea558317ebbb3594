"""The audit log: who did what to which import, listing, token, webhook or session, when, and from where.

Pages and API set the actor of each request (``act_as``). The action records itself (``record``) in its own transaction,
so that there is never an action without its entry, nor an entry without its action.
"""

import getpass
import os
import socket
import uuid
from dataclasses import dataclass
from enum import StrEnum

from flask import g, has_request_context, request

from app.extensions import db
from app.models import AuditEntry

#: Longest detail that is stored, in characters.
_MAX_DETAIL = 500


class Action(StrEnum):
    """The actions, as the log names them."""

    IMPORT = "import"
    CHECK = "check"
    IMPORT_CHECKED = "import checked file"
    RETRY_FAILED = "retry failed rows"
    RETRY_REMAINING = "import remaining rows"
    UNDO = "undo import"
    CORRECT = "correct failed rows"
    TAKE_BACK = "take corrections back"
    IMPORT_CORRECTED = "import corrected rows"
    PAUSE = "pause"
    RESUME = "resume"
    TERMINATE = "terminate"
    REOPEN = "try given-up batches again"
    EDIT = "change listing"
    ANNOTATE = "change name and note"
    DEAL_WITH = "mark as dealt with"
    REOPEN_RECORD = "mark as not dealt with"
    DELETE = "delete import"
    DRAFT = "upload file to match"
    SAVE_MAPPING = "save mapping"
    RENAME_MAPPING = "rename mapping"
    DELETE_MAPPING = "delete mapping"
    DOWNLOAD = "download"
    HIDE = "hide listing"
    SHOW = "show listing"
    CREATE_TOKEN = "create token"
    REVOKE_TOKEN = "revoke token"
    ADD_WEBHOOK = "add webhook"
    CHANGE_WEBHOOK_SECRET = "change webhook secret"
    SWITCH_WEBHOOK_ON = "switch webhook on"
    SWITCH_WEBHOOK_OFF = "switch webhook off"
    DELETE_WEBHOOK = "delete webhook"
    CHANGE_PASSWORD = "change password"
    RESET_PASSWORD = "reset password by email"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who performs an action."""

    #: None for a user at the command line.
    seller_id: int | None
    name: str
    #: ``web``, ``api`` or ``command line``.
    via: str
    #: The network address, or the host of the command line.
    address: str


def act_as(actor: Actor) -> None:
    """Make ``actor`` the actor of everything until the end of this request."""
    g.sluice_actor = actor


def current_actor() -> Actor:
    """Who is acting."""
    actor: Actor = g.get("sluice_actor") or (_unknown() if has_request_context() else _at_the_command_line())
    return actor


def record(action: Action, seller_id: int, public_id: uuid.UUID | None = None, *, detail: str = "") -> None:
    """Record in the current transaction an action on something that belongs to ``seller_id``.

    ``public_id`` is that of an import; anything else is named in ``detail``.
    """
    actor = current_actor()
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


def is_acting(seller_id: int) -> bool:
    """Whether the seller, in a browser or by a program, is the one who acts."""
    actor: Actor | None = g.get("sluice_actor")
    return actor is not None and actor.seller_id == seller_id


def _unknown() -> Actor:
    """The actor of a request that has set none; the action is still worth recording."""
    return Actor(None, "unknown", request.blueprint or "web", request.remote_addr or "")


def _at_the_command_line() -> Actor:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # In a container the user id may have no name.
        user = f"user {os.getuid()}"
    return Actor(None, user, "command line", socket.gethostname())
