"""Errors of servers are explained in words, and never with parts of their addresses."""

from __future__ import annotations

import psycopg
import pytest
from redis import exceptions as redis_errors
from sqlalchemy import exc

from app import diagnosis
from app.database import ServerTooOld

#: As PostgreSQL 15, PgBouncer 1.18 and libpq 17 put it.
_SAID = {
    'FATAL:  password authentication failed for user "sluice"': "refuses the password",
    "fe_sendauth: no password supplied": "refuses the password",
    'FATAL:  no pg_hba.conf entry for host "10.0.0.7", user "other", database "x", no encryption': "refuses this host",
    'FATAL:  database "sluice" does not exist': "missing",
    'FATAL:  role "sluice" does not exist': "missing",
    "server does not support SSL, but SSL was required": "no TLS",
    "SSL error: certificate verify failed": "untrusted certificate",
    "FATAL:  sorry, too many clients already": "no connection left",
    "FATAL:  the database system is starting up": "starting",
    "FATAL:  unsupported startup parameter: options": "refuses a parameter",
    "FATAL:  no such database: sluice": "missing",
    "Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?": "unreachable",
}


@pytest.mark.parametrize("said", _SAID)
def test_why_no_connection_is_made(said: str) -> None:
    told = psycopg.OperationalError(f'connection failed: connection to server at "10.0.0.5", port 5432 failed: {said}')
    fault = diagnosis.of_database(exc.OperationalError(None, None, told))
    assert fault is not None
    assert fault.state == _SAID[said]
    for secret in ("10.0.0.", "other"):
        assert secret not in " ".join(fault)


def test_a_session_that_was_ended_for_sitting_idle_is_no_mistake_of_ours() -> None:
    ended = psycopg.errors.IdleInTransactionSessionTimeout("terminating connection due to idle-in-transaction timeout")
    for error in (ended, exc.InternalError("select", {}, ended)):
        fault = diagnosis.of_database(error)
        assert fault is not None
        assert fault.state == "unreachable"


def test_a_mistake_of_ours_is_no_trouble_of_the_database() -> None:
    assert diagnosis.of_database(psycopg.errors.SyntaxError("syntax error")) is None
    assert diagnosis.of_database(exc.IntegrityError("insert", {}, psycopg.errors.UniqueViolation("twice"))) is None
    assert diagnosis.of_database(ValueError("database")) is None


def test_a_server_that_is_too_old_is_told_in_its_own_words() -> None:
    old = ServerTooOld("The database is PostgreSQL 14, and Sluice needs 15 or newer. Upgrade it first.")
    fault = diagnosis.of_database(exc.OperationalError(None, None, old))
    assert fault == ("too old", str(old), "Nothing was changed.")


def test_a_certificate_of_redis_that_is_not_trusted() -> None:
    # As the ssl module of Python puts it.
    told = (
        "Error 1 connecting to 10.0.0.6:6379. [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed"
    )
    fault = diagnosis.of_redis(redis_errors.ConnectionError(told))
    assert fault.state == "untrusted certificate"
    assert "10.0.0.6" not in " ".join(fault)
