"""rq-dashboard's Redis client: it only reads, and within limits."""

import zlib
from typing import Any

import rq.job
import rq.results
from redis import Redis
from redis.client import Pipeline
from rq import Worker
from rq.exceptions import NoSuchJobError
from rq.serializers import JSONSerializer, PickleSerializer

from app import redis_client

__all__ = ["MAX_BYTES", "JSONSerializer", "NoSuchJobError", "ShownWorker", "TooLarge", "contain_rq", "open_reader"]

#: Largest key, and largest unpacked value, that is read into this process, in bytes. Jobs of Sluice have hundreds.
MAX_BYTES = 1 << 20

#: The allowed commands: those that read values, and those that only describe them.
_READING = frozenset(
    {"GET", "HGET", "HGETALL", "HMGET", "LRANGE", "SMEMBERS", "XRANGE", "XREVRANGE", "ZRANGE", "ZRANGEBYSCORE"}
)
_ASKING = _READING | {"EXISTS", "HEXISTS", "HLEN", "LLEN", "PING", "SCARD", "TTL", "TYPE", "XLEN", "ZCARD", "ZSCORE"}


class TooLarge(Exception):
    """A value in Redis is larger than any that Sluice writes; the message is a sentence that names it."""


class ShownWorker(Worker):
    """A worker for display: RQ's own raises the timeout of its connection pool to minutes."""

    def _set_connection(self, connection: Redis) -> Redis:
        return connection


def open_reader(url: str) -> Redis:
    """A client for the Redis at ``url``, with a separate pool. It connects when it is first used.

    It ignores commands that would change something, and answers that there was nothing to change.
    """
    return redis_client.connect(url, _Reader)


def contain_rq() -> None:
    """Have RQ read no pickle in this process, and unpack nothing larger than what Sluice writes.

    The dashboard does not always tell RQ which serializer to use, and unpickling a value would run its code.
    """
    PickleSerializer.dumps = JSONSerializer.dumps
    PickleSerializer.loads = JSONSerializer.loads
    rq.job.zlib = rq.results.zlib = _BoundedZlib  # type: ignore[attr-defined,assignment]


class _BoundedZlib:
    """The part of ``zlib`` that RQ uses."""

    error = zlib.error
    compress = staticmethod(zlib.compress)

    @staticmethod
    def decompress(data: bytes) -> bytes:
        """As ``zlib.decompress``. Raises TooLarge."""
        unpacking = zlib.decompressobj()
        unpacked = unpacking.decompress(data, MAX_BYTES)
        if unpacking.unconsumed_tail:
            raise TooLarge(
                f"A value in Redis has more than {MAX_BYTES:,} bytes when it is unpacked: it is none of ours."
            )
        if not unpacking.eof:
            raise zlib.error("The packed value is cut off.")
        return unpacked


class _Reader(Redis):
    def execute_command(self, *args: Any, **options: Any) -> Any:
        if args[0] in _READING:
            self.refuse_large(args[1])
        return super().execute_command(*args, **options) if args[0] in _ASKING else 0  # type: ignore[no-untyped-call]

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """A pipeline with the same limits."""
        return _ReadingPipeline(self, transaction, shard_hint)

    def refuse_large(self, key: Any) -> None:
        """Raises TooLarge for a key that is too large to read."""
        size = super().execute_command("MEMORY USAGE", key, "SAMPLES", 0)  # type: ignore[no-untyped-call]
        if size and size > MAX_BYTES:
            name = key.decode(errors="replace") if isinstance(key, bytes) else str(key)
            raise TooLarge(f"“{name}” in Redis has more than {MAX_BYTES:,} bytes: it is none of ours.")


class _ReadingPipeline(Pipeline):
    def __init__(self, reader: _Reader, transaction: bool, shard_hint: str | None) -> None:
        super().__init__(reader.connection_pool, reader.response_callbacks, transaction, shard_hint)
        self._reader = reader

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if args[0] in _READING:
            self._reader.refuse_large(args[1])
        return super().execute_command(*args, **options) if args[0] in _ASKING else self  # type: ignore[no-untyped-call]
