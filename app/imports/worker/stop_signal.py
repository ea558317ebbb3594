"""The stop signal: the Redis key through which Pause and Terminate reach workers between two chunks.

It is a hint, and makes a stop prompt. The fence, which asks the database, makes it certain. So a signal that is lost,
late or left over does no harm.
"""

import logging
from time import monotonic

from redis import RedisError

from app.queries import ImportKey
from app.redis_client import redis_client

log = logging.getLogger(__name__)

#: After this many seconds a forgotten key expires; workers read it much sooner.
_LIFE_SECONDS = 24 * 3600
#: After Redis has failed to answer, workers do not ask it for this many seconds.
_LEAVE_ALONE_SECONDS = 5.0
#: The value of the key.
_STOP = b"stop"


def _name(key: ImportKey) -> str:
    return f"sluice:control:{key.import_id}"


def send(key: ImportKey) -> None:
    """Ask the workers of an import to stop at the end of their chunk."""
    try:
        redis_client().set(_name(key), _STOP, ex=_LIFE_SECONDS)
    except RedisError:
        log.warning("stop signal not set", extra={"import_id": key.import_id}, exc_info=True)


def clear(key: ImportKey) -> None:
    """Clear the signal."""
    try:
        redis_client().delete(_name(key))
    except RedisError:
        log.warning("stop signal not cleared", extra={"import_id": key.import_id}, exc_info=True)


class Listener:
    """Reads the stop signal of one import, and spares a Redis that does not answer."""

    def __init__(self, key: ImportKey) -> None:
        self._name = _name(key)
        self._ask_again_at = 0.0

    def poll(self) -> bool:
        """Whether the import's workers are asked to stop; false while Redis does not answer."""
        if monotonic() < self._ask_again_at:
            return False
        try:
            return bool(redis_client().get(self._name) == _STOP)
        except RedisError:
            self._ask_again_at = monotonic() + _LEAVE_ALONE_SECONDS
        return False
