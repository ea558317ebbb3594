"""Fix it here: the failed rows of an import, corrected group by group and then row by row, and imported."""

import uuid
from collections.abc import Callable, Collection
from functools import partial
from itertools import chain
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from werkzeug.exceptions import BadRequest

from app.csvfile.causes import Cause
from app.csvfile.columns import CHOICES, COLUMNS, TEXT_LIMITS
from app.extensions import csrf, db
from app.http import answers
from app.http.answers import AnswerRefused
from app.http.error_filter import MAX_LINE, read_line
from app.http.form_fields import mark_of, read_form_key
from app.humanize import counted
from app.imports import commands
from app.imports.errors import TransitionRefused
from app.imports.fixes import engine, report, stale
from app.imports.fixes.answers import REASON, SINCE, NewAnswer, Rule
from app.imports.fixes.engine import NotOneRow
from app.imports.fixes.stale import Stale
from app.imports.reports import progress, seller_file, summary
from app.imports.reports.progress import ImportProgress
from app.models import Import
from app.queries import ImportKey
from app.queries.imports import corrections, lookups
from app.queries.imports.corrections import Group
from app.queries.imports.error_groups import ErrorKind
from app.web import fix_form
from app.web.live_page import render_live
from app.web.session import require_seller, seller_id

blueprint = Blueprint("fixes", __name__, url_prefix="/imports/<uuid:public_id>/fix")
# It is checked once the form may be as large as the page makes it.
csrf.exempt(blueprint)

#: The largest form. That of ten rows, each as long as a row can be and percent-encoded, has less than half of it.
_FORM_BYTES = 4 << 20

#: Rows on a page of cells.
_ROWS = 10
#: Rows that are still wrong after they were edited, of which a message names so many.
_NAMED = 5


@blueprint.before_request
def _admit() -> ResponseReturnValue | None:
    """Send clients that are not signed in to the sign-in page, and take a form of a seller, which may be large."""
    refused = require_seller(back=url_for("fixes.show", **(request.view_args or {})))
    if refused is None:
        request.max_content_length = request.max_form_memory_size = _FORM_BYTES
        csrf.protect()
    return refused


@blueprint.get("")
def show(public_id: uuid.UUID) -> ResponseReturnValue:
    """The groups of open rows, each with its values and what can be answered; with ``cause``, one group.

    With ``before``, the answers that were given before the one with this number.
    """
    one = progress.get(seller_id(), public_id)
    kind = _read_kind()
    related = progress.get_related(one)
    # Rows that were left out can be taken back, even if nothing else is left to do.
    if not related.can_fix(one) and not (one.fixed.left_out and one.has_errors):
        return _nothing(one)
    return _groups_page(one, kind)


def _groups_page(one: ImportProgress, kind: ErrorKind | None, *, fault: str = "") -> Response:
    """The page of the groups; after a ``fault``, with what was typed."""
    before = request.args.get("before", type=int)
    before = min(before, MAX_LINE) if before is not None else None
    to_fix = report.show(one, kind=kind, before=before)
    shown: dict[str, Any] = {"before": before, "left-out": request.args.get("left-out"), **_as_arguments(kind)}
    # Where very many rows are dealt with, all of them would have to be looked through: only on request.
    shows_left_out = to_fix.standing.left_out and ("left-out" in request.args or to_fix.standing.is_small)
    left_out_after = read_line(request.args, "left-out")
    left_out, more_left_out = report.list_left_out(one, left_out_after) if shows_left_out else ([], 0)
    return render_live(
        "fixes/show.html",
        "fixes/_live.html",
        one=one,
        kind=kind,
        before=before,
        to_fix=to_fix,
        left_out=left_out,
        left_out_after=left_out_after,
        more_left_out=more_left_out if to_fix.standing.left_out else None,
        related=progress.get_related(one),
        write=answers.write,
        describe=report.describe,
        place_of=report.place_of,
        name_of=_names(one),
        form_key=uuid.uuid4(),
        fault=fault,
        typed=request.form,
        mark_of=mark_of,
        limits=TEXT_LIMITS,
        choices=CHOICES,
        here=url_for("fixes.show", public_id=one.public_id, **shown),
    )


