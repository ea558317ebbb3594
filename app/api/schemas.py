"""What the API takes and gives, field by field; what is said of a field here is what its readers are told."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Any

from marshmallow import EXCLUDE, Schema, fields
from marshmallow.validate import Length, OneOf, Range, Regexp

from app.csvfile.causes import Cause, Code
from app.csvfile.columns import COLUMNS, FIELDS
from app.csvfile.contract import Condition
from app.http.error_filter import MAX_BATCH, MAX_LINE, WHOLE_ROW
from app.import_fields import camel
from app.imports.actions import SELLER_ACTIONS
from app.statuses import BatchStatus, ImportKind, ImportStatus, RetriedRows

#: Failed rows that come with an import itself; there is a link to the rest.
ERRORS_IN_IMPORT = 100
#: Earlier imports of the same file that an import tells of.
EARLIER_IN_IMPORT = 5


class Answer(Schema):
    """Something that the API gives; every field is always there, and more may come."""

    class Meta:
        """Says in the description that there may be fields of which it does not tell."""

        unknown = EXCLUDE

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Name the field as JSON does."""
        field_obj.data_key = camel(field_name)
        field_obj.required = True


def _text(says: str, *, null: bool = False) -> fields.String:
    return fields.String(allow_none=null, metadata={"description": says})


def _count(says: str) -> fields.Integer:
    return fields.Integer(metadata={"description": says, "minimum": 0})


def _flag(says: str) -> fields.Boolean:
    return fields.Boolean(metadata={"description": says})


def _time(says: str, *, null: bool = False) -> fields.DateTime:
    return fields.DateTime(format="iso", allow_none=null, metadata={"description": says})


def _id(says: str) -> fields.UUID:
    return fields.UUID(metadata={"description": says})


def _one_of(kinds: type[StrEnum], says: str, *, null: bool = False) -> fields.String:
    known = [kind.value for kind in kinds]
    return fields.String(validate=OneOf(known), allow_none=null, metadata={"description": says})


def _list(schema: Schema, says: str) -> fields.List[Any]:
    return fields.List(fields.Nested(schema), metadata={"description": says})


class Batch(Answer):
    """A run of consecutive rows of an import, worked through by one worker at a time."""

    id = fields.Integer(metadata={"description": "Its number within the import, from 1.", "minimum": 1})
    status = _one_of(
        BatchStatus,
        "QUEUED, RUNNING, PAUSED, or how it ended: COMPLETED (all rows processed, failed ones included), "
        "FAILED (given up, with rows left) or TERMINATED.",
    )
    first_line = _count("The line of the file on which its first row begins. The header is line 1.")
    total = _count("Its rows.")
    successful = _count("Rows that did what they ask for.")
    failed = _count("Rows that did not.")
    reason = _text("Why it was given up; null for one that was not.", null=True)
    updated_at = _time("When any of this last changed.")


class SuggestedText(Answer):
    """One thing to write."""

    text = _text("What to write.")
    column = _text("In which column.")
    note = _text("What tells it from the other choices; may be empty.")


class Suggestion(Answer):
    """What was probably meant."""

    lead = _text("The beginning of the sentence.")
    choices = _list(SuggestedText(), "What to write instead, the likeliest first.")


class RowProblem(Answer):
    """One thing that is wrong with a row."""

    cause = fields.String(
        validate=OneOf([cause.slug for cause in Cause]),
        metadata={"description": "Why, as a word to go by; Fix errors in the help explains each."},
    )
    column = _text("The column; empty for the row as a whole.")
    message = _text("What is wrong and what to do, in a sentence.")
    suggestion = fields.Nested(
        Suggestion(), allow_none=True, metadata={"description": "What was probably meant; null where nobody can say."}
    )


class RowError(Answer):
    """A row that was not imported."""

    id = fields.Integer(metadata={"description": "Names the error within its import: the line."})
    line = fields.Integer(metadata={"description": "The line of the file on which the row begins."})
    code = fields.Integer(
        validate=OneOf([int(code) for code in Code]),
        metadata={"description": "422: the row itself is wrong. 404: what it names is not there. 409: it clashes."},
    )
    columns = fields.List(fields.String(), metadata={"description": "The columns that something is wrong with."})
    message = _text("All that is wrong, in sentences that say what to do.")
    row = _text("The row as it stands in the file, byte for byte.")
    problems = _list(RowProblem(), "The same one by one.")


