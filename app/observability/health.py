"""Liveness and readiness: whether this process is alive, and whether it can use what it needs."""

import logging
from collections.abc import Callable

from flask import Blueprint, Flask
from redis import RedisError

from app import diagnosis
from app.diagnosis import Fault
from app.extensions import DATABASE_ERRORS, db
from app.jobs import queue
from app.queries import cluster, readiness
from app.storage import current_storage

log = logging.getLogger(__name__)
blueprint = Blueprint("health", __name__)


def init_app(app: Flask) -> None:
    """Serve the health routes."""
    app.register_blueprint(blueprint)


@blueprint.get("/healthz")
def healthz() -> dict[str, str]:
    """The process is alive."""
    return {"status": "ok"}


@blueprint.get("/readyz")
def readyz() -> tuple[dict[str, str], int]:
    """Database, Redis and storage can be used; else 503, with what is wrong with each. Silent nodes are named."""
    faults = find_faults()
    state = {name: faults[name].state if name in faults else "ok" for name in _QUESTIONS}
    # Without a node, the sellers of the others are served.
    nodes = {name: fault.state for name, fault in faults.items() if name not in _QUESTIONS}
    return {**state, **nodes}, 503 if faults.keys() - nodes else 200


def find_faults() -> dict[str, Fault]:
    """The faults of database, Redis and storage and of each database node, by name; those that work are left out."""
    found = {name: ask() for name, ask in _QUESTIONS.items()}
    faults = {name: fault for name, fault in found.items() if fault is not None}
    if "database" not in faults:
        for node in cluster.find_silent():
            faults[f"database node {node.id}"] = diagnosis.node_away(node.address)
        db.session.rollback()
    return faults


def _ask_database() -> Fault | None:
    try:
        readiness.ask()
    except DATABASE_ERRORS as error:
        log.warning("database not ready", exc_info=True)
        fault = diagnosis.of_database(error)
        if fault is None:
            raise
        return fault
    return None


def _ask_redis() -> Fault | None:
    try:
        queue.check_accepts_jobs()
    except RedisError as error:
        log.warning("redis not ready", exc_info=True)
        return diagnosis.of_redis(error)
    return None


def _ask_storage() -> Fault | None:
    storage = current_storage()
    try:
        storage.check()
    except OSError as error:
        log.warning("storage not ready", exc_info=True)
        return diagnosis.of_storage(error)
    return None


_QUESTIONS: dict[str, Callable[[], Fault | None]] = {
    "database": _ask_database,
    "redis": _ask_redis,
    "storage": _ask_storage,
}