@blueprint.post("/start")
def start(public_id: uuid.UUID) -> ResponseReturnValue:
    """Begin to correct the failed rows: count what is wrong with them; 303 to the groups."""
    one = progress.get(seller_id(), public_id)
    if progress.get_related(one).can_fix(one):
        engine.survey(one.key)
    return redirect(url_for("fixes.show", public_id=public_id), 303)


@blueprint.post("")
def answer(public_id: uuid.UUID) -> ResponseReturnValue:
    """Apply what was typed and the answer whose button was pressed (``press``); 303 to the place on the page.

    303 to the new import where that button imports the corrected rows, and to single rows where it is ``edit``. The
    page again with what was typed if any of it cannot be applied; then nothing is.
    """
    seen = progress.get(seller_id(), public_id)
    pressed, form_key = request.form.get("press"), read_form_key(request.form)
    if pressed == fix_form.IMPORT and form_key and (made := lookups.find_by_form(seller_id(), form_key)):
        return redirect(url_for("details.show", public_id=made.public_id), 303)
    groups = corrections.list_groups(seen.key)
    try:
        given, edited, count, late = _apply(seen)
    except (AnswerRefused, NotOneRow, engine.Busy) as refused:
        return _groups_page(progress.get(seller_id(), public_id), _read_kind(), fault=str(refused)), 422
    if pressed == fix_form.IMPORT:
        return _import_applied(seen, form_key, late)
    if "edit" in request.form:
        if count or late:
            _tell(seen, count, edited, late)
        cause, _, column = request.form["edit"].partition(" ")
        return redirect(url_for("fixes.rows", public_id=public_id, cause=cause or None, column=column or None), 303)
    _tell(seen, count, edited, late)
    last = None if pressed in {fix_form.SURE, fix_form.SUGGESTED, fix_form.REST} else next(reversed(given), None)
    place = ErrorKind.stored(last.cause, last.column) if last else None
    anchor = _find_place(seen.key, groups, place)
    return redirect(url_for("fixes.show", public_id=public_id, _anchor=anchor, **_as_arguments(_read_kind())), 303)


def _apply(seen: ImportProgress) -> tuple[list[NewAnswer], Collection[int], int, list[Stale]]:
    """Apply what was typed and pressed.

    The answers for groups, the lines of edited rows, how much that is, and what of it came too late.
    Nothing is applied where it raises AnswerRefused, NotOneRow or Busy.
    """
    one = _load(seen.key)
    pressed = request.form.get("press")
    (typed, late), (edited, late_rows) = fix_form.read_typed(seen), fix_form.read_rows(seen)
    given = typed, [*fix_form.read_pressed(seen)]
    if edited:
        engine.check_cells(one, edited)
    since = corrections.get(seen.key).answers + 1
    for answer in engine.in_order(*given):
        engine.give(one, answer)
    if edited:
        engine.give_cells(one, edited)
    if pressed == fix_form.REST:
        cells = {REASON: fix_form.read_reason(), SINCE: str(since)}
        engine.give(one, NewAnswer(Rule.LEAVE_REST, cells=cells))
    return (
        [*chain(*given)],
        edited,
        len(edited) + sum(map(len, given)) + (pressed == fix_form.REST),
        [*late, *late_rows],
    )


def _import_applied(seen: ImportProgress, form_key: uuid.UUID | None, late: list[Stale]) -> ResponseReturnValue:
    """Import the corrected rows, those with what was just typed, too; 303 to the import, or to the page of the groups
    while that is still being applied.
    """
    if corrections.get(seen.key).answering is not None:
        flash("Nothing is imported yet: your answer is still being applied. Import the rows when it is done.", "info")
        return redirect(url_for("fixes.show", public_id=seen.public_id), 303)
    wrong = _tell_wrong(seen)
    made = commands.import_corrected(seller_id(), seen.public_id, form_key=form_key)
    if late:
        flash(" ".join(stale.tell(seen, late, _names(seen))), "info")
    if wrong:
        page = Markup('<a href="{}">{}</a>').format(url_for("fixes.show", public_id=seen.public_id), seen.name)
        flash(Markup("Not imported: {}. Fix what is left in {}.").format(", ".join(wrong), page), "info")
    return redirect(url_for("details.show", public_id=made.public_id), 303)


