"""Liveness and readiness: whether this process is alive, and whether it can use what it needs."""

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from flask import Blueprint
from redis import RedisError

from app import diagnosis
from app.diagnosis import Fault
from app.extensions import DATABASE_ERRORS, db
from app.jobs import queue
from app.queries import cluster, readiness
from app.storage import current_storage

log = logging.getLogger(__name__)
blueprint = Blueprint("health", __name__)


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
    faults = {name: fault for name, question in _QUESTIONS.items() if (fault := _find_fault(name, question))}
    if "database" not in faults:
        for node in cluster.find_silent():
            faults[f"database node {node.id}"] = diagnosis.node_away(node.address)
        db.session.rollback()
    return faults


class _Question(NamedTuple):
    """How to find out whether something can be used, and what its errors mean."""

    ask: Callable[[], object]
    errors: type[Exception] | tuple[type[Exception], ...]
    diagnose: Callable[[Any], Fault | None]


_QUESTIONS = {
    "database": _Question(readiness.ask, DATABASE_ERRORS, diagnosis.of_database),
    "redis": _Question(queue.check_accepts_jobs, RedisError, diagnosis.of_redis),
    "storage": _Question(lambda: current_storage().check(), OSError, diagnosis.of_storage),
}


def _find_fault(name: str, question: _Question) -> Fault | None:
    try:
        question.ask()
    except question.errors as error:
        log.warning("%s not ready", name, exc_info=True)
        if fault := question.diagnose(error):
            return fault
        raise
    return None
