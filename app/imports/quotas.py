"""Quotas of a seller: concurrent uploads, and files, rows and bytes in 24 hours."""

import logging
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from redis import RedisError

from app.config import current_settings
from app.csvfile.errors import round_size_down
from app.humanize import counted
from app.imports.errors import QuotaExceeded
from app.queries.imports import lookups
from app.redis_client import redis_client

log = logging.getLogger(__name__)

#: An upload without a sign of life for this many seconds has ended: its process died.
_FORGOTTEN_AFTER_SECONDS = 120
_TOLD_EVERY_SECONDS = 20

# Uses Redis's time, because the clocks of the web hosts need not agree.
_ENTER = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
    return 0
end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), ARGV[1])
redis.call('EXPIRE', KEYS[1], tonumber(ARGV[3]))
return 1
"""


@contextmanager
def one_of_few(seller_id: int) -> Iterator[Callable[[Iterator[bytes]], Iterator[bytes]]]:
    """Count an upload for as long as the block lasts; its pieces pass through the yielded function.

    Raises QuotaExceeded when the maximum is reached. Without Redis, nothing is counted.
    """
    most = current_settings().uploads_in_flight
    place = uuid.uuid4().hex
    if not _enter(seller_id, place, most):
        raise QuotaExceeded(
            f"You are already uploading {counted(most, 'file')}, the most you can at once. Wait until one "
            "of them has finished, then upload this one.",
            seconds=30,
        )

    def pass_on(pieces: Iterator[bytes]) -> Iterator[bytes]:
        told_at = time.monotonic()
        for piece in pieces:
            if time.monotonic() - told_at > _TOLD_EVERY_SECONDS:
                told_at = time.monotonic()
                _enter(seller_id, place, most)
            yield piece

    try:
        yield pass_on
    finally:
        _leave(seller_id, place)


def check_day(seller_id: int, *, rows: int = 0, size: int = 0) -> None:
    """Raise QuotaExceeded when another file would exceed the seller's quota of the last 24 hours.

    ``rows`` and ``size`` are 0 if not known yet. Concurrent uploads may each pass this check; their number is limited
    too.
    """
    settings = current_settings()
    sent = lookups.count_day(seller_id)
    for most, count, what in (
        (settings.files_per_day, sent.files + 1, f"{settings.files_per_day:,} files"),
        (settings.rows_per_day, sent.rows + max(rows, 1), f"{settings.rows_per_day:,} rows"),
        (settings.bytes_per_day, sent.bytes + max(size, 1), round_size_down(settings.bytes_per_day)),
    ):
        if most and count > most:
            raise QuotaExceeded(
                f"This file would take you over your limit of {what} in 24 hours. Upload it tomorrow, or ask an "
                "operator for a higher limit.",
                seconds=3_600,
            )


def _enter(seller_id: int, place: str, most: int) -> bool:
    if not most:
        return True
    try:
        entered = redis_client().eval(_ENTER, 1, _key(seller_id), place, most, _FORGOTTEN_AFTER_SECONDS)
    except RedisError:
        log.warning("uploads in flight are not counted", exc_info=True)
        return True
    return bool(entered)


def _leave(seller_id: int, place: str) -> None:
    try:
        redis_client().zrem(_key(seller_id), place)
    except RedisError:
        log.warning("finished upload stays counted until its entry expires", exc_info=True)


def _key(seller_id: int) -> str:
    return f"sluice:arriving:{seller_id}"
