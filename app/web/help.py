"""Help for building and correcting a file: the rules, the causes of failure, and a template to start from.

All of it is derived from the definitions that the validator uses.
"""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import login_required
from werkzeug.exceptions import NotFound

from app.csvfile.causes import Cause, Code
from app.csvfile.columns import HEADER, REASON_COLUMNS, VALUES, Column
from app.csvfile.contract import CONDITION_CODES
from app.csvfile.errors import SAVE_AS_CSV
from app.csvfile.examples import EXAMPLES, MISTAKES, Mistake, example_message
from app.csvfile.visible import visible
from app.demo import sample
from app.http import downloads
from app.http.form_fields import is_on
from app.web.match.steps import format_names

blueprint = Blueprint("help", __name__)

#: Maximum number of characters shown of a value.
_VALUE_LENGTH = 90


@blueprint.get("/help/csv")
def csv() -> ResponseReturnValue:
    """How to build a file: the header, every column with its rule, and valid rows."""
    return render_template(
        "help/csv.html",
        header=HEADER,
        columns=[*Column],
        conditions=CONDITION_CODES,
        examples=EXAMPLES,
        save_as_csv=SAVE_AS_CSV,
        reason_columns=REASON_COLUMNS,
        free_texts=[column for column in VALUES if column.spec.is_free_text],
    )


@blueprint.get("/help/errors")
def errors() -> ResponseReturnValue:
    """The meaning of the codes, and how to fix each cause, whose slug is its anchor."""
    return render_template(
        "help/errors.html",
        causes={code: [cause for cause in Cause if cause.code is code] for code in Code},
        reason_columns=REASON_COLUMNS,
        # A cause without an example fails a test instead of this page.
        example_messages={cause: example_message(cause) for cause in MISTAKES},
        changes={cause: _changes(mistake) for cause, mistake in MISTAKES.items()},
    )


@blueprint.get("/help/matching")
def matching() -> ResponseReturnValue:
    """How a file from another tool becomes listings, and the formats that are recognised."""
    return render_template("help/matching.html", formats=format_names())


@blueprint.get("/imports/template.csv")
@login_required
def template_csv() -> ResponseReturnValue:
    """The header and two example rows."""
    return downloads.template()


@blueprint.get("/imports/sample.csv")
@login_required
def sample_csv() -> ResponseReturnValue:
    """A file of right rows, or ``with_mistakes``, to try an import; 404 if the catalog does not have their items."""
    if not sample.is_offered():
        raise NotFound
    file = sample.WITH_MISTAKES if is_on(request.args, "with_mistakes") else sample.RIGHT
    return downloads.csv_response(f"sluice-sample-{file.name}", [file.read_bytes()])


def _changes(mistake: Mistake) -> list[tuple[str, str, str]]:
    """Column, wrong value and right value of every cell that the correction changes, for display."""
    return [
        (column, _visible(wrong), _visible(mistake.right[column]))
        for column, wrong in mistake.wrong.items()
        if wrong != mistake.right[column]
    ]


def _visible(value: str) -> str:
    return visible(value if len(value) <= _VALUE_LENGTH else f"{value[:_VALUE_LENGTH]}…")
