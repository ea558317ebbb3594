"""How pages display values: numbers, sizes, times, statuses and codes."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from flask import Flask

from app.csvfile.causes import Code
from app.csvfile.contract import Condition
from app.humanize import counted, say_duration, say_share, say_time_left
from app.imports import actions
from app.imports.reports import summary
from app.imports.reports.progress import BatchProgress, ImportProgress
from app.queries.operations import BatchSeen, ImportSeen
from app.statuses import BatchStatus, ImportKind, ImportStatus


class Label(NamedTuple):
    """The label of a status."""

    text: str
    #: A tone of the style sheet.
    tone: str
    #: An icon in ``components/icons.html``; a status is never shown by its colour alone.
    icon: str


#: Imports and batches share the labels of their common statuses.
STATUS_LABELS: dict[str, Label] = {
    BatchStatus.QUEUED: Label("Queued", "quiet", "clock"),
    ImportStatus.RUNNING: Label("Running", "moving", "flow"),
    ImportStatus.PAUSED: Label("Paused", "warning", "pause"),
    ImportStatus.COMPLETED: Label("Completed", "success", "check"),
    ImportStatus.FAILED: Label("Failed", "danger", "alert"),
    ImportStatus.TERMINATED: Label("Terminated", "quiet", "stop"),
}
_PAUSING_LABEL = Label("Pausing…", "warning", "pause")

#: Shown beside the status of a check, which is otherwise labelled like an import's until it is over.
CHECK_LABEL = Label("Check", "brand", "checklist")

#: Shown instead of COMPLETED of a check: what it has found, because nothing is imported yet.
_FLAWLESS_LABEL = Label("No row would fail", "success", "check")

#: Likewise, of an undo.
UNDO_LABEL = Label("Undo", "brand", "undo")

#: Shown instead of COMPLETED, and beside any other status, of an import that was undone.
UNDONE_LABEL = Label("Undone", "quiet", "undo")

#: Shown instead of FAILED where ``all_dealt_with``, and beside any other status that its seller has marked so.
DEALT_WITH_LABEL = Label("Dealt with", "quiet", "check")

CODE_LABELS: dict[int, Label] = {
    Code.INVALID: Label("Invalid", "danger", "alert"),
    Code.NOT_FOUND: Label("Not found", "warning", "search"),
    Code.CONFLICT: Label("Conflict", "moving", "copy"),
}

#: Macros of templates whose output depends on their arguments alone are remembered, each for as many calls: a page that
#: is polled mostly shows what it did a second before.
_REMEMBERED = 1_000
#: Macros that templates use without importing them, by the template in ``components`` that has them; each may use those
#: above it.
_COMPONENTS = {"icons": ("icon",), "time": ("when",), "modules": ("modules",), "status": ("pill", "import_pills")}


#: A longer text is folded behind its first characters and lines.
_MOST_CHARACTERS, _MOST_LINES = 300, 6
_START_CHARACTERS, _START_LINES = 150, 3


def init_app(app: Flask) -> None:
    """Register the filters and tables below with the templates."""
    app.jinja_env.filters.update(
        number=format_number,
        money=format_money,
        condition=format_condition,
        file_size=format_file_size,
        counted=counted,
        iso=format_iso,
        start=start_of,
        moment=format_moment,
        seconds=format_seconds,
        duration=say_duration,
        time_left=say_time_left,
    )
    app.jinja_env.globals.update(
        seller_actions=actions.offer_seller,
        operator_actions=actions.offer_operator,
        ask_to_terminate=summary.ask_to_terminate,
        say_fixed=summary.say_fixed,
        say_taken_up=summary.say_taken_up,
        say_undo=summary.say_undo,
        all_dealt_with=all_dealt_with,
        import_label=import_label,
        batch_label=batch_label,
        code_label=code_label,
        check_label=CHECK_LABEL,
        undo_label=UNDO_LABEL,
        undone_label=UNDONE_LABEL,
        dealt_with_label=DEALT_WITH_LABEL,
        visibility_label=visibility_label,
        remember=lru_cache(_REMEMBERED),
    )
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    for name, macros in _COMPONENTS.items():
        module = app.jinja_env.get_template(f"components/{name}.html").module
        app.jinja_env.globals.update({macro: getattr(module, macro) for macro in macros})


def all_dealt_with(one: ImportProgress | ImportSeen) -> bool:
    """Whether nothing is left to do about a FAILED import: then nothing that is shown of it is red any more."""
    are_closed = 0 < one.failed <= one.dealt_with and one.successful + one.failed == one.total
    return one.status == ImportStatus.FAILED and not one.is_check and (one.is_dealt_with or are_closed)


def import_label(one: ImportProgress | ImportSeen) -> Label:
    """The label of an import's status. It is red if most rows have failed or were not processed, and are still so.

    Failed rows that another import has imported, or that were left out, count no more.
    """
    if one.is_pausing:
        return _PAUSING_LABEL
    if one.is_undone and one.status == ImportStatus.COMPLETED:
        return UNDONE_LABEL
    if one.is_check and one.status == ImportStatus.COMPLETED:
        return _FLAWLESS_LABEL
    if one.status != ImportStatus.FAILED:
        return STATUS_LABELS[one.status]
    if all_dealt_with(one):
        return DEALT_WITH_LABEL
    left = one.total - one.successful - one.dealt_with
    most_succeed = left * 2 < one.total
    if one.kind == ImportKind.CHECK and one.failed:
        # Nothing has failed: a check that finds mistakes has done its work.
        words = f"{counted(one.failed, 'row')} would fail"
        return Label(words, "warning" if most_succeed else "danger", "alert")
    if most_succeed:
        return Label(f"Failed: {say_share(left, one.total)} of rows", "warning", "alert")
    return STATUS_LABELS[one.status]


def batch_label(batch: BatchProgress | BatchSeen) -> Label:
    """The label of a batch's status. A batch that has processed all its rows has not failed, even if rows have."""
    if batch.status == BatchStatus.COMPLETED and batch.failed:
        return Label(f"Completed, {format_number(batch.failed)} failed", "quiet", "check")
    return STATUS_LABELS[batch.status]


