"""The application's Redis client. It fails fast, because nothing that matters may wait for Redis."""

from flask import Flask, current_app
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

#: How long a hung Redis may delay a request, in seconds, for each of two tries.
TIMEOUT_SECONDS = 1.0


def init_app(app: Flask, url: str) -> None:
    """Give ``app`` a client for the Redis at ``url``. It connects when it is first used."""
    app.extensions["sluice_redis"] = connect(url)


def connect(url: str, kind: type[Redis] = Redis) -> Redis:
    """A client for the Redis at ``url``, with a separate pool. It connects when it is first used."""
    return kind.from_url(
        url,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 1),
        # To tell the server about the library, each process would read the library's metadata.
        driver_info=None,
    )


def redis_client() -> Redis:
    """The client of the current application."""
    client: Redis = current_app.extensions["sluice_redis"]
    return client
