"""Rate limits of the API, counted in Redis; when Redis is away, each process counts for itself."""

import logging
import time
from typing import cast

from flask import Flask, Response, current_app, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from redis import RedisError
from werkzeug.exceptions import TooManyRequests

from app.config import current_settings
from app.queries.identity.tokens import Bearer
from app.redis_client import redis_client

log = logging.getLogger(__name__)

#: Requests a minute with an invalid token, from one address.
_STRANGERS_PER_MINUTE = 60


def init_app(app: Flask) -> None:
    """Prepare ``app`` to count, in the Redis of its client."""
    with app.app_context():
        # The application's own pool, with its short timeouts.
        pool = redis_client().connection_pool
    limiter = Limiter(
        get_remote_address,
        app=app,
        storage_uri="redis://",
        # Flask-Limiter's types allow only texts and numbers, but the storage takes a pool.
        storage_options=cast(dict[str, str | int], {"connection_pool": pool}),
        swallow_errors=True,
        in_memory_fallback_enabled=True,
        key_prefix="api",
    )
    # Pages are not counted, and do not wait while Redis is tried again.
    limiter.request_filter(lambda: request.blueprint != "api")
    app.extensions["sluice_limiter"] = limiter


def count_request(bearer: Bearer) -> None:
    """Count a request. Raises TooManyRequests."""
    _count("requests", current_settings().api_requests_per_minute, "minute", by=f"token-{bearer.token_id}")


def count_upload(bearer: Bearer) -> None:
    """Count an upload. Raises TooManyRequests."""
    _count("uploads", current_settings().api_uploads_per_hour, "hour", by=f"token-{bearer.token_id}")


def count_stranger() -> None:
    """Count a request with an invalid token. Raises TooManyRequests."""
    if current_settings().api_requests_per_minute:
        _count("strangers", _STRANGERS_PER_MINUTE, "minute", by=get_remote_address())


def add_headers(response: Response) -> Response:
    """Add the remaining requests to the headers of ``response``."""
    limit = _limiter().current_limit
    if limit is None:
        return response
    try:
        seconds = max(int(limit.reset_at - time.time()), 1)
        response.headers["RateLimit-Limit"] = str(limit.limit.amount)
        response.headers["RateLimit-Remaining"] = str(limit.remaining)
        response.headers["RateLimit-Reset"] = str(seconds)
    except (RedisError, ValueError):
        # The value in Redis may be no number.
        log.warning("rate limits not reported", exc_info=True)
        seconds = 1
    if response.status_code == TooManyRequests.code:
        response.headers.setdefault("Retry-After", str(seconds))
    return response


def _count(what: str, most: int, period: str, *, by: str) -> None:
    if not most:
        return
    words = f"There were more than {most:,} {what} in this {period}. Wait for the number of seconds in Retry-After."
    with _limiter().shared_limit(f"{most} per {period}", what, key_func=lambda: by, error_message=words):
        return


def _limiter() -> Limiter:
    limiter: Limiter = current_app.extensions["sluice_limiter"]
    return limiter
