"""Every setting of Sluice, read from the environment once and checked at start."""

import os
import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qs, unquote, urlsplit

from flask import current_app

#: The key signs sessions. 128 bits, which cannot be guessed, are this many hexadecimal digits.
_MIN_SECRET_KEY_LENGTH = 32


class ConfigError(Exception):
    """A setting is missing or invalid; the message names it and says what to write."""


class SmtpServer(NamedTuple):
    """The mail server that SMTP_URL names."""

    host: str
    port: int
    #: Empty: no authentication.
    user: str
    password: str
    #: TLS from the first byte.
    is_tls: bool
    #: STARTTLS before anything else; a server that does not offer it gets no mail.
    must_start_tls: bool


def _or_none(usual: int) -> int:
    """A number that 0 switches off."""
    made: int = field(default=usual, metadata={"may_be_zero": True})
    return made


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process; each field is the environment variable of the same name in upper case."""

    #: Directory of the private servers and the local storage, unless others are configured, and of what the processes
    #: of a host share.
    sluice_home: Path = Path(".sluice")
    #: PostgreSQL, as a SQLAlchemy URL; empty: the private server under ``sluice_home``.
    database_url: str = ""
    #: Redis or Valkey; empty: the private server under ``sluice_home``.
    redis_url: str = ""
    #: ``file:///path`` or ``s3://bucket/prefix``.
    storage_url: str = ""
    #: An S3 server other than Amazon's; empty: Amazon's.
    s3_endpoint_url: str = ""
    #: ``AES256`` or ``aws:kms``; empty: the bucket's own default.
    s3_server_side_encryption: str = ""
    #: The key for ``aws:kms``; empty: the account's default.
    s3_kms_key_id: str = ""
    #: Signs sessions and CSRF tokens.
    secret_key: str = ""
    #: Maximum number of rows in one file.
    max_rows: int = 2_000_000
    #: Maximum size of one file, in bytes.
    max_upload_bytes: int = 1 << 30
    #: A running batch without a heartbeat for this long is reclaimed. The database ends a frozen worker's transaction
    #: after the same time, so that no lock outlives the lease.
    lease_seconds: float = 10.0
    #: Interval of the supervisors' ticks, each of which may trigger a sweep.
    tick_seconds: float = 2.0
    #: A batch is given up after this many consecutive attempts that committed no chunk.
    max_fruitless_attempts: int = 5
    #: Target duration of a chunk: short enough for fresh counters and prompt stops.
    chunk_seconds: float = 0.2
    #: Maximum number of requests a minute, and of uploads an hour, for each API token. 0 disables the limit.
    api_requests_per_minute: int = _or_none(600)
    api_uploads_per_hour: int = _or_none(120)

    #: A session ends after this many hours without use, and at the latest this many hours after sign-in.
    session_idle_hours: int = 12
    session_max_hours: int = 24 * 7
    #: Number of trusted proxies in front of the web server: as many of the last addresses in X-Forwarded-For are
    #: believed.
    trusted_proxies: int = _or_none(0)
    #: Quotas of each seller: concurrent uploads, and files, rows and bytes in 24 hours. 0 disables the limit.
    uploads_in_flight: int = _or_none(8)
    files_per_day: int = _or_none(2_880)
    rows_per_day: int = _or_none(100_000_000)
    bytes_per_day: int = _or_none(50_000_000_000)
    #: The token that Prometheus presents to read ``/metrics``; empty: only operators can.
    metrics_token: str = ""
    #: ``json`` or ``text``.
    log_format: str = "json"
    #: Retention: days after the end of an import until its file, failed rows, and the import are deleted. 0: never.
    keep_sources_days: int = _or_none(0)
    keep_errors_days: int = _or_none(0)
    keep_imports_days: int = _or_none(0)
    #: Days after its end for which an import can be undone, and its earlier values are kept. 0: always.
    keep_undo_days: int = _or_none(30)

    #: Whether cookies are sent over HTTPS only; off for ``make run``, which serves plain HTTP on this host.
    session_cookie_secure: bool = False

    #: The public URL of the pages, without a slash at the end; for links in emails and webhooks. If it has a path, the
    #: pages are below it.
    public_url: str = ""
    #: ``smtp://user:password@host:587?starttls=1`` or ``smtps://…``; empty: no emails are sent.
    smtp_url: str = ""
    #: The sender's address of emails.
    mail_from: str = ""
    #: Allows webhooks to private addresses and over plain HTTP; for development and tests only.
    webhook_allow_private: bool = False

    @property
    def public_path(self) -> str:
        """The path of ``public_url``; empty when the pages are at the root of their host."""
        return urlsplit(self.public_url).path

    @property
    def sends_mail(self) -> bool:
        """Whether emails are sent."""
        return bool(self.smtp_url)


def current_settings() -> Settings:
    """The settings of the current application."""
    settings: Settings = current_app.extensions["sluice_settings"]
    return settings


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from ``environ``.

    Raises ConfigError for a value that cannot be used.
    """
    read = Settings(**{setting.name: _read(setting, environ) for setting in fields(Settings)})
    database_url = read.database_url
    for scheme in ("postgres://", "postgresql://"):
        if database_url.startswith(scheme):
            database_url = "postgresql+psycopg://" + database_url.removeprefix(scheme)
    if database_url and not database_url.startswith("postgresql+psycopg://"):
        raise ConfigError("DATABASE_URL must be a PostgreSQL address, for example postgresql://user@host/sluice.")
    if 0 < len(read.secret_key) < _MIN_SECRET_KEY_LENGTH:
        raise ConfigError(
            f"SECRET_KEY must have {_MIN_SECRET_KEY_LENGTH} characters at least, and be random: "
            "python3 -c 'import secrets; print(secrets.token_hex(32))' makes one."
        )
    public_url = read.public_url.rstrip("/")
    if public_url and not re.fullmatch(r"https?://[^/?#\s]+(/[A-Za-z0-9._~-]+)*", public_url):
        raise ConfigError(
            "PUBLIC_URL must be a web address, for example https://sluice.example.com or https://www.example.com/sluice."
        )
    if read.log_format not in {"json", "text"}:
        raise ConfigError(f"LOG_FORMAT must be json or text, not {read.log_format!r}.")
    if read.smtp_url:
        parse_smtp_url(read.smtp_url)
        if not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", read.mail_from):
            raise ConfigError("MAIL_FROM must be a plain email address when SMTP_URL is set: sluice@example.com.")
        if not public_url:
            raise ConfigError("PUBLIC_URL is missing: the emails that SMTP_URL turns on link to the pages.")
    storage_url = read.storage_url or f"file://{read.sluice_home / 'storage'}"
    return replace(read, database_url=database_url, storage_url=storage_url, public_url=public_url)


