"""Rate limits, counted in Redis; when Redis is away, each process counts for itself."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from flask import Flask, current_app
from limits import RateLimitItem
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter
from redis import RedisError

from app.humanize import counted
from app.redis_client import redis_client

log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


class TooManyAttempts(Exception):
    """Too many recent attempts; the message is a sentence for the client."""

    def __init__(self, what: str, seconds: int) -> None:
        super().__init__(f"{what} {say_when_again(seconds)}")
        #: How long to wait.
        self.seconds = seconds


def say_when_again(seconds: int) -> str:
    """A sentence that says how many minutes to wait."""
    return f"Try again in {counted(-(-seconds // 60), 'minute')}."


def init_app(app: Flask) -> None:
    """Prepare ``app`` to count, in the Redis of its client."""
    app.extensions["sluice_attempts_here"] = FixedWindowRateLimiter(MemoryStorage())


def count(act: Callable[[FixedWindowRateLimiter], _Result]) -> _Result:
    """Call ``act`` with the counter in Redis or, if that fails, with this process's own, and return its result.

    A value in Redis that is no number counts as a failure.
    """
    try:
        pool = redis_client().connection_pool
        return act(FixedWindowRateLimiter(RedisStorage("redis://", connection_pool=pool, key_prefix="sluice")))
    except (RedisError, ValueError):
        log.warning("rate limits are counted by this process alone", exc_info=True)
        here: FixedWindowRateLimiter = current_app.extensions["sluice_attempts_here"]
        return act(here)


def hit(limit: RateLimitItem, *name: str) -> int:
    """Count one attempt. Returns the seconds to wait if it exceeds the limit, else 0."""

    def act(counter: FixedWindowRateLimiter) -> int:
        return 0 if counter.hit(limit, *name) else seconds_left(counter, limit, *name)

    return count(act)


def seconds_left(counter: FixedWindowRateLimiter, limit: RateLimitItem, *name: str) -> int:
    """Seconds until the counter is reset; at least one."""
    return max(int(counter.get_window_stats(limit, *name).reset_time - time.time()), 0) + 1
