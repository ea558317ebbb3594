"""Whether this process is alive, and whether what it needs can be reached."""

from __future__ import annotations

import logging
from collections.abc import Callable

from flask import Blueprint, Flask, current_app
from redis import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.extensions import db
from app.redis_store import redis_client

log = logging.getLogger(__name__)
blueprint = Blueprint("health", __name__)


def init_app(app: Flask) -> None:
    """Serve the health routes."""
    app.register_blueprint(blueprint)


@blueprint.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@blueprint.get("/readyz")
def readyz() -> tuple[dict[str, str], int]:
    """Database, Redis and storage answer too; 503 with the culprits' names otherwise."""
    state = {"database": _ask(_ask_database), "redis": _ask(_ask_redis), "storage": _ask(_ask_storage)}
    return state, 200 if set(state.values()) == {"ok"} else 503


def _ask_database() -> None:
    # The schema is asked for, not only the server: before the migrations nothing is ready.
    db.session.execute(text("select 1 from reconciler"))


def _ask_redis() -> None:
    redis_client().ping()


def _ask_storage() -> None:
    current_app.extensions["sluice_storage"].check()


def _ask(question: Callable[[], object]) -> str:
    try:
        question()
    except (SQLAlchemyError, RedisError, OSError):
        log.warning("not ready", exc_info=True)
        return "unreachable"
    return "ok"
