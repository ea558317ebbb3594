"""One import: the side panel, the full details, the failed rows, and the downloads."""

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.http import downloads
from app.http.error_filter import names_group, read_filter, read_line
from app.http.form_fields import is_on
from app.http.query_filter import ParsedFilter
from app.humanize import say_time_left
from app.imports.actions import ImportAction, offer_seller
from app.imports.reports import (
    check_preview,
    kept_listings,
    likely_mistakes,
    progress,
    row_errors,
    seller_file,
    summary,
    throughput,
    timeline,
)
from app.imports.reports.progress import BatchProgress, ImportProgress, RelatedImports
from app.imports.reports.row_errors import MatchingRows
from app.queries import begin_repeatable_read
from app.queries.imports import error_groups
from app.queries.imports import throughput as recorded
from app.queries.imports.error_groups import Group
from app.queries.imports.row_errors import ErrorFilter
from app.statuses import RetriedRows
from app.web import chart
from app.web.filters import code_label, format_number, import_label
from app.web.live_page import render_live
from app.web.next_step import Fixable, next_step
from app.web.session import require_seller, seller_id

blueprint = Blueprint("details", __name__, url_prefix="/imports/<uuid:public_id>")
# One state of the database: counters, batches and failed rows on one page must agree while workers write. It begins
# before the seller is looked for, who would be read once more in a second transaction; and again where noting that the
# session is used has ended it.
blueprint.before_request(begin_repeatable_read)
blueprint.before_request(require_seller)
blueprint.before_request(begin_repeatable_read)

#: Failed rows on one page.
_PAGE_SIZE = 25
#: Groups of failed rows, and failed rows, on the page of an import; the page of its errors has all of them.
_GROUPS_IN_DETAILS = 10
_ROWS_IN_DETAILS = 10
#: Kept listings on the page of an undo.
_KEPT_IN_DETAILS = 25
_NONE_KEPT = kept_listings.Page([], "")
#: A filter's matches are counted up to this number.
_MOST_COUNTED = 100_000
#: Final statuses come first, as in a progress bar.
_BATCH_ORDER = ("completed", "with-failed", "given-up", "running", "paused", "queued", "terminated")


@blueprint.get("")
def show(public_id: uuid.UUID) -> ResponseReturnValue:
    """Everything about an import: counters, batches, and the first of the failed rows."""
    one = progress.get(seller_id(), public_id)
    groups = error_groups.list_all(one.key) if one.failed else []
    first_groups = groups[:_GROUPS_IN_DETAILS]
    # While the import runs, the page is polled too often to read rows each time.
    is_moving = one.is_moving
    failed, after = row_errors.list_rows(one, limit=_ROWS_IN_DETAILS, with_suggestions=not is_moving)
    record = recorded.get(one.key)
    batches = progress.list_batches(one, record.batches)
    moves = throughput.get(one, record)
    common = _summary(one, groups, moves)
    kin = progress.list_kin(one, common["related"])
    return render_live(
        "details/show.html",
        "details/_live.html",
        **common,
        chain=progress.list_chain(kin, common["related"]),
        chart=chart.draw(moves),
        timeline=timeline.get(one, kin),
        batches=batches,
        batch_counts=_count_batches(batches),
        changes=check_preview.list_changes(one),
        groups=row_errors.outline_groups(one, first_groups) if is_moving else row_errors.show_groups(one, first_groups),
        kept=kept_listings.list_page(one.key, limit=_KEPT_IN_DETAILS) if one.unchanged and one.is_undo else _NONE_KEPT,
        all_groups=groups,
        errors=failed,
        has_more_errors=after is not None,
        here=url_for("details.show", public_id=public_id),
    )


@blueprint.get("/panel")
def panel(public_id: uuid.UUID) -> ResponseReturnValue:
    """The side panel of My Imports; without scripts, a separate page."""
    one = progress.get(seller_id(), public_id)
    groups = error_groups.list_all(one.key) if one.failed else []
    return render_live(
        "details/panel.html",
        "details/_panel.html",
        **_summary(one, groups, throughput.get(one, recorded.get(one.key))),
        groups=row_errors.outline_groups(one, groups),
        here=url_for("details.panel", public_id=public_id),
    )


