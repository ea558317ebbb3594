"""Logging: one line of JSON an event, so that no text from a client can forge a line."""

import json
import logging
import sys
from datetime import UTC, datetime
from functools import cache
from time import perf_counter
from typing import Any

from flask import Flask, Response, g, request

from app.config import Settings
from app.queries import BatchKey, ImportKey

log = logging.getLogger("sluice.requests")

#: The attributes of every record; any others were added by the caller.
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
#: Longest path that is logged.
_MAX_PATH = 300


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of ASCII JSON; the keys of batches and imports become fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without a line break."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name, value in vars(record).items():
            if name in _PLAIN:
                continue
            if isinstance(value, BatchKey):
                line |= {"seller": value.seller_id, "import": value.import_id, "batch": value.number}
            elif isinstance(value, ImportKey):
                line |= {"seller": value.seller_id, "import": value.import_id}
            else:
                line["import" if name == "import_id" else name] = value
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure(log_format: str) -> None:
    """Configure this process to log to standard error, as ``json`` or ``text``."""
    handler = logging.StreamHandler(sys.stderr)
    if log_format == "json":
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)


def init_app(app: Flask) -> None:
    """Log a line for each request of ``app``."""
    app.after_request(_log_request)
    settings: Settings = app.extensions["sluice_settings"]
    if not settings.trusted_proxies:
        app.before_request(_notice_proxy)


def _log_request(response: Response) -> Response:
    actor = g.get("sluice_actor")
    log.info(
        "request",
        extra={
            "method": request.method,
            "route": request.url_rule.rule if request.url_rule else None,
            "path": request.path[:_MAX_PATH],
            "status": response.status_code,
            "seconds": round(perf_counter() - g.get("sluice_began", perf_counter()), 4),
            "seller": actor.seller_id if actor else None,
            "address": request.remote_addr,
            "public_id": (request.view_args or {}).get("public_id"),
        },
    )
    return response


def _notice_proxy() -> None:
    if "X-Forwarded-For" in request.headers:
        warn_of_proxy()


@cache
def warn_of_proxy() -> None:
    """Warn once about X-Forwarded-For from a proxy that is not configured; without a proxy, any client can send it."""
    log.warning(
        "X-Forwarded-For is ignored: behind a proxy, set TRUSTED_PROXIES; otherwise all clients have its address, "
        "and share the limits on signing in"
    )
