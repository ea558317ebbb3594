"""Sets up sessions of PostgreSQL with the timeouts that Sluice's promises rely on, also behind a connection pooler.

A pooler that assigns a server's session for a single transaction (PgBouncer with ``pool_mode = transaction``) forgets
the session's settings or leaves them to the next client. It is detected by the process id of the server, which it does
not pass on. Then every setting is repeated in each transaction, and no statement is prepared.
"""

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

#: The oldest major version of PostgreSQL that Sluice is tested with.
LEAST_VERSION = 15
#: Longest wait for another transaction's lock. After it, a request answers with an error and a worker tries again.
LOCK_TIMEOUT_SECONDS = 30
#: Longest wait of a request for any answer: longer than for a lock, so that only a frozen server exceeds it.
_ANSWER_TIMEOUT_SECONDS = 45.0
#: Key in SQLAlchemy's ``info`` of a connection that is behind a pooler.
_BEHIND_POOLER = "sluice_behind_pooler"


class ServerTooOld(psycopg.OperationalError):
    """The server is older than the oldest version that Sluice is tested with."""


class WrongEncoding(psycopg.OperationalError):
    """The database is not encoded in UTF-8, so that it cannot hold every text."""


class NoAnswer(psycopg.OperationalError):
    """The server has accepted a request's statement and does not answer."""


class _Connection(psycopg.Connection[Any]):
    """A connection on which no request waits for ever.

    The kernel of a machine whose server is frozen still acknowledges every packet, so neither keepalives nor
    tcp_user_timeout notice, and each waiting request would occupy a thread of the web process. Workers and commands
    wait for as long as it takes: they have nothing else to do, and a migration may take long.
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
    """Bind ``app`` to the database at ``url``. It connects when it is first used."""
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
        "lock_timeout": f"{LOCK_TIMEOUT_SECONDS}s",
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
    """The names of the current session's settings that are not as Sluice sets them; normally none."""
    wanted: dict[str, str] = current_app.extensions["sluice_session_settings"]
    query = """
        select w.name from unnest(cast(:names as text[]), cast(:settings as text[])) as w (name, setting)
        where w.name <> 'timezone'
          and cast(current_setting(w.name) as interval) is distinct from cast(w.setting as interval)
        order by 1
    """
    rows = db.session.execute(text(query), {"names": list(wanted), "settings": list(wanted.values())})
    return list(rows.scalars())


class _Setup:
    """Makes a session's settings, once or for each transaction."""

    def __init__(self, settings: dict[str, str]) -> None:
        self._names, self._values = list(settings), list(settings.values())

    def on_connect(self, connection: psycopg.Connection[Any], entry: ConnectionPoolEntry) -> None:
        """Set up a new connection."""
        connection.autocommit = True
        # Behind a pooler the settings end with this statement, so other clients do not inherit them.
        process = self._set(connection, is_local="pg_backend_pid() <> %s", more=[connection.info.backend_pid])
        connection.autocommit = False
        entry.info[_BEHIND_POOLER] = is_behind_pooler = process != connection.info.backend_pid
        if is_behind_pooler:
            # A prepared statement belongs to a session of the server, and the next transaction may get another session.
            connection.prepare_threshold = None

    def on_begin(self, connection: Connection) -> None:
        """Make the settings for one transaction, where those of the session may be lost."""
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
