"""Fix it here, for programs: what is open of the failed rows, answers about them, and the import of corrected rows."""

import uuid
from functools import partial
from typing import Any

from marshmallow import RAISE

from app.api.authentication import seller_id
from app.api.blueprint import Created, asks, blueprint, can_fail, creates
from app.api.imports import answer_created
from app.api.schemas import AnswerGiven, AnswerNamed, Fixing, RequestKey, RowsGiven
from app.extensions import db
from app.http import answers
from app.http.answers import AnswerRefused
from app.http.form_fields import FormRefused
from app.imports import commands
from app.imports.creation import form_key_of
from app.imports.fixes import engine, report
from app.imports.fixes.engine import NotOneRow
from app.imports.fixes.report import GroupToFix
from app.imports.reports import progress, seller_file
from app.models import Import

_TAG = ["Failed rows"]
_ANSWER = {"rule": "suggested", "cause": "price-in-pounds", "column": "PRICE"}
_ROWS = {"rows": [{"line": 3, "cells": {"PRICE": "199"}}]}


@blueprint.get("/imports/<uuid:public_id>/fix", tags=_TAG)
@blueprint.response(200, Fixing())
@can_fail(404)
def show_fixing(public_id: uuid.UUID) -> dict[str, Any]:
    """Show what is open of the failed rows: groups, their wrong values, and the answers that suggest themselves.

    Each suggestion is an answer that can be given as it is. While “busy” is true, values are being counted or an answer
    is being applied, and no groups are listed; before the first answer, POST here to have the values counted.
    """
    return _show(public_id)


@blueprint.post("/imports/<uuid:public_id>/fix", tags=_TAG)
@blueprint.response(200, Fixing())
@can_fail(403, 404)
def begin_fixing(public_id: uuid.UUID) -> dict[str, Any]:
    """Have the wrong values of the failed rows counted.

    Repeated, it changes nothing.
    """
    one = progress.get(seller_id(), public_id)
    if progress.get_related(one).can_fix(one):
        engine.survey(one.key)
    return _show(public_id)


@blueprint.post("/imports/<uuid:public_id>/fix/answers", tags=_TAG)
@blueprint.arguments(AnswerGiven, location="json", unknown=RAISE, example=_ANSWER)
@blueprint.response(200, Fixing())
@can_fail(403, 404, 409)
def give_answer(given: dict[str, Any], public_id: uuid.UUID) -> dict[str, Any]:
    """Answer for all rows of a group, or for those with one wrong value.

    Large groups are answered in the background: “busy” is true meanwhile, and further answers wait for their turn.
    """
    one = _get(public_id)
    names = ("rule", "cause", "column", "value", "cells")
    try:
        answer = answers.read({name: given.get(name) for name in names})
    except AnswerRefused as refused:
        raise FormRefused("answer", str(refused)) from None
    engine.give(one, answer)
    return _show(public_id)


@blueprint.post("/imports/<uuid:public_id>/fix/rows", tags=_TAG)
@blueprint.arguments(RowsGiven, location="json", unknown=RAISE, example=_ROWS)
@blueprint.response(200, Fixing())
@can_fail(403, 404, 409)
def correct_rows(given: dict[str, Any], public_id: uuid.UUID) -> dict[str, Any]:
    """Correct single rows: some of their cells, or the whole row as a line of CSV.

    Rows that have not failed, or that another import has, are left as they are.
    """
    one = _get(public_id)
    try:
        edited = {
            each["line"]: each["row"] if "row" in each else answers.read_cells(each.get("cells", {}))
            for each in given["rows"]
        }
        engine.give_cells(one, edited)
    except (AnswerRefused, NotOneRow) as refused:
        raise FormRefused("rows", str(refused)) from None
    return _show(public_id)


@blueprint.post("/imports/<uuid:public_id>/fix/take-back", tags=_TAG)
@asks(AnswerNamed)
@blueprint.response(200, Fixing())
@can_fail(403, 404, 409)
def take_answer_back(asked: dict[str, Any], public_id: uuid.UUID) -> dict[str, Any]:
    """Take an answer back: its rows are open as they were uploaded, unless another import has them."""
    engine.take_back(_get(public_id), asked["number"])
    return _show(public_id)


@blueprint.post("/imports/<uuid:public_id>/fix/import", tags=_TAG)
@blueprint.arguments(RequestKey, location="headers")
@creates("The import of the corrected rows.")
@can_fail(403, 404, 409)
def import_corrected(headers: dict[str, Any], public_id: uuid.UUID) -> Created:
    """Import the corrected rows as a new import.

    Each row is taken up once. With an Idempotency-Key, a repeated request answers with the same import.
    """
    key = form_key_of(headers.get("key"))
    made = commands.import_corrected(seller_id(), public_id, form_key=key)
    return answer_created(made.public_id)


def _get(public_id: uuid.UUID) -> Import:
    return db.session.get_one(Import, tuple(progress.get(seller_id(), public_id).key), populate_existing=True)


def _show(public_id: uuid.UUID) -> dict[str, Any]:
    one = progress.get(seller_id(), public_id)
    to_fix = report.show(one)
    standing = to_fix.standing
    name_of = partial(seller_file.name_column, seller_file.find(one.key))
    return {
        "busy": standing.answering is not None,
        "rows_done": standing.rows_done,
        "failed": one.failed,
        "open": to_fix.open_rows,
        "still_wrong": standing.open_corrected,
        "correct": standing.correct,
        "left_out": standing.left_out,
        "taken_up": standing.taken,
        "groups": [_show_group(group, name_of(group.kind.column)) for group in to_fix.groups],
        "answers": [{**each._asdict(), "words": report.describe(each, name_of)} for each in to_fix.answers],
    }


def _show_group(group: GroupToFix, column_of_file: str) -> dict[str, Any]:
    return {
        "cause": group.kind.cause.slug,
        "column": group.kind.column,
        "column_of_file": column_of_file,
        "rows": group.rows,
        "suggestions": [offer._replace(note="") for offer in group.rules],
        "values": group.values,
        "more_values": max(0, group.more),
    }
