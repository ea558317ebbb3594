"""Periodic work beside imports: the sweep at every tick, and a list of tasks with their intervals."""

import logging
from collections.abc import Callable
from typing import NamedTuple

from app import diagnosis
from app.extensions import DATABASE_ERRORS, db
from app.imports import reconcile, retention, settling
from app.imports.fixes import engine
from app.queries import operations, periodic
from app.queries.deliveries import outbox, webhook_endpoints
from app.queries.imports import chunk_scratch

log = logging.getLogger(__name__)

_SOON, _MINUTE, _HOUR = 10.0, 60.0, 3600.0
#: Retention of messages that were sent or given up.
_MESSAGES_KEPT_DAYS = 30
#: Retention of silent worker hosts and of failed attempts.
_HOST_FORGOTTEN_AFTER_SECONDS = 3600.0
_TROUBLES_KEPT_DAYS = 30


class Task(NamedTuple):
    """A periodic task, which one host at a time runs."""

    #: The name under which its last run is recorded; a renamed task is due at once.
    name: str
    every_seconds: float
    #: Returns False if more is left to do than one run has time for: then it is due again at the next tick. Commits.
    #: Raises OSError if the storage cannot be used.
    run: Callable[[], bool | None]


def tick() -> None:
    """Sweep and run the tasks that are due, unless another host is sweeping or has just done so."""
    repairs = reconcile.sweep()
    if repairs is None:
        return
    if repairs.reclaimed or repairs.lost_jobs:
        log.warning("repaired: %s", repairs)
    run_due()


def run_due() -> None:
    """Run the tasks that are due, in order."""
    due = periodic.find_due({task.name: task.every_seconds for task in TASKS})
    db.session.rollback()
    for task in TASKS:
        if task.name in due:
            _run(task)


def _run(task: Task) -> None:
    is_ours = periodic.take_turn(task.name, every_seconds=task.every_seconds)
    db.session.commit()
    if not is_ours:
        return
    try:
        is_done = task.run()
    except (OSError, *DATABASE_ERRORS) as error:
        if not isinstance(error, OSError) and diagnosis.of_node(error) is None:
            raise
        log.warning("periodic task failed: %s", task.name, exc_info=True)
        db.session.rollback()
        return
    if is_done is False:
        periodic.let_be_due(task.name)
    db.session.commit()


def _forget_notes() -> None:
    for key in chunk_scratch.find_left_over():
        settling.forget_notes(key)


def _forget_messages() -> None:
    while outbox.forget_old(days=_MESSAGES_KEPT_DAYS):
        db.session.commit()


#: In the order in which they run.
TASKS = (
    Task("go on with answers", _SOON, engine.go_on_with_all),
    Task("forget workers", _HOUR, lambda: operations.forget_workers(silent_seconds=_HOST_FORGOTTEN_AFTER_SECONDS)),
    Task("forget failed attempts", _HOUR, lambda: operations.forget_troubles(days=_TROUBLES_KEPT_DAYS)),
    Task("remove deleted imports", _MINUTE, retention.remove_deleted),
    Task("remove old files and rows", _HOUR, retention.remove_old),
    Task("remove foreign files", _MINUTE, retention.remove_conversions),
    Task("clean storage", _HOUR, retention.clean_storage),
    Task("forget chunk notes", _HOUR, _forget_notes),
    Task("forget webhook secrets", _HOUR, webhook_endpoints.forget_old_secrets),
    Task("forget messages", _HOUR, _forget_messages),
)
