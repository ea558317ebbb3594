"""Diagnoses PostgreSQL, Redis and the storage from the errors that they raise.

The texts contain no secrets: a state for anyone who asks ``/readyz``, a sentence and advice for operators.
"""

import errno
import re
from typing import NamedTuple

import psycopg
from psycopg import errors
from redis import AuthenticationError, RedisError, ResponseError
from sqlalchemy import exc

from app.database import ServerTooOld, WrongEncoding
from app.storage import StorageRefused


class Fault(NamedTuple):
    """Why a service that Sluice needs cannot be used now."""

    #: One or two words, for anyone.
    state: str
    #: What is wrong.
    sentence: str
    #: What to do about it.
    advice: str


_UNTRUSTED = "certificate verify failed"

# --- PostgreSQL ------------------------------------------------------------------------------------------------------

_WAITS = "Imports stand still, and go on by themselves when it can be used again. Nothing is lost."
_DATABASE_AWAY = Fault("unreachable", "The database does not answer.", _WAITS)

#: Raised by the driver and by SQLAlchemy if the database is unavailable, restarting or overloaded.
_AWAY = (psycopg.OperationalError, psycopg.InterfaceError)
_AWAY_WRAPPED = (exc.OperationalError, exc.InterfaceError, exc.TimeoutError)

_BY_SQLSTATE: dict[type[psycopg.Error], Fault] = {
    # A transaction that waited too long for something else, such as a hanging Redis, had its session ended.
    errors.IdleInTransactionSessionTimeout: _DATABASE_AWAY,
    errors.DiskFull: Fault(
        "disk full",
        "The disk of the database is full.",
        f"Pages can be read, and nothing can be written: make room on it. {_WAITS}",
    ),
    errors.ReadOnlySqlTransaction: Fault(
        "read-only",
        "The database takes no writes: it is a standby, or is set to read only.",
        f"Let DATABASE_URL name the primary. {_WAITS}",
    ),
    errors.UndefinedTable: Fault(
        "not migrated", "The database does not have the tables of this version.", "Run flask --app wsgi db upgrade."
    ),
    errors.UndefinedColumn: Fault(
        "not migrated", "The database does not have the columns of this version.", "Run flask --app wsgi db upgrade."
    ),
    errors.InsufficientPrivilege: Fault(
        "refuses rights",
        "The user in DATABASE_URL may not do in the database what Sluice needs.",
        "Let it own the tables.",
    ),
}
#: By a pattern of the message, because the driver does not pass on the code of an error in place of a connection. A
#: message in another language than English counts as no answer; it is in the log.
_BY_WORDS: dict[str, Fault] = {
    "password authentication failed|no password supplied|fe_sendauth": Fault(
        "refuses the password",
        "The database refuses the user or the password in DATABASE_URL.",
        "Correct DATABASE_URL, in which special characters are written as %40 and the like.",
    ),
    "no pg_hba.conf entry": Fault(
        "refuses this host",
        "The database lets no such connection in.",
        "Add this host, user and database to its pg_hba.conf, or ask for TLS with ?sslmode=require in DATABASE_URL.",
    ),
    _UNTRUSTED: Fault(
        "untrusted certificate",
        "The certificate of the database is not trusted.",
        "Name the authority that signed it with sslrootcert in DATABASE_URL.",
    ),
    "does not support SSL": Fault(
        "no TLS",
        "The database does not speak TLS, and DATABASE_URL asks for it.",
        "Switch it on in the server (ssl = on), or leave sslmode out of DATABASE_URL.",
    ),
    "too many clients|remaining connection slots|too many connections|no more connections allowed": Fault(
        "no connection left",
        "The database has as many connections as it takes.",
        f"Raise max_connections, or run fewer processes. {_WAITS}",
    ),
    "starting up|shutting down|in recovery mode|not yet accepting connections": Fault(
        "starting", "The database is starting or stopping.", _WAITS
    ),
    "unsupported startup parameter": Fault(
        "refuses a parameter",
        "The connection pooler refuses a parameter in DATABASE_URL.",
        "Leave options out of DATABASE_URL: what Sluice needs it sets by itself.",
    ),
    "does not exist": Fault(
        "missing",
        "There is no such user or database as DATABASE_URL names.",
        "Make them with createuser and createdb, or correct DATABASE_URL.",
    ),
    "no such database": Fault(
        "missing",
        "The connection pooler knows no such database as DATABASE_URL names.",
        "Add it to the pooler's configuration, or correct DATABASE_URL.",
    ),
}


#: What the coordinator of a cluster says in place of a code when it loses a node in the middle of a COPY or a commit.
_NODE_LOST = re.compile(
    "SYSCALL error|server closed the connection|invalid socket|no connection to the server"
    "|could not (receive|send) data|could not commit transaction for shard"
)
_NODE_ADDRESS = re.compile(r"(?:remote node \S*@|while executing command on )(\S+:\d+)")


def of_node(error: BaseException) -> Fault | None:
    """Why a node of a cluster cannot be used; None if ``error`` is not about that.

    The coordinator answers, so the rows of other nodes can be read and written.
    """
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    if not isinstance(cause, psycopg.Error) or cause.diag.severity_nonlocalized != "ERROR":
        # An error that has ended the session is about the server itself.
        return None
    if isinstance(cause, errors.ProtocolViolation):
        # Of the class of lost connections, but a mistake of ours in a message: it comes again however long one waits.
        return None
    state, told = cause.sqlstate or "", str(cause)
    if state[:2] != "08" and state[:3] != "57P" and not (state == "XX000" and _NODE_LOST.search(told)):
        return None
    address = _NODE_ADDRESS.search(f"{told}\n{cause.diag.context}")
    return node_away(address[1] if address else "unknown")


