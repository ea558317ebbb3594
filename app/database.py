"""How sessions of PostgreSQL are set up: with the timeouts that promises rest on, also behind a connection pooler.

A pooler that hands out a server's session for a single transaction (PgBouncer with ``pool_mode = transaction``) forgets
what was set for the session, or leaves it to the next client. It is recognised by the number of the server process,
which it does not pass on; then every setting is made again in each transaction, and no statement is prepared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString, TypeVar

import psycopg
from flask import Flask, current_app, has_request_context
from psycopg import errors
from psycopg.abc import PQGen
from sqlalchemy import Connection, Dialect, event, text
from sqlalchemy.pool import ConnectionPoolEntry

from app.config import Settings
from app.extensions import db

_Result = TypeVar("_Result")

#: The oldest major version of PostgreSQL that is tried.
LEAST_VERSION = 15
#: Longest wait for another transaction's lock: a request answers within it, and a worker tries again.
_LOCK_TIMEOUT_SECONDS = 30
#: Longest wait of a request for any answer: longer than for a lock, so that only a server which has stopped meets it.
_ANSWER_TIMEOUT_SECONDS = 45.0
#: What a connection of the pool is known to be, in SQLAlchemy's notes about it.
_BEHIND_POOLER = "sluice_behind_pooler"


class ServerTooOld(psycopg.OperationalError):
    """The server is older than the oldest version that Sluice is tried with."""


class WrongEncoding(psycopg.OperationalError):
    """The database is not encoded in UTF-8, so that it cannot hold every text."""


class NoAnswer(psycopg.OperationalError):
    """The server has taken a statement of a request and does not answer."""


class _Connection(psycopg.Connection[Any]):
    """A connection on which no request waits for ever.

    Where a server is frozen, the kernel of its machine still acknowledges all that arrives, so that neither keepalives
    nor tcp_user_timeout tell; and each request would take a thread of the web process along. Workers and commands wait
    for as long as it takes: they have nothing better to do, and a migration may take its time.
    """

    def wait(self, gen: PQGen[_Result], interval: float = 0.1, timeout: float | None = None) -> _Result:
        """Wait for what ``gen`` wants. Raises NoAnswer, and closes the connection, where it takes too long."""
        limit = timeout if timeout is not None or not has_request_context() else _ANSWER_TIMEOUT_SECONDS
        try:
            return super().wait(gen, interval, limit)
        except errors._WaitTimeout as error:
            if timeout is not None:
                raise
            self.pgconn.finish()
            raise NoAnswer(f"The database has not answered for {limit} seconds.") from error


def init_app(app: Flask, url: str, settings: Settings) -> None:
    """Bind ``app`` to the database at ``url``; no connection is made before it is used."""
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
        "pool_pre_ping": True,
        "connect_args": {
            "application_name": "sluice",
            "connect_timeout": 5,
            # A host that is cut off is noticed within the lease, whichever side is waiting.
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": int(settings.lease_seconds * 1000),
        },
    }
    app.extensions["sluice_session_settings"] = {
        # A worker that freezes inside a chunk would hold its batch's lock, and with it a Terminate, for ever.
        "idle_in_transaction_session_timeout": f"{int(settings.lease_seconds * 1000)}ms",
        "lock_timeout": f"{_LOCK_TIMEOUT_SECONDS}s",
        "timezone": "UTC",
    }
    db.init_app(app)
    setup = _Setup(app.extensions["sluice_session_settings"])
    with app.app_context():
        event.listen(db.engine, "do_connect", _connect)
        event.listen(db.engine, "connect", setup.on_connect)
        event.listen(db.engine, "begin", setup.on_begin)


def _connect(
    _dialect: Dialect, _entry: ConnectionPoolEntry, arguments: list[Any], options: dict[str, Any]
) -> psycopg.Connection[Any]:
    """Connect, before SQLAlchemy asks anything. Raises ServerTooOld and WrongEncoding."""
    connection = _Connection.connect(*arguments, **options)
    try:
        _refuse_unfit(connection.info)
    except psycopg.Error:
        connection.close()
        raise
    return connection


def _refuse_unfit(server: psycopg.ConnectionInfo) -> None:
    version = server.server_version // 10_000
    if version < LEAST_VERSION:
        raise ServerTooOld(
            f"The database is PostgreSQL {version}, and Sluice needs {LEAST_VERSION} or newer. Upgrade it first."
        )
    encoding = server.parameter_status("server_encoding")
    if encoding not in {"UTF8", None}:
        raise WrongEncoding(
            f"The database is encoded in {encoding}, and Sluice needs UTF8. Make it anew, with "
            "createdb --encoding=UTF8 --template=template0."
        )


def find_wrong_settings() -> list[str]:
    """The settings of the current session that are not what promises rest on; empty: all is well."""
    wanted: dict[str, str] = current_app.extensions["sluice_session_settings"]
    rows = db.session.execute(
        text(
            """
            select w.name from unnest(cast(:names as text[]), cast(:settings as text[])) as w (name, setting)
            where w.name <> 'timezone'
              and cast(current_setting(w.name) as interval) is distinct from cast(w.setting as interval)
            order by 1
            """
        ),
        {"names": list(wanted), "settings": list(wanted.values())},
    )
    return list(rows.scalars())


class _Setup:
    """Sets what a session must have, once or for each transaction."""

    def __init__(self, settings: dict[str, str]) -> None:
        self._names, self._values = list(settings), list(settings.values())

    def on_connect(self, connection: psycopg.Connection[Any], entry: ConnectionPoolEntry) -> None:
        """Set up a new connection."""
        connection.autocommit = True
        # Behind a pooler what is set is gone again at the end of this statement, and other clients do not inherit it.
        process = self._set(connection, is_local="pg_backend_pid() <> %s", more=[connection.info.backend_pid])
        connection.autocommit = False
        entry.info[_BEHIND_POOLER] = is_behind_pooler = process != connection.info.backend_pid
        if is_behind_pooler:
            # What is prepared stays with a session of the server, and the next transaction may get another.
            connection.prepare_threshold = None

    def on_begin(self, connection: Connection) -> None:
        """Set up a transaction where the session cannot be relied on."""
        if connection.info[_BEHIND_POOLER]:
            driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
            self._set(driver, is_local="true")

    def _set(self, connection: psycopg.Connection[Any], *, is_local: LiteralString, more: Sequence[int] = ()) -> int:
        """Make the settings, and return the number of the server process that answers."""
        row = connection.execute(
            f"select min(pg_backend_pid()), count(set_config(name, value, {is_local})) "
            "from unnest(%s::text[], %s::text[]) as wanted (name, value)",
            [*more, self._names, self._values],
        ).fetchone()
        assert row is not None
        return int(row[0])