def _find_place(key: ImportKey, before: list[Group], answered: ErrorKind | None) -> str:
    """Where the page goes on: at the group that was answered or, if nothing of it is open, at the next one.

    Where there is none, it begins with what is open, or with what has become of the rows.
    """
    kinds = [group.kind for group in before]
    still = {group.kind for group in corrections.list_groups(key)}
    following = kinds[kinds.index(answered) :] if answered in kinds else []
    return next((report.place_of(kind) for kind in following if kind in still), "fixes" if still else "messages")


@blueprint.get("/rows")
def rows(public_id: uuid.UUID) -> ResponseReturnValue:
    """The open rows, cell by cell; of one group with ``cause``, and only those below the line ``after``."""
    one = progress.get(seller_id(), public_id)
    if not progress.get_related(one).can_fix(one):
        return _nothing(one)
    return _rows_page(one, _read_kind(), read_line(request.args, "after"))


@blueprint.post("/rows")
def save_rows(public_id: uuid.UUID) -> ResponseReturnValue:
    """Save the rows of a page of cells; 303 to the next open rows, or the page again with what was typed."""
    seen = progress.get(seller_id(), public_id)
    one = _load(seen.key)
    kind = _read_kind()
    after = read_line(request.args, "after")
    try:
        edited, late = fix_form.read_rows(seen)
        if edited:
            engine.give_cells(one, edited)
        lines = fix_form.as_lines(request.form.getlist("leave-out"))
        if lines:
            engine.leave_out(one, lines, fix_form.read_reason())
    except (AnswerRefused, NotOneRow, engine.Busy) as refused:
        return _rows_page(progress.get(seller_id(), public_id), kind, after, fault=str(refused)), 422
    _tell(seen, len(edited) + len(lines), edited, late)
    now = progress.get(seller_id(), public_id)
    if not report.list_rows(now, kind=kind, after_line=after, limit=1)[0]:
        return redirect(url_for("fixes.show", public_id=public_id), 303)
    # Rows that are still wrong come again, with what is wrong now.
    return redirect(url_for("fixes.rows", public_id=public_id, after=after or None, **_as_arguments(kind)), 303)


@blueprint.post("/take-back")
def take_back(public_id: uuid.UUID) -> ResponseReturnValue:
    """Take an answer back (``number``), or single rows (``lines``); 303 to the groups.

    What was typed is applied before; the page again with it if that cannot be done.
    """
    seen = progress.get(seller_id(), public_id)
    number = request.form.get("number", default=0, type=int)
    lines = fix_form.as_lines(request.form.get("lines", "").split())
    if not 0 < number < MAX_LINE and not lines:
        raise BadRequest("The request does not say which answer or which rows to take back.")
    try:
        _, edited, count, late = _apply(seen)
    except (AnswerRefused, NotOneRow, engine.Busy) as refused:
        return _groups_page(progress.get(seller_id(), public_id), _read_kind(), fault=str(refused)), 422
    if count or late:
        _tell(seen, count, edited, late)
    before = corrections.get(seen.key)
    if engine.take_back(_load(seen.key), number, lines=lines).version == before.version:
        flash("Nothing was taken back: its rows have been imported, answered again or taken back since.", "info")
    else:
        flash("Taken back: to be fixed again, as uploaded.", "success")
    return redirect(url_for("fixes.show", public_id=public_id), 303)


@blueprint.post("/import")
def import_corrected(public_id: uuid.UUID) -> ResponseReturnValue:
    """Import the corrected rows; 303 to the import."""
    # Another seller's import is not found, whatever else is wrong with the request.
    progress.get(seller_id(), public_id)
    made = commands.import_corrected(seller_id(), public_id, form_key=read_form_key(request.form))
    return redirect(url_for("details.show", public_id=made.public_id), 303)