def node_away(address: str) -> Fault:
    """A node of a cluster does not answer."""
    return Fault(
        "node unreachable",
        f"The database node {address} does not answer.",
        "Imports of its sellers wait, without using up attempts, and go on by themselves when it answers again. Other "
        "sellers notice nothing.",
    )


def of_database(error: BaseException) -> Fault | None:
    """Why the database cannot be used; None if ``error`` is not about that, but about a wrong statement."""
    if node := of_node(error):
        return node
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    for unfit, state in ((ServerTooOld, "too old"), (WrongEncoding, "wrong encoding")):
        if isinstance(cause, unfit):
            return Fault(state, str(cause), "Nothing was changed.")
    for kind, fault in _BY_SQLSTATE.items():
        if isinstance(cause, kind):
            return fault
    if not (isinstance(cause, _AWAY) or isinstance(error, _AWAY_WRAPPED)):
        return None
    if isinstance(cause, psycopg.Error) and cause.sqlstate is None:
        told = str(cause)
        return next((fault for words, fault in _BY_WORDS.items() if re.search(words, told)), _DATABASE_AWAY)
    return _DATABASE_AWAY


# --- Redis -----------------------------------------------------------------------------------------------------------

_DELAYS = "Nothing is lost: running batches go on, others wait until it is mended, and uploads are accepted meanwhile."
_REDIS_AWAY = Fault("unreachable", "Redis does not answer.", _DELAYS)
_REDIS_PASSWORD = Fault(
    "refuses the password",
    "Redis refuses the user or the password in REDIS_URL.",
    f"Correct REDIS_URL, in which special characters are written as %40 and the like. {_DELAYS}",
)
#: Faults by the first word of Redis's error.
_BY_CODE: dict[str, Fault] = {
    "OOM": Fault(
        "out of memory",
        "Redis has no memory left (maxmemory) and refuses writes.",
        f"Give it more, or remove what others keep in it. {_DELAYS}",
    ),
    "READONLY": Fault("read-only", "Redis is a read-only replica.", f"Let REDIS_URL name the primary. {_DELAYS}"),
    "MISCONF": Fault(
        "cannot save",
        "Redis cannot save to its disk and refuses writes.",
        f"Its log says why; mostly the disk is full. {_DELAYS}",
    ),
    "NOREPLICAS": Fault(
        "too few replicas",
        "Redis misses replicas (min-replicas-to-write) and refuses writes.",
        f"Bring the replicas back. {_DELAYS}",
    ),
    "LOADING": Fault("starting", "Redis is starting and loads its data.", _DELAYS),
    "NOPERM": Fault(
        "refuses rights",
        "The user in REDIS_URL may not do in Redis what Sluice needs.",
        f"Allow it every command on every key and channel but the dangerous ones: ~* &* +@all -@dangerous. {_DELAYS}",
    ),
    "WRONGTYPE": Fault(
        "foreign data",
        "Something else stands in Redis where Sluice keeps its queues.",
        f"Find out what writes there, and then empty that database with FLUSHDB. {_DELAYS}",
    ),
    "NOAUTH": _REDIS_PASSWORD,
    "WRONGPASS": _REDIS_PASSWORD,
}


def of_redis(error: RedisError) -> Fault:
    """Why Redis cannot be used."""
    told = str(error)
    known = _BY_CODE.get(error.status_code or told.partition(" ")[0])
    if known is not None:
        return known
    if isinstance(error, AuthenticationError):
        return _REDIS_PASSWORD
    if _UNTRUSTED in told.lower():
        return Fault(
            "untrusted certificate",
            "The certificate of Redis is not trusted.",
            f"Name the authority that signed it with ssl_ca_certs in REDIS_URL. {_DELAYS}",
        )
    if "max number of clients" in told:
        return Fault("no connection left", "Redis has as many clients as it takes.", f"Raise maxclients. {_DELAYS}")
    if isinstance(error, ResponseError):
        return Fault("refuses", "Redis refuses what Sluice asks of it.", f"The log says what it answers. {_DELAYS}")
    return _REDIS_AWAY


# --- The storage -----------------------------------------------------------------------------------------------------

_REFUSED = "Uploads are refused, and batches cannot be read. Those that meet with it too often are given up."


def of_storage(error: OSError) -> Fault:
    """Why the storage cannot be used."""
    if isinstance(error, StorageRefused):
        return Fault("refuses", str(error), f"Correct STORAGE_URL or the credentials. {_REFUSED}")
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return Fault(
            "disk full",
            "The disk of the storage is full.",
            "Uploads are refused until there is room. Batches go on: they only read.",
        )
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return Fault(
            "not writable",
            "The storage cannot be written to.",
            "Give the account that Sluice runs as the right to write to the directory in STORAGE_URL. "
            "Uploads are refused until then.",
        )
    if isinstance(error, FileNotFoundError):
        return Fault("missing", "The storage does not have the file.", "Look for it in a backup of the storage.")
    return Fault("unreachable", "The storage does not answer.", _REFUSED)
