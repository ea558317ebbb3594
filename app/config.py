"""Every setting of Sluice, read from the environment once and checked at start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar


class ConfigError(Exception):
    """A setting is missing or makes no sense; the message names it and says what to write."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process; each field is the environment variable of the same name in upper case."""

    #: Where the private servers and the local storage live when no other place is named.
    sluice_home: Path
    #: PostgreSQL, as a SQLAlchemy address; empty: the private server under ``sluice_home``.
    database_url: str
    #: Redis or Valkey; empty: the private server under ``sluice_home``.
    redis_url: str
    #: ``file:///path`` or ``s3://bucket/prefix``.
    storage_url: str
    #: Another S3 server than Amazon's.
    s3_endpoint_url: str
    #: ``AES256`` or ``aws:kms``; empty: the bucket's own default.
    s3_server_side_encryption: str
    #: The key for ``aws:kms``; empty: the account's default.
    s3_kms_key_id: str
    #: Signs sessions and CSRF tokens.
    secret_key: str
    #: Most rows in one file.
    max_rows: int
    #: Most bytes in one file.
    max_upload_bytes: int
    #: A running batch that has not been heard of for so long is taken back. A frozen worker's transaction is ended by
    #: the database after the same time, so that no lock outlives the lease.
    lease_seconds: float
    #: How often the workers' supervisor looks for something to repair.
    tick_seconds: float
    #: Attempts in a row without a single chunk committed, after which a batch is given up.
    max_fruitless_attempts: int
    #: A chunk is sized to take about this long: counters stay fresh and a stop stays prompt.
    chunk_seconds: float

    #: How many proxies in front add to X-Forwarded-For; 0: the address of a visitor is that of the connection.
    trusted_proxies: int
    #: What Prometheus shows to read ``/metrics``; empty: operators alone can.
    metrics_token: str
    #: ``json`` or ``text``.
    log_format: str
    #: Days after the end of an import after which its file, its failed rows, and the import are removed; 0: never.
    keep_sources_days: int
    keep_errors_days: int
    keep_imports_days: int

    #: Whether cookies are sent over HTTPS only; off for ``make run``, which serves plain HTTP on this host.
    session_cookie_secure: bool


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from ``environ``.

    Raises ConfigError for a value that cannot be used.
    """
    home = Path(environ.get("SLUICE_HOME") or ".sluice").resolve()
    database_url = environ.get("DATABASE_URL", "")
    for scheme in ("postgres://", "postgresql://"):
        if database_url.startswith(scheme):
            database_url = "postgresql+psycopg://" + database_url.removeprefix(scheme)
    if database_url and not database_url.startswith("postgresql+psycopg://"):
        raise ConfigError("DATABASE_URL must be a PostgreSQL address, for example postgresql://user@host/sluice.")
    return Settings(
        sluice_home=home,
        database_url=database_url,
        redis_url=environ.get("REDIS_URL", ""),
        storage_url=environ.get("STORAGE_URL") or f"file://{home / 'storage'}",
        s3_endpoint_url=environ.get("S3_ENDPOINT_URL", ""),
        s3_server_side_encryption=environ.get("S3_SERVER_SIDE_ENCRYPTION", ""),
        s3_kms_key_id=environ.get("S3_KMS_KEY_ID", ""),
        secret_key=environ.get("SECRET_KEY", ""),
        max_rows=_positive(environ, "MAX_ROWS", 2_000_000),
        max_upload_bytes=_positive(environ, "MAX_UPLOAD_BYTES", 1 << 30),
        lease_seconds=_positive(environ, "LEASE_SECONDS", 10.0),
        tick_seconds=_positive(environ, "TICK_SECONDS", 2.0),
        max_fruitless_attempts=_positive(environ, "MAX_FRUITLESS_ATTEMPTS", 5),
        chunk_seconds=_positive(environ, "CHUNK_SECONDS", 0.2),
        trusted_proxies=_positive_or_0(environ, "TRUSTED_PROXIES", 0),
        metrics_token=environ.get("METRICS_TOKEN", ""),
        log_format=_one_of(environ, "LOG_FORMAT", ("json", "text")),
        keep_sources_days=_positive_or_0(environ, "KEEP_SOURCES_DAYS", 90),
        keep_errors_days=_positive_or_0(environ, "KEEP_ERRORS_DAYS", 180),
        keep_imports_days=_positive_or_0(environ, "KEEP_IMPORTS_DAYS", 730),
        session_cookie_secure=environ.get("SESSION_COOKIE_SECURE", "") == "1",
    )


_Number = TypeVar("_Number", int, float)


def _positive(environ: Mapping[str, str], name: str, default: _Number) -> _Number:
    text = environ.get(name)
    if not text:
        return default
    try:
        value = type(default)(text)
    except ValueError:
        raise ConfigError(f"{name} must be a number, not {text!r}.") from None
    if value <= 0:
        raise ConfigError(f"{name} must be greater than 0, not {text!r}.")
    return value


def _positive_or_0(environ: Mapping[str, str], name: str, default: int) -> int:
    return 0 if environ.get(name) == "0" else _positive(environ, name, default or 1) if environ.get(name) else default


def _one_of(environ: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = environ.get(name) or choices[0]
    if value not in choices:
        raise ConfigError(f"{name} must be {' or '.join(choices)}, not {value!r}.")
    return value
