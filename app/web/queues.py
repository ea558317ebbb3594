"""``/ops/queues``: rq-dashboard for operators, read-only.

The dashboard is made for trusted networks: it makes changes by GET and without CSRF tokens, unpickles values from
Redis, unpacks them to any size, and puts texts of jobs into its pages unescaped. None of that reaches Sluice: see
``_guard``, ``_own_page`` and ``app.jobs.queue_reader``.
"""

import logging
import re
import secrets
from functools import wraps
from typing import Any

import rq_dashboard.web
from flask import Flask, Response, abort, current_app, g, request
from flask.typing import ResponseReturnValue, RouteCallable
from redis import Redis, RedisError
from redis.exceptions import ConnectionError as NotReached
from redis.exceptions import TimeoutError as NoAnswer
from werkzeug.exceptions import HTTPException, NotFound, ServiceUnavailable

from app.jobs import queue_reader
from app.redis_client import redis_client
from app.web import headers
from app.web.session import require_operator

log = logging.getLogger(__name__)

_NAME = "rq_dashboard"
#: Views that change something, with any method.
_CHANGING = frozenset({"delete_job_view", "requeue_job_view", "requeue_all", "empty_queue", "compact_queue"})
#: The allowed parts of an address: the dashboard puts them into a script, where only HTML is escaped.
_PLAIN = re.compile(r"[A-Za-z0-9_.-]+|(css|js|img|fonts)/[A-Za-z0-9_.-]+")
#: Maximum number of jobs on a page, as in the dashboard's own field.
_MAX_PER_PAGE = 200
#: Where the dashboard's templates put a value into the page: as HTML, or through jQuery's way to escape it.
_HTML_VALUE = re.compile(r"<%=\s*(?:\$\('<div/>'\)\.text\((?P<text>.+?)\)\.html\(\)|(?P<value>.+?))\s*%>")

#: Allows the page's own script, by its nonce, and no other inline script: text that an attacker has written into a job
#: does not run. The script compiles its templates into functions, and sets styles.
_SOURCES = {
    **headers.SOURCES,
    "script-src": "'self' 'nonce-{nonce}' 'unsafe-eval'",
    "style-src": "'self' 'unsafe-inline'",
    "font-src": "'self'",
    "form-action": "'none'",
}


def init_app(app: Flask) -> None:
    """Serve the dashboard of this application's Redis to operators."""
    queue_reader.contain_rq()
    rq_dashboard.web.config.serializer = queue_reader.JSONSerializer
    rq_dashboard.web.from_url = _own_redis
    rq_dashboard.web.Worker = queue_reader.ShownWorker
    app.extensions["sluice_dashboard_redis"] = queue_reader.open_reader(app.config["REDIS_URL"])
    app.config.update(RQ_DASHBOARD_REDIS_URL=("Redis",), RQ_DASHBOARD_DISABLE_DELETE=True)
    app.before_request(_guard)
    app.after_request(_own_page)
    app.register_blueprint(rq_dashboard.web.blueprint, url_prefix="/ops/queues")
    for endpoint, view in app.view_functions.items():
        if endpoint.startswith(f"{_NAME}."):
            app.view_functions[endpoint] = _contain(view)


def _own_redis(*_: object, **__: object) -> tuple[None, Redis]:
    """Replaces the dashboard's own way to connect, which does not support sockets and has no timeout."""
    return None, current_app.extensions["sluice_dashboard_redis"]


def _contain(view: RouteCallable) -> RouteCallable:
    """``view`` of the dashboard, with a sentence instead of its errors."""

    @wraps(view)
    def contained(**arguments: Any) -> ResponseReturnValue:
        try:
            return current_app.ensure_sync(view)(**arguments)  # type: ignore[no-any-return]
        except HTTPException:
            raise
        except queue_reader.NoSuchJobError as error:
            raise NotFound("This job isn’t in Redis. Finished jobs are removed.") from error
        except queue_reader.TooLarge as error:
            raise NotFound(str(error)) from error
        except (NotReached, NoAnswer) as error:
            raise ServiceUnavailable("Redis does not answer.") from error
        except Exception as error:
            log.warning("content of Redis cannot be displayed", exc_info=True)
            raise NotFound("Redis contains entries that RQ did not write, so this page cannot be shown.") from error

    return contained


def _guard() -> ResponseReturnValue | None:
    """Let only operators see the dashboard, and no one change anything through it."""
    if request.blueprint != _NAME:
        return None
    if (answer := require_operator()) is not None:
        return answer
    if request.method not in {"GET", "HEAD"}:
        abort(405)
    view = (request.endpoint or "").removeprefix(f"{_NAME}.")
    if view in _CHANGING or not _is_plain(request.view_args or {}):
        abort(404)
    if view != "static":
        try:
            redis_client().ping()
        except RedisError as error:
            raise ServiceUnavailable("Redis does not answer.") from error
    current_app.redis_conn = _own_redis()[1]  # type: ignore[attr-defined]
    return None


def _is_plain(arguments: dict[str, Any]) -> bool:
    """Whether all parts of the address are names or numbers within their limits, and it means the only Redis."""
    # In some addresses the dashboard has numbers as texts.
    numbers = {name: str(arguments[name]) for name in ("page", "per_page") if name in arguments}
    if arguments.get("instance_number", 0) != 0 or not all(one.isascii() and one.isdigit() for one in numbers.values()):
        return False
    if "0" in numbers.values() or int(numbers.get("per_page", "1")) > _MAX_PER_PAGE:
        return False
    return all(isinstance(value, int) or value is None or _PLAIN.fullmatch(value) for value in arguments.values())


def _own_page(response: Response) -> Response:
    """Let the dashboard's page run only its own script, and show every value as text."""
    if request.blueprint == _NAME and response.mimetype == "text/html" and response.status_code == 200:
        nonce = secrets.token_urlsafe(16)
        g.content_security_policy = headers.content_security_policy(_SOURCES).format(nonce=nonce)
        own = f'<script nonce="{nonce}" type="text/javascript">'
        page = response.get_data(as_text=True).replace('<script type="text/javascript">', own)
        response.set_data(_HTML_VALUE.sub(lambda found: f"<%- {found['text'] or found['value']} %>", page))
    return response