class ErrorGroup(Answer):
    """The rows that failed for one cause in one column."""

    cause = _text("The cause; “cause” of the errors finds them.")
    column = _text("The column; empty for the row as a whole.")
    code = fields.Integer(metadata={"description": "422, 404 or 409."})
    rows = _count("How many there are. A row with several problems counts in several groups.")
    fix = _text("How to fix all of them.")


class RelatedImport(Answer):
    """Another import that takes up rows of this one, or whose rows this one takes up."""

    id = _id("Its id.")
    rows = _one_of(RetriedRows, "Which rows: FAILED, REMAINING, or of a check ALL.")
    file_name = _text("What its file is called.")
    status = _one_of(ImportStatus, "Its status.")


class EarlierImport(Answer):
    """Another import of the very same bytes."""

    id = _id("Its id.")
    file_name = _text("What its file is called.")
    status = _one_of(ImportStatus, "Its status.")
    created_at = _time("When the file arrived.")


class Links(Answer):
    """Where to ask for more; paths on this host."""

    self = _text("The import itself.")
    html = _text("Its page, for people.")
    errors = _text("All failed rows, in JSON.")
    failed_csv = _text("The failed rows under their header, to correct and send again.")
    errors_csv = _text("The report: line, code, columns, message, fix and the row's values.")
    as_updates_csv = _text("Rows whose listing was there already, as rows that change it.")
    remaining_csv = _text("The rows not processed.")
    succeeded_csv = _text("Line, listing and outcome of each row that succeeded.")
    source_csv = _text("The file as it was sent.")


class Warned(Answer):
    """Something that looked wrong in rows when the file arrived; nothing is refused for it."""

    kind = _text("What, as a word to go by.")
    rows = _count("In how many rows.")
    line = _count("The line on which the first of them begins.")
    column = _text("Its column.")
    value = _text("What stands there.")
    message = _text("What looks wrong and what to do, in a sentence.")


class Import(Answer):
    """A file on its way into the listings, or a check of one."""

    id = _id("The id, which can be neither guessed nor counted.")
    status = _one_of(
        ImportStatus,
        "RUNNING or PAUSED, or how it ended: COMPLETED (no row failed), FAILED (some did, or a batch was given up) "
        "or TERMINATED.",
    )
    pausing = _flag("Whether a pause was asked for and rows are still being finished; then it becomes PAUSED.")
    kind = _one_of(ImportKind, "IMPORT, or CHECK: it only finds out what would come of the rows, and writes nothing.")
    check = _flag("Whether its kind is CHECK.")
    outcome = _text("What has come of it so far, in words for people.")
    file_name = _text("What the file is called.")
    file_size = _count("In bytes.")
    key = _text("The Idempotency-Key with which it was made, or null.", null=True)
    total = _count("All rows of the file. At any time it is successful + failed + notProcessed.")
    successful = _count("Rows that did what they ask for: created + updated + unchanged.")
    failed = _count("Rows that did not; the errors say why.")
    not_processed = _count("Rows that nobody has come to yet, or never will.")
    created = _count("Rows that made a listing.")
    updated = _count("Rows that changed one.")
    unchanged = _count("Rows that found theirs as they want it.")
    invalid = _count("Rows that were found wrong when the file arrived; they will be, or are, among the failed.")
    warnings = _list(Warned(), "What looked wrong in rows when the file arrived, by kind; nothing is refused for it.")
    created_at = _time("When the file arrived.")
    updated_at = _time("When a row was last worked on.")
    started_at = _time("When the first row was worked on; null before.", null=True)
    finished_at = _time("When it was over; null before.", null=True)
    links = fields.Nested(Links())


class ImportInFull(Import):
    """An import with its batches and the first of its failed rows."""

    actions = fields.List(
        fields.String(validate=OneOf(SELLER_ACTIONS)),
        metadata={
            "description": "What can be asked for now: pause, resume or terminate; retry-failed and retry-remaining "
            "(retry with rows=FAILED or REMAINING); for a check that is over, import."
        },
    )
    retry_of = fields.Nested(
        RelatedImport(), allow_none=True, metadata={"description": "The import whose rows it takes up again, or null."}
    )
    retries = _list(RelatedImport(), "The imports that take up its rows again.")
    earlier = _list(
        EarlierImport(), f"The newest other imports of the same bytes, at most {EARLIER_IN_IMPORT}; checks are none."
    )
    batches = _list(Batch(), "Its batches, in the order of the file.")
    error_groups = _list(ErrorGroup(), "Its failed rows by cause, the most frequent first.")
    errors = _list(RowError(), f"The first {ERRORS_IN_IMPORT} of its failed rows; “links.errors” leads to all.")


