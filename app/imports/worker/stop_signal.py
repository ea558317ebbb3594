"""The control key: how Pause and Terminate reach the workers between two chunks.

It is a hint and makes a stop prompt. What makes it certain is the fence, which asks the database; so a key that is
lost, late or left over does no harm.
"""

from __future__ import annotations

import logging
from enum import StrEnum
from time import monotonic

from redis import RedisError

from app.queries import ImportKey
from app.redis_client import redis_client

log = logging.getLogger(__name__)

#: Longer than any import waits for a worker to read it; a forgotten key is gone after that.
_LIFE_SECONDS = 24 * 3600
#: After Redis has failed to answer, workers go on without asking it for so long.
_LEAVE_ALONE_SECONDS = 5.0


class Signal(StrEnum):
    """What workers are asked to do."""

    PAUSE = "pause"
    TERMINATE = "terminate"


def _name(key: ImportKey) -> str:
    return f"sluice:control:{key.import_id}"


def send(key: ImportKey, signal: Signal) -> None:
    """Ask the workers of an import to stop at the end of their chunk."""
    try:
        redis_client().set(_name(key), signal, ex=_LIFE_SECONDS)
    except RedisError:
        log.warning("control key not set", extra={"import_id": key.import_id}, exc_info=True)


def clear(key: ImportKey) -> None:
    """Take back what was asked."""
    try:
        redis_client().delete(_name(key))
    except RedisError:
        log.warning("control key not cleared", extra={"import_id": key.import_id}, exc_info=True)


class Listener:
    """Reads the control key of one import, sparing a Redis that does not answer."""

    def __init__(self, key: ImportKey) -> None:
        self._name = _name(key)
        self._ask_again_at = 0.0

    def poll(self) -> Signal | None:
        """What the workers are asked to do, as far as Redis knows; None for words that are no signal of ours."""
        if monotonic() < self._ask_again_at:
            return None
        try:
            value = redis_client().get(self._name)
            return Signal(value.decode()) if isinstance(value, bytes) else None
        except RedisError:
            self._ask_again_at = monotonic() + _LEAVE_ALONE_SECONDS
        except ValueError:
            log.warning("control key not understood", extra={"key": self._name})
        return None
