"""Authentication by the token that every request of the API presents."""

import logging

from flask import g, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized

from app import audit
from app.api import limits
from app.audit import Actor
from app.identity import tokens
from app.queries.identity.tokens import Bearer

log = logging.getLogger(__name__)

_READING = frozenset({"GET", "HEAD", "OPTIONS"})


def require_token() -> None:
    """Authenticate and authorise a request, before each view. Raises Unauthorized, Forbidden or TooManyRequests."""
    given = request.authorization
    if given is None or given.type != "bearer" or not given.token:
        raise Unauthorized(
            "The request has no token. Send one in the header “Authorization: Bearer sluice_…”.",
            www_authenticate=_challenge(),
        )
    found = tokens.find_bearer(given.token)
    if found is None:
        # The presented text is not logged: it may be a real token, mistyped.
        log.warning("token refused: address %s", request.remote_addr or "")
        # Only invalid tokens are counted by address: many clients with valid ones may share an address.
        limits.count_stranger()
        raise Unauthorized(
            "The token is not valid: it was revoked, has expired or never existed. Create one under API tokens.",
            www_authenticate=_challenge(error="invalid_token"),
        )
    g.bearer = found
    audit.act_as(Actor(found.seller_id, f"token “{found.name}”", "api", request.remote_addr or ""))
    limits.count_request(found)
    if request.method not in _READING and not found.may_write:
        log.warning("token refused, read-only: seller %d, token %d", found.seller_id, found.token_id)
        raise Forbidden("The token is read-only. Create one that can write under API tokens.")


def seller_id() -> int:
    """The id of the token's seller."""
    return bearer().seller_id


def bearer() -> Bearer:
    """The token of the request."""
    found: Bearer = g.bearer
    return found


def _challenge(**values: str) -> WWWAuthenticate:
    return WWWAuthenticate("bearer", {"realm": "Sluice", **values})