class Imports(Answer):
    """A page of imports."""

    imports = _list(Import(), "Newest first.")
    next = _text("Where the next page is; null on the last one.", null=True)


class RowErrors(Answer):
    """A page of failed rows."""

    errors = _list(RowError(), "In the order of the file.")
    next = _text("Where the next page is; null on the last one.", null=True)


class ChangedValue(Answer):
    """What would become of one value of a listing."""

    column = _text("Its column.")
    before = _text("What it is.")
    after = _text("What it would be.")


class Change(Answer):
    """What a row of a check would change about a listing."""

    line = fields.Integer(metadata={"description": "The row's line."})
    urn = _text("The item's URN.")
    name = _text("The item's name.")
    condition = _text("The grade.")
    variants = _text("The variants, joined by |; may be empty.")
    values = _list(ChangedValue(), "The values that would be others.")


class Changes(Answer):
    """What a check foresees."""

    changes = _list(Change(), "Those whose price would move most come first; none for an import.")


class Origin(Answer):
    """A row of an import that wrote a listing."""

    import_id = _id("The import.")
    line = fields.Integer(metadata={"description": "The row's line."})


#: How JSON has what a listing keeps of a column, by the column's type in PostgreSQL.
_FIELD_KINDS: dict[str, Callable[[str], fields.Field[Any]]] = {
    "int4": _count,
    "bool": _flag,
    "text": partial(_text, null=True),
}


class Listing(Answer):
    """What you offer: one item in one condition and one set of variants."""

    id = _text("As succeeded.csv has it: the URN, the condition and the variants, joined by /.")
    urn = _text("The item's URN.")
    game = _text("The item's game.")
    set = _text("The item's set.")
    name = _text("The item's name.")
    number = _text("The item's number; may be empty.")
    condition = fields.String(
        validate=OneOf([condition.name for condition in Condition]), metadata={"description": "The grade."}
    )
    variants = _text("Sorted and joined by |; may be empty.")
    locals().update({field.name: _FIELD_KINDS[field.sql](field.meaning) for field in FIELDS.values()})
    made_by = fields.Nested(Origin(), allow_none=True, metadata={"description": "The row that made it, or null."})
    changed_by = fields.Nested(
        Origin(), allow_none=True, metadata={"description": "The row that last changed it, or null."}
    )
    updated_at = _time("When it last changed, by an import or by hand.")


class Listings(Answer):
    """A page of listings."""

    listings = _list(Listing(), "In the order of the catalog.")
    next = _text(
        "Where the next page is; null on the last one. A search looks only so long: a page may have fewer listings "
        "than asked for, or none, and still have a next one.",
        null=True,
    )


class Fault(Schema):
    """What is wrong with one parameter."""

    parameter = fields.String(required=True)
    message = fields.String(required=True)


class Problem(Schema):
    """Why a request came to nothing: a problem document as in RFC 9457."""

    type = fields.String(
        required=True,
        metadata={"description": "Which problem it is; the address explains it.", "format": "uri-reference"},
    )
    title = fields.String(required=True, metadata={"description": "The same in words."})
    status = fields.Integer(required=True, metadata={"description": "That of the answer."})
    detail = fields.String(required=True, metadata={"description": "What happened this time, and what to do."})
    line = fields.Integer(metadata={"description": "Of a refused file: the line, where it can be told."})
    errors = fields.List(
        fields.Nested(Fault()), metadata={"description": "Of an invalid request: each parameter that is wrong."}
    )


# What requests say in their addresses and headers ----------------------------------------------------------------


def _switch(says: str) -> fields.Boolean:
    return fields.Boolean(truthy={"true"}, falsy={"false"}, load_default=False, metadata={"description": says})


def _limit(most: int, usual: int) -> fields.Integer:
    return fields.Integer(
        load_default=usual,
        validate=Range(1, most),
        metadata={"description": f"How many to a page; {usual} if not said."},
    )