def _load(key: ImportKey) -> Import:
    return db.session.get_one(Import, tuple(key), populate_existing=True)


def _nothing(one: ImportProgress) -> ResponseReturnValue:
    """Where nothing is left to correct, the page of the import says what has become of its rows."""
    if one.finished_at is None:
        raise TransitionRefused("This import has not finished yet, so its failed rows cannot be corrected now.")
    related = progress.get_related(one)
    if one.open_again and related.closed >= one.failed:
        flash(f"{summary.say_fixed(one)}.", "info")
    elif one.failed and related.closed >= one.failed:
        failed = "The failed row is" if one.failed == 1 else f"All {one.failed:,} failed rows are"
        flash(f"{failed} dealt with.", "success")
    else:
        flash("There are no failed rows to fix here.", "info")
    return redirect(url_for("details.show", public_id=one.public_id), 303)


def _names(one: ImportProgress) -> Callable[[str], str]:
    """What the seller calls each column."""
    return partial(seller_file.name_column, seller_file.find(one.key))


def _read_kind() -> ErrorKind | None:
    cause, column = request.args.get("cause", ""), request.args.get("column", "")
    if cause not in {each.slug for each in Cause} or column not in {"", *COLUMNS}:
        return None
    return ErrorKind.stored(cause, column)


def _as_arguments(kind: ErrorKind | None) -> dict[str, Any]:
    return {"cause": kind.cause.slug, "column": kind.column} if kind else {}


def _rows_page(one: ImportProgress, kind: ErrorKind | None, after: int, fault: str = "") -> str:
    shown, goes_on = report.list_rows(one, kind=kind, after_line=after, limit=_ROWS)
    parent = progress.get_related(one).parent
    return render_template(
        "fixes/rows.html",
        one=one,
        parent=parent,
        parent_lines=report.find_parent_lines(one, parent, [row.line for row in shown]) if parent else {},
        kind=kind,
        name_of=_names(one),
        rows=shown,
        goes_on=goes_on,
        after=after,
        fault=fault,
        typed=request.form,
        mark_of=mark_of,
        limits=TEXT_LIMITS,
        choices=CHOICES,
        arguments=_as_arguments(kind),
    )


def _tell(seen: ImportProgress, given: int, edited: Collection[int], late: list[Stale]) -> None:
    """Say what has become of the rows that were answered since the page was ``seen``, and what came too late.

    The first of the rows that were ``edited`` by hand and are open all the same are named.
    """
    before, now = seen.fixed, corrections.get(seen.key)
    missed = " ".join(stale.tell(seen, late, _names(seen)))
    if not given or now.answering is not None:
        if missed or not given:
            flash(missed or "Nothing was entered.", "info")
        return
    right, left_out = now.correct - before.correct, now.left_out - before.left_out
    told = [
        *([f"{counted(right, 'more row')} can be imported"] if right > 0 else ()),
        *_tell_wrong(seen),
        *([f"{counted(left_out, 'row')} left out"] if left_out > 0 else ()),
    ]
    message = Markup.escape(f"{', '.join(told)}." if told else "No row was changed by that.")
    for line, own_line, cause in report.list_still_open(seen, edited)[:_NAMED]:
        place = url_for("fixes.rows", public_id=seen.public_id, after=line - 1, _anchor=f"line-{line}")
        message += Markup(' <a href="{}">Line {:,}</a>: {}.').format(place, own_line, cause.title)
    is_nearer = right > 0 or left_out > 0
    flash(message + (f" {missed}" if missed else ""), "success" if is_nearer and not missed else "info")


def _tell_wrong(seen: ImportProgress) -> list[str]:
    """How many of the rows that were answered since the page was ``seen`` are still wrong, or wrong in another way."""
    wrong = report.count_wrong_since(seen.key, seen.fixed)
    return [
        *([f"{counted(wrong.still, 'row')} {'is' if wrong.still == 1 else 'are'} still wrong"] if wrong.still else ()),
        *(
            [f"{counted(wrong.otherwise, 'row')} {'has' if wrong.otherwise == 1 else 'have'} another problem"]
            if wrong.otherwise
            else ()
        ),
    ]