@blueprint.get("/errors")
def errors(public_id: uuid.UUID) -> ResponseReturnValue:
    """The failed rows by cause, and one by one in the order of the file, as filtered.

    ``after`` is the line of the last one on the page before.
    """
    one = progress.get(seller_id(), public_id)
    asked = read_filter(request.args)
    after = read_line(request.args, "after")
    groups = error_groups.list_all(one.key)
    columns = {group.kind.column: group.column for group in row_errors.outline_groups(one, groups)}
    # The page begins with the groups that are shown whole: all, or those of one cause. Later pages have only rows.
    chosen = [group for group in groups if names_group(asked.wanted, group.kind)] if asked.is_active else groups
    failed, next_after = row_errors.list_rows(one, after_line=after, limit=_PAGE_SIZE, wanted=asked.wanted)
    # A page without others before or behind it has been counted: looking for a rare text takes long enough once.
    shown = None if after or next_after else MatchingRows(len(failed))
    return render_template(
        "details/errors.html",
        one=one,
        asked=asked,
        related=progress.get_related(one),
        chips=_chips(one, asked, columns),
        columns=columns,
        heading=_errors_heading(one, chosen) if asked.is_active else f"Errors in {one.name}",
        matching=shown or _count_matching(one, asked.wanted, groups, chosen)
        if asked.is_active
        else MatchingRows(one.failed),
        most_counted=_MOST_COUNTED,
        groups=row_errors.show_groups(one, [] if after else chosen, in_full=asked.is_active),
        chosen_groups=chosen,
        all_groups=groups,
        errors=failed,
        next_after=next_after,
        after=after,
    )


@blueprint.get("/failed.csv")
def failed_csv(public_id: uuid.UUID) -> ResponseReturnValue:
    """The failed rows that match the filter in the address, ready to be corrected and uploaded.

    With ``reasons``, the fix-it file.
    """
    one = progress.get(seller_id(), public_id)
    wanted = read_filter(request.args).wanted
    return downloads.failed_rows(one, wanted=wanted, with_reasons=is_on(request.args, "reasons"))


@blueprint.get("/errors.csv")
def errors_csv(public_id: uuid.UUID) -> ResponseReturnValue:
    """The report of the failed rows that match the filter in the address."""
    return downloads.error_report(progress.get(seller_id(), public_id), wanted=read_filter(request.args).wanted)


@blueprint.get("/left-out.csv")
def left_out_csv(public_id: uuid.UUID) -> ResponseReturnValue:
    """The rows of a foreign file that were left out, each with the reason; with ``added``, those added to others."""
    return downloads.left_out_rows(progress.get(seller_id(), public_id), added=is_on(request.args, "added"))


def plain_file(public_id: uuid.UUID, name: str) -> ResponseReturnValue:
    """A file about the import that takes no options."""
    return downloads.PLAIN_FILES[name](progress.get(seller_id(), public_id))


for _name in downloads.PLAIN_FILES:
    blueprint.add_url_rule(f"/{_name}.csv", f"{_name.replace('-', '_')}_csv", plain_file, defaults={"name": _name})


def _chips(one: ImportProgress, asked: ParsedFilter[ErrorFilter], columns: Mapping[str, str]) -> list[tuple[str, str]]:
    """What a filter asks for, each in words and with the address of the page without it."""
    wanted = asked.wanted
    values: Mapping[str, Any] = asked.values
    lines = wanted.lines and [*dict.fromkeys(wanted.lines)]
    words = {
        "cause": wanted.cause and wanted.cause.title,
        "column": None if wanted.column is None else columns.get(wanted.column, wanted.column) or "Whole row",
        "lines": lines and f"{'Lines' if len(lines) > 1 else 'Line'} {'–'.join(map(format_number, lines))}",
        "text": wanted.text and f"“{wanted.text}”",
        "code": wanted.code and f"{wanted.code} {code_label(wanted.code).text}",
        "batch": wanted.batch and f"Batch {wanted.batch}",
    }
    return [
        (text, url_for("details.errors", public_id=one.public_id, **{**values, name: None}))
        for name, text in words.items()
        if text
    ]


def _errors_heading(one: ImportProgress, chosen: Sequence[Group]) -> str:
    """The heading of a page of filtered errors, which shows these groups whole."""
    what = f"{chosen[0].kind.cause.title}: errors" if len(chosen) == 1 else "Filtered errors"
    return f"{what} in {one.name}"