def _read(setting: Field[Any], environ: Mapping[str, str]) -> Any:
    """The value of a setting: a switch, a text, a directory, or a number of the kind of its default."""
    name, usual = setting.name.upper(), cast(Any, setting.default)
    text = environ.get(name, "")
    if isinstance(usual, bool):
        return text == "1"
    if isinstance(usual, Path):
        return Path(text or usual).resolve()
    if isinstance(usual, str):
        return text or usual
    if not text.strip():
        return usual
    if text.strip() == "0" and setting.metadata:
        return 0
    try:
        value = type(usual)(text)
    except ValueError:
        raise ConfigError(f"{name} must be a number, not {text!r}.") from None
    if value <= 0:
        raise ConfigError(f"{name} must be greater than 0, not {text!r}.")
    return value


def parse_smtp_url(url: str) -> SmtpServer:
    """Parse SMTP_URL. Raises ConfigError, without the password, when it cannot be used."""
    try:
        parts = urlsplit(url)
        default_port = {"smtp": 25, "smtps": 465}[parts.scheme]
        starts_tls = parse_qs(parts.query).get("starttls") == ["1"]
        server = SmtpServer(
            host=parts.hostname or "",
            port=parts.port or (587 if starts_tls else default_port),
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            is_tls=parts.scheme == "smtps",
            must_start_tls=starts_tls,
        )
    except (ValueError, KeyError):
        server = None
    if server is None or not server.host:
        raise ConfigError("SMTP_URL must be like smtp://user:password@host:587?starttls=1, smtps://… or smtp://host.")
    is_local = server.host in {"localhost", "127.0.0.1", "::1"}
    if server.password and not (server.is_tls or server.must_start_tls or is_local):
        raise ConfigError("SMTP_URL would send the password in clear: add ?starttls=1, or use smtps://.")
    return server
