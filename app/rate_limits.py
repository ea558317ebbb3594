"""How often something was tried lately: counted in Redis, and when that is away, by each process for itself."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from flask import Flask, current_app
from limits import RateLimitItem
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter
from redis import RedisError

from app.redis_client import redis_client

log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


def init_app(app: Flask) -> None:
    """Get ready to count, in the Redis that ``app`` has a client for."""
    app.extensions["sluice_attempts_here"] = FixedWindowRateLimiter(MemoryStorage())


def count(act: Callable[[FixedWindowRateLimiter], _Result]) -> _Result:
    """What ``act`` gives with the counter in Redis, or else with this process's own.

    That is also asked where something else than a number lies in Redis in the place of a count.
    """
    try:
        pool = redis_client().connection_pool
        return act(FixedWindowRateLimiter(RedisStorage("redis://", connection_pool=pool, key_prefix="sluice")))
    except (RedisError, ValueError):
        log.warning("attempts are counted by this process alone", exc_info=True)
        here: FixedWindowRateLimiter = current_app.extensions["sluice_attempts_here"]
        return act(here)


def hit(limit: RateLimitItem, *name: str) -> int:
    """Count one attempt; the seconds to wait where it is one too many, else 0."""

    def act(counter: FixedWindowRateLimiter) -> int:
        return 0 if counter.hit(limit, *name) else seconds_left(counter, limit, *name)

    return count(act)


def seconds_left(counter: FixedWindowRateLimiter, limit: RateLimitItem, *name: str) -> int:
    """How long it takes until what was counted is forgotten; one at least."""
    return max(int(counter.get_window_stats(limit, *name).reset_time - time.time()), 0) + 1