_NO_NUL = Regexp(r"[^\x00]*\Z", error="A NUL cannot be searched for.")


class ImportsAsked(Schema):
    """Which page of imports."""

    limit = _limit(100, 20)
    before = fields.UUID(metadata={"description": "The id of the last import on the page before; “next” has it."})


class FileAsked(Schema):
    """What to do with a file."""

    check = _switch("true: only find out what would come of the rows, and write nothing.")
    file_name = fields.String(
        data_key="fileName",
        validate=Length(max=255),
        metadata={"description": "What the file is called. A form has a name of its own for it."},
    )


class AgainAsked(FileAsked):
    """What to do with a stored file."""

    file_name = fields.String(
        data_key="fileName",
        validate=Length(max=255),
        metadata={"description": "What the file is called this time; as the last time, if not said."},
    )


class RequestKey(Schema):
    """What a request is called, so that it can be sent again."""

    key = fields.String(
        data_key="Idempotency-Key",
        validate=Length(1, 255),
        metadata={
            "description": "A text of your own for this request, such as the day of a nightly run. Sent again with "
            "the same file, the request makes nothing new and is answered with what it made; with another file it is "
            "refused."
        },
    )


class RetryAsked(Schema):
    """What to retry."""

    rows = fields.String(
        required=True,
        validate=OneOf([RetriedRows.FAILED.value, RetriedRows.REMAINING.value]),
        metadata={"description": "FAILED: the rows that failed. REMAINING: those that were not processed."},
    )


class ErrorsAsked(Schema):
    """Which failed rows."""

    limit = _limit(1_000, 100)
    after = fields.Integer(
        load_default=0,
        validate=Range(0, MAX_LINE),
        metadata={"description": "Only rows below this line; “next” has it."},
    )
    code = fields.Integer(
        validate=OneOf([int(code) for code in Code]), metadata={"description": "Only rows that failed with this code."}
    )
    cause = fields.String(
        validate=OneOf([cause.slug for cause in Cause]), metadata={"description": "Only rows with this cause."}
    )
    column = fields.String(
        validate=OneOf([*COLUMNS, WHOLE_ROW]),
        metadata={"description": f"Only rows in which this column is wrong; {WHOLE_ROW}: the row as a whole."},
    )
    batch = fields.Integer(
        validate=Range(1, MAX_BATCH), metadata={"description": "Only rows of the batch with this number."}
    )
    lines = fields.String(
        validate=Regexp(r"^[0-9]{1,10}(-[0-9]{1,10})?\Z"),
        metadata={
            "description": "Only rows on this line, or from one to another: 120, or 120-180.",
            "pattern": "^[0-9]{1,10}(-[0-9]{1,10})?$",
        },
    )
    text = fields.String(
        validate=[Length(max=255), _NO_NUL], metadata={"description": "Only rows with this text in them, in any case."}
    )


class ListingsAsked(Schema):
    """Which listings."""

    text = fields.String(
        validate=[Length(max=100), _NO_NUL],
        metadata={"description": "Only listings with all these words in the item's game, set, name or number."},
    )
    urn = fields.String(
        validate=[Length(max=1_000), _NO_NUL], metadata={"description": "The item's URN, or its beginning."}
    )
    condition = fields.String(
        validate=OneOf([condition.name for condition in Condition]), metadata={"description": "Only this grade."}
    )
    hidden = fields.String(
        validate=OneOf(["yes", "no"]),
        metadata={"description": "yes: only hidden ones; no: only those that buyers see."},
    )


class ListingsPageAsked(ListingsAsked):
    """Which page of which listings."""

    limit = _limit(100, 50)
    after = fields.String(
        validate=[Length(max=2_000), _NO_NUL], metadata={"description": "Where the page before ended; “next” has it."}
    )


class ListingNamed(Schema):
    """One listing."""

    urn = fields.String(
        required=True, validate=[Length(1, 1_000), _NO_NUL], metadata={"description": "The item's URN."}
    )
    condition = fields.String(
        required=True,
        validate=OneOf([condition.name for condition in Condition]),
        metadata={"description": "The grade."},
    )
    variants = fields.String(
        load_default="",
        validate=[Length(max=500), _NO_NUL],
        metadata={"description": "The variants as the listing has them, joined by |."},
    )