def code_label(code: int) -> Label:
    """The label of a row error's code."""
    return CODE_LABELS[code]


def visibility_label(*, hidden: bool) -> Label:
    """The label that tells whether buyers see a listing."""
    return Label("Hidden", "quiet", "eye-off") if hidden else Label("Visible", "success", "eye")


def format_number(number: int) -> str:
    """A whole number with separators between thousands."""
    return f"{number:,}"


def format_money(pence: int) -> str:
    """An amount in pence as pounds: £1,234.50."""
    return f"£{pence // 100:,}.{pence % 100:02}"


def format_condition(condition: Condition) -> str:
    """A grade for people: Near mint."""
    return condition.name.replace("_", " ").capitalize()


def format_file_size(size: int) -> str:
    """A number of bytes in a suitable unit."""
    if size < 1_000:
        return f"{size} bytes"
    for unit, in_bytes in (("kB", 1_000), ("MB", 1_000_000)):
        if size < 999.95 * in_bytes:
            return f"{size / in_bytes:.1f} {unit}"
    return f"{size / 1_000_000_000:.2f} GB"


def start_of(text: str) -> str:
    """The first characters and lines of a text that would fill a screen; of any other, all of it."""
    if len(text) <= _MOST_CHARACTERS and text.count("\n") < _MOST_LINES:
        return text
    return "\n".join(text[:_START_CHARACTERS].split("\n")[:_START_LINES]) + "…"


def format_iso(moment: datetime) -> str:
    """A time in UTC in ISO format, for programs."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def format_moment(moment: datetime) -> str:
    """A time in UTC for people, to the minute."""
    return f"{moment.astimezone(UTC):%-d %b %Y, %H:%M} UTC"


def format_seconds(moment: datetime) -> str:
    """The time of day in UTC, to the second."""
    return f"{moment.astimezone(UTC):%H:%M:%S} UTC"
