"""The actions on an import, when and for whom: the list behind the pages' buttons and the API's ``actions``.

Not in it are buttons that lead to pages or concern only the record of an import, such as its name, Mark as dealt with
and Delete: see ``components/actions.html`` and ``web/next_step``.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from app.imports import commands, undo
from app.imports.reports.progress import ImportProgress
from app.queries.operations import ImportSeen
from app.statuses import ImportKind, ImportStatus, RetriedRows, can_pause, can_reopen, can_resume, can_terminate


class Who(StrEnum):
    """Who is offered an action."""

    SELLER = "seller"
    OPERATOR = "operator"


class Confirmation(StrEnum):
    """What a page shows before it does what cannot be taken back."""

    #: What terminating means, and the question whether to.
    TERMINATE = "terminate"
    #: What an undo would do. The menu of an import leads there, where it is known whether it can be undone.
    UNDO_PREVIEW = "undo-preview"


class ActionContext(NamedTuple):
    """The properties of an import that decide which actions it allows."""

    status: ImportStatus
    kind: ImportKind
    is_pausing: bool
    #: The rows that can be retried.
    can_retry: Collection[RetriedRows] = ()
    #: Number of batches that were given up.
    given_up: int = 0
    #: Whether it can be undone now.
    can_undo: bool = False


@dataclass(frozen=True, slots=True)
class ImportAction:
    """An action on an import; pages and API do it at ``path`` below the import's own path."""

    #: Its name in the API.
    name: str
    #: The text of its button, and the icon on it.
    text: str
    icon: str
    path: str
    #: Does it. Raises TransitionRefused if it is not allowed.
    command: Callable[..., object]
    is_allowed: Callable[[ActionContext], bool]
    who: frozenset[Who] = frozenset({Who.SELLER})
    #: The rows to retry, for an action that creates a retry.
    rows: RetriedRows | None = None
    #: What pages show first; None: they do it at once.
    confirmation: Confirmation | None = None


def _taking_up(
    rows: RetriedRows, name: str, text: str, icon: str, path: str, command: Callable[..., object]
) -> ImportAction:
    return ImportAction(name, text, icon, path, command, lambda one: rows in one.can_retry, rows=rows)


_EVERYBODY = frozenset(Who)

#: In the order of the buttons.
ACTIONS = (
    ImportAction(
        "pause",
        "Pause",
        "pause",
        "pause",
        commands.pause,
        lambda one: can_pause(one.status, pausing=one.is_pausing),
        _EVERYBODY,
    ),
    ImportAction("resume", "Resume", "play", "resume", commands.resume, lambda one: can_resume(one.status), _EVERYBODY),
    ImportAction(
        "reopen",
        "Try again",
        "retry",
        "reopen",
        commands.reopen,
        lambda one: one.given_up > 0 and can_reopen(one.status, kind=one.kind),
        frozenset({Who.OPERATOR}),
    ),
    ImportAction(
        "terminate",
        "Terminate",
        "stop",
        "terminate",
        commands.terminate,
        lambda one: can_terminate(one.status),
        _EVERYBODY,
        confirmation=Confirmation.TERMINATE,
    ),
    _taking_up(RetriedRows.FAILED, "retry-failed", "Retry failed rows", "retry", "retry", commands.retry),
    _taking_up(RetriedRows.REMAINING, "retry-remaining", "Import remaining rows", "retry", "retry", commands.retry),
    _taking_up(RetriedRows.ALL, "import", "Import this file", "play", "import", commands.import_checked),
    ImportAction(
        "undo",
        "Undo import",
        "undo",
        "undo",
        undo.start,
        lambda one: one.can_undo,
        confirmation=Confirmation.UNDO_PREVIEW,
    ),
)

#: The names of the sellers' actions in the API.
SELLER_ACTIONS = tuple(action.name for action in ACTIONS if Who.SELLER in action.who)


def offer_seller(
    one: ImportProgress, can_retry: Collection[RetriedRows] = (), *, can_undo: bool = False
) -> list[ImportAction]:
    """The actions that the seller may take now; what can be retried and whether it can be undone, if known."""
    return offer(ActionContext(one.status, one.kind, one.is_pausing, can_retry, can_undo=can_undo), Who.SELLER)


def offer_operator(one: ImportSeen) -> list[ImportAction]:
    """The actions that an operator may take now."""
    return offer(ActionContext(one.status, one.kind, one.is_pausing, given_up=one.given_up), Who.OPERATOR)


def offer(one: ActionContext, who: Who) -> list[ImportAction]:
    """The actions that ``who`` may take, in the order of the buttons."""
    return [action for action in ACTIONS if who in action.who and action.is_allowed(one)]
