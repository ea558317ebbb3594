"""``/ops/queues``: rq-dashboard, for operators, to be looked at and nothing else.

It is made for a network of friends: it changes things by GET and without tokens, unpickles what lies in Redis, and puts
texts of jobs into its pages as they are. None of that reaches Sluice: see ``_guard`` and ``init_app``.
"""

from __future__ import annotations

import re
import secrets
from typing import Any

import rq_dashboard.web
from flask import Flask, Response, abort, current_app, g, request
from flask.typing import ResponseReturnValue
from redis import Redis, RedisError
from rq.serializers import JSONSerializer, PickleSerializer
from werkzeug.exceptions import ServiceUnavailable

from app.redis_store import redis_client
from app.web.session import require_operator

_NAME = "rq_dashboard"
#: Views that change something, whatever method they take.
_CHANGING = frozenset({"delete_job_view", "requeue_job_view", "requeue_all", "empty_queue", "compact_queue"})
#: Parts of an address end up in a script of the page, where only HTML is escaped.
_PLAIN = re.compile(r"[A-Za-z0-9_.-]+|(css|js|img|fonts)/[A-Za-z0-9_.-]+")

#: The page's own script, which has a number that nobody can guess, and no other that stands inline: what somebody has
#: written into a job is shown as a page and does not run. It makes functions of texts (its templates), and styles.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'nonce-{nonce}' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "object-src 'none'",
    )
)


def init_app(app: Flask) -> None:
    """Serve the dashboard of this application's Redis to operators."""
    # Whatever RQ reads in this process without being told how, it reads as JSON: to unpickle what lies in Redis would
    # run it, and the dashboard does not always tell.
    PickleSerializer.dumps = JSONSerializer.dumps
    PickleSerializer.loads = JSONSerializer.loads
    rq_dashboard.web.config.serializer = JSONSerializer
    rq_dashboard.web.from_url = _own_redis
    app.config.update(RQ_DASHBOARD_REDIS_URL=("Redis",), RQ_DASHBOARD_DISABLE_DELETE=True)
    app.before_request(_guard)
    app.after_request(_allow_own_script)
    app.register_blueprint(rq_dashboard.web.blueprint, url_prefix="/ops/queues")


def _own_redis(*_: object, **__: object) -> tuple[None, Redis]:
    """Stands in for the dashboard's own way to connect, which knows nothing of sockets and waits for ever."""
    return None, redis_client()


def _guard() -> ResponseReturnValue | None:
    """Let operators alone look at the dashboard, and nobody change anything through it."""
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
    current_app.redis_conn = redis_client()  # type: ignore[attr-defined]
    return None


def _is_plain(arguments: dict[str, Any]) -> bool:
    """Whether everything that stands in the address is a name or a number, and the only Redis there is is meant."""
    if arguments.get("instance_number", 0) != 0 or 0 in {arguments.get("per_page"), arguments.get("page")}:
        return False
    return all(isinstance(value, int) or value is None or _PLAIN.fullmatch(value) for value in arguments.values())


def _allow_own_script(response: Response) -> Response:
    if request.blueprint == _NAME and response.mimetype == "text/html" and response.status_code == 200:
        nonce = secrets.token_urlsafe(16)
        g.content_security_policy = _POLICY.format(nonce=nonce)
        own = f'<script nonce="{nonce}" type="text/javascript">'
        response.set_data(response.get_data(as_text=True).replace('<script type="text/javascript">', own))
    return response