def _count_matching(
    one: ImportProgress, wanted: ErrorFilter, groups: Sequence[Group], chosen: Sequence[Group]
) -> MatchingRows:
    """How many rows match a filter for these of the ``groups``, or for none."""
    if len(chosen) == 1:
        return MatchingRows(chosen[0].rows)
    if wanted == ErrorFilter(code=wanted.code) and wanted.code is not None:
        return MatchingRows(summary.count_by_code(one, groups)[wanted.code])
    return row_errors.count(one, wanted, at_most=_MOST_COUNTED)


class TakesUp(NamedTuple):
    """An action that imports rows of this import again, and what it takes along."""

    action: ImportAction
    note: str


def _list_taking_up(one: ImportProgress, related: RelatedImports, groups: Sequence[Group]) -> list[TakesUp]:
    """The actions that import rows of ``one`` again, without those that cannot help."""
    retriable = summary.count_retriable(one, groups)
    helping = {
        RetriedRows.ALL: one.failed < one.total,
        RetriedRows.FAILED: retriable > 0,
        RetriedRows.REMAINING: True,
    }
    return [
        TakesUp(action, summary.explain_retry(one, action.rows, retriable))
        for action in offer_seller(one, related.can_retry)
        if action.rows and helping[action.rows]
    ]


def _summary(one: ImportProgress, groups: Sequence[Group], moves: throughput.Pace) -> dict[str, Any]:
    """What the page of an import and its panel have in common; ``groups`` are those of its failed rows."""
    related = progress.get_related(one)
    foreign = seller_file.get_ledger(one.key) if one.conversion else None
    reopened = _find_reopened(related.parent if one.is_undo else one)
    origin = _find_origin(one, related)
    told = summary.describe(one, groups=len(groups), related=related)
    return {
        "one": one,
        "related": related,
        # Where the rows are fixed that this page offers to fix.
        "fixable": Fixable(one, related) if related.can_fix(one) else reopened or origin or Fixable(one, related),
        "reopened": reopened,
        "foreign": foreign,
        "outcome": f"{told} {summary.reassure(one)}".rstrip(),
        "step": next_step(one, related, reopened, origin),
        "undo_until": progress.undo_until(one.finished_at),
        "takes_up": _list_taking_up(one, related, groups),
        "warnings": likely_mistakes.list_warnings(one, related),
        "upload_check": summary.explain_invalid(one),
        "pace": moves,
        "work": throughput.say_work(one, moves.work),
        "title": _title(one),
        "news": _news(one, moves) if one.is_moving and not one.is_pausing else told,
    }


def _find_reopened(undone: ImportProgress | None) -> Fixable | None:
    """The import whose failed rows one that is undone had, if something is to be done about them again."""
    parent = progress.get_related(undone).parent if undone and undone.is_undone and undone.taken_up_as else None
    reopened = Fixable(parent, progress.get_related(parent)) if parent else None
    return reopened if reopened and reopened.related.can_fix(reopened.one) else None


def _find_origin(one: ImportProgress, related: RelatedImports) -> Fixable | None:
    """The import some of whose failed rows one that is over has, if others of them are still to be fixed."""
    parent = related.parent if one.taken_up_as and one.finished_at else None
    if parent is None or parent.is_dealt_with:
        return None
    origin = Fixable(parent, progress.get_related(parent))
    return origin if origin.related.can_fix(parent) else None


def _title(one: ImportProgress) -> str:
    """The title of its page, the status first: a tab shows only the beginning."""
    state = import_label(one).text
    if one.can_pause:
        state = f"{one.percent}%"
    elif one.can_resume:
        state = f"{state} at {one.percent}%"
    return f"{state} · {one.title}"


def _news(one: ImportProgress, moves: throughput.Pace) -> str:
    """The progress of a running import, for screen readers."""
    parts = [f"{one.percent}% done"]
    if one.failed:
        parts.append(f"{format_number(one.failed)} {'would fail' if one.is_check else 'failed'}")
    if moves.seconds_left is not None:
        parts.append(f"{say_time_left(moves.seconds_left)} left")
    return f"{', '.join(parts)}."


def _count_batches(batches: Sequence[BatchProgress]) -> list[tuple[str, int]]:
    """How many batches there are of each kind."""
    counts = Counter(batch.kind for batch in batches)
    return [(kind, counts[kind]) for kind in _BATCH_ORDER if counts[kind]]
