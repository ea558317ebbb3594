"""Sluice: bulk listing imports for marketplaces. Creates the applications of web processes and workers."""

import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask

from app import database, redis_client
from app.config import ConfigError, Settings, load_settings
from app.extensions import csrf, db, login_manager
from app.local import private_servers
from app.storage import open_storage


def create_app(environ: Mapping[str, str] = os.environ) -> Flask:
    """The Flask application with pages, API and commands, configured by ``environ`` (see ``config.Settings``).

    Uses the private PostgreSQL and Redis where no others are named. Raises ConfigError for settings that cannot be
    used, and PrivateServerError when the private servers do not run.
    """
    # Imported here, because workers do not need these and would each hold them in memory.
    from flask_migrate import Migrate

    from app import api, cli, rate_limits, web
    from app.http import proxies, uploads
    from app.identity import sellers
    from app.observability import health, logs, metrics

    app = create_worker_app(environ)
    proxies.init_app(app)
    Migrate(app, db, str(Path(app.root_path).parent / "migrations"), render_as_batch=False)
    # Before the CSRF check, which reads the form.
    uploads.init_app(app)
    csrf.init_app(app)
    login_manager.init_app(app)
    sellers.init_app(login_manager)
    rate_limits.init_app(app)
    app.register_blueprint(health.blueprint)
    metrics.init_app(app)
    logs.init_app(app)
    web.register(app)
    api.register(app)
    cli.init_app(app)
    return app


def create_worker_app(environ: Mapping[str, str] = os.environ) -> Flask:
    """The part of the application that jobs and the tick run in: settings, storage, Redis and the database.

    Raises as ``create_app`` does.
    """
    settings = load_settings(environ)
    addresses = private_servers.find(
        settings.sluice_home, postgres=not settings.database_url, redis=not settings.redis_url
    )
    app = Flask(__name__)
    redis_url = settings.redis_url or addresses.redis_url
    app.config.update(_flask_config(settings), REDIS_URL=redis_url)
    app.extensions["sluice_settings"] = settings
    app.extensions["sluice_storage"] = open_storage(settings)
    redis_client.init_app(app, redis_url)
    database.init_app(app, settings.database_url or addresses.database_url, settings)
    return app


def _flask_config(settings: Settings) -> dict[str, Any]:
    return {
        "SECRET_KEY": settings.secret_key or _demo_secret_key(settings),
        # Forms are held in memory as a whole, even without a session. Uploads have a separate limit.
        "MAX_CONTENT_LENGTH": 64 * 1024,
        "PERMANENT_SESSION_LIFETIME": timedelta(hours=settings.session_max_hours),
        # Otherwise every poll sends the cookie again, and one that is under way while somebody signs out or a message
        # is shown would bring the old state back.
        "SESSION_REFRESH_EACH_REQUEST": False,
        # Browsers take a __Host- cookie from this very host over HTTPS only, so that no neighbour can plant one.
        "SESSION_COOKIE_NAME": "__Host-sluice_session" if settings.session_cookie_secure else "sluice_session",
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": settings.session_cookie_secure,
        # A token lives as long as its session: a page that is left open over lunch must still have working buttons.
        "WTF_CSRF_TIME_LIMIT": None,
    }


def _demo_secret_key(settings: Settings) -> str:
    """A key made once and kept beside the private servers. Raises ConfigError when those are not in use."""
    if settings.database_url:
        raise ConfigError("SECRET_KEY is missing. Set it to a long random text, the same for all processes.")
    path = settings.sluice_home / "secret-key"
    if not path.exists():
        # Written aside and linked into its place, so that of several processes starting at once each reads the same
        # whole key.
        draft = path.with_name(f"secret-key.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(os.urandom(32).hex())
        with suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    return path.read_text()
