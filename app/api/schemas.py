"""The schemas of requests and answers. The descriptions are those of the API's reference."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

from marshmallow import EXCLUDE, Schema, fields
from marshmallow.validate import Length, OneOf, Range, Regexp

from app.csvfile.causes import Cause, Code
from app.csvfile.columns import COLUMNS, FIELDS, REASON_COLUMNS
from app.csvfile.contract import MAX_PRICE, MAX_QUANTITY, MAX_TEXT_LENGTH, MIN_PRICE, Condition
from app.http.error_filter import MAX_BATCH, MAX_LINE, MAX_TEXT, MIN_TEXT, WHOLE_ROW
from app.import_fields import camel
from app.imports.actions import SELLER_ACTIONS
from app.imports.fixes.answers import FOR_GROUPS
from app.imports.housekeeping import MAX_NAME, MAX_NOTE
from app.queries.listings.search import LOW_QUANTITY, Order, Stock
from app.statuses import BatchStatus, ConversionStatus, ImportKind, ImportStatus, RetriedRows

#: Number of failed rows in the answer for an import; a link leads to the others.
ERRORS_IN_IMPORT = 100
#: Maximum number of earlier imports of the same file in an answer.
EARLIER_IN_IMPORT = 5

_Field = TypeVar("_Field", bound=fields.Field[Any])


class Answer(Schema):
    """The base of answers. Every field is always present, and later releases may add some.

    A field is read from what is answered, by its name or its ``attribute``.
    """

    class Meta:
        """Allow additional fields in the OpenAPI schema."""

        unknown = EXCLUDE

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Name the field in camelCase."""
        field_obj.data_key = camel(field_name)
        field_obj.required = True


def _described(kind: Callable[..., _Field]) -> Callable[..., _Field]:
    """Makes fields of a kind, given what the reference says of each and whether it may be ``null``."""

    def make(says: str, *, null: bool = False, **options: Any) -> _Field:
        return kind(allow_none=null, metadata={"description": says}, **options)

    return make


_text = _described(fields.String)
_integer = _described(fields.Integer)
_flag = _described(fields.Boolean)
_time = _described(partial(fields.DateTime, format="iso"))
_id = _described(fields.UUID)


def _count(says: str, **options: Any) -> fields.Integer:
    return fields.Integer(metadata={"description": says, "minimum": 0}, **options)


def _one_of(kinds: Iterable[str], says: str, *, null: bool = False, **options: Any) -> fields.String:
    """One of the texts, or of the values of an enum."""
    return _text(says, null=null, validate=OneOf([str(kind) for kind in kinds]), **options)


_CAUSES = [cause.slug for cause in Cause]


def _code(says: str, **options: Any) -> fields.Integer:
    return _integer(says, validate=OneOf([int(code) for code in Code]), **options)


def _condition(says: str, **options: Any) -> fields.String:
    return _one_of([condition.name for condition in Condition], says, **options)


def _cells(says: str, **options: Any) -> fields.Dict:
    return fields.Dict(keys=fields.String(), values=fields.String(), metadata={"description": says}, **options)


def _nested(schema: Schema, says: str) -> fields.Nested:
    return fields.Nested(schema, allow_none=True, metadata={"description": says})


def _list(each: Schema | fields.Field[Any], says: str, **options: Any) -> fields.List[Any]:
    kind = fields.Nested(each) if isinstance(each, Schema) else each
    return fields.List(kind, metadata={"description": says}, **options)


def _next_page(searched: str = "") -> fields.String:
    """The path of the next page of a list, or of a search for what ``searched`` names."""
    says = "The path of the next page; null on the last page."
    if searched:
        says += (
            f" A search stops after a time: a page may have fewer {searched} than requested, or none, and still have "
            "a next one."
        )
    return _text(says, null=True)


class Batch(Answer):
    """A slice of an import, which one worker processes at a time."""

    id = fields.Integer(
        metadata={"description": "Its number within the import, from 1.", "minimum": 1}, attribute="number"
    )
    status = _one_of(
        BatchStatus,
        "QUEUED, RUNNING, PAUSED, or how it ended: COMPLETED (all rows processed, failed ones included), "
        "FAILED (given up, with rows left) or TERMINATED.",
    )
    first_line = _count("The line of the file on which its first row begins. The header is line 1.")
    total = _count("Its rows.")
    successful = _count("Rows that were created, updated or unchanged.")
    failed = _count("Rows that did not.")
    reason = _text("Why it was given up, or what it waits for; otherwise null.", null=True)
    updated_at = _time("When the batch last changed.")


class SuggestedText(Answer):
    """A choice of a suggestion."""

    text = _text("What to write.")
    column = _text("In which column.")
    note = _text("What distinguishes it from the other choices; may be empty.")


class Suggestion(Answer):
    """A suggestion of what was probably meant."""

    lead = _text("The beginning of the sentence.")
    choices = _list(SuggestedText(), "What to write instead, most likely first.")


_COLUMN_OF_FILE = "Of a file from another tool: its own columns, joined by a comma."


class RowProblem(Answer):
    """A problem of a row."""

    cause = _one_of(
        _CAUSES,
        "The cause, as a stable identifier; “Fix errors” in the help explains each.",
        attribute="kind.cause.slug",
    )
    column = _text(f"The column. {_COLUMN_OF_FILE} Empty for the row as a whole.")
    message = _text("What is wrong and what to do, in a sentence.")
    suggestion = _nested(Suggestion(), "What was probably meant; null if unknown.")


class RowError(Answer):
    """A failed row."""

    id = _integer("Identifies the error within its import: the line.")
    line = _integer("The line of the file on which the row begins.")
    code = _code("422: the row is invalid. 404: not found. 409: conflict.")
    columns = _list(fields.String(), "The columns with problems.")
    message = _text("All problems, in sentences that say what to do.")
    row = _text("The row as it stands in the file, byte for byte.")
    problems = _list(RowProblem(), "The same one by one.")


class ErrorGroup(Answer):
    """The failed rows with one cause in one column."""

    cause = _text("The cause; the parameter “cause” of the errors filters by it.")
    column = _text(f"The column. {_COLUMN_OF_FILE} Empty for the row as a whole.")
    code = _integer("422, 404 or 409.")
    rows = _count("Number of rows. A row with several problems counts in several groups.")
    fix = _text("How to fix all of them.")
    errors = _text("Its failed rows, in JSON.")


class RelatedImport(Answer):
    """A related import: a retry of this one, or the one that this one retries."""

    id = _id("Its id.")
    rows = _one_of(RetriedRows, "Which rows: FAILED, REMAINING, or of a check ALL.")
    file_name = _text("The name of its file.")
    status = _one_of(ImportStatus, "Its status.")


class SuggestedAnswer(Answer):
    """An answer that suggests itself; its fields but “text” and “note” can be given as they are."""

    rule = _text("What it does.", attribute="answer.rule")
    cause = _text("The cause of the group that it is for.", attribute="answer.cause")
    column = _text("The column of the group; empty for the row as a whole.", attribute="answer.column")
    value = _text("The wrong value that it is for; null: all rows of the group.", null=True, attribute="answer.value")
    cells = _cells("The new values by column.", attribute="answer.cells")
    text = _text("What it says.")
    note = _text("What distinguishes it from the others, such as number, rarity and variants of an item.")


class OpenValue(Answer):
    """A wrong value that some open rows have."""

    value = _text("The value; empty where it does not matter. Those of several columns are joined by U+001F.")
    rows = _count("Number of rows.")
    first_line = _integer("The line of the first of them.", attribute="line")
    suggestions = _list(SuggestedAnswer(), "What it probably means.", attribute="offers")


class OpenGroup(Answer):
    """The open rows with one cause in one column."""

    cause = _text("The cause.")
    column = _text("The column of the import format, as answers name it; empty for the row as a whole.")
    column_of_file = _text(f"The column as its file has it. {_COLUMN_OF_FILE}")
    rows = _count("Number of rows.")
    suggestions = _list(SuggestedAnswer(), "Answers for all of them.")
    values = _list(OpenValue(), "The most frequent wrong values.")
    more_values = _count("Number of other values.")


class GivenAnswer(Answer):
    """An answer that was given."""

    number = _integer("Its number, to take it back.")
    rule = _text("What it did.")
    words = _text("The same in words.")
    rows = _count("Number of rows that it was applied to.")
    actor = _text("Who gave it.")
    at = _time("When.")


class Fixing(Answer):
    """How far the failed rows of an import are corrected."""

    busy = _flag("Whether values are being counted or an answer is being applied.")
    rows_done = _count("Number of rows that has come to.")
    failed = _count("Number of failed rows.")
    open = _count("Rows that are still open.")
    still_wrong = _count("Corrected rows that are open because of another problem.")
    correct = _count("Corrected rows that can be imported.")
    left_out = _count("Rows that were left out.")
    taken_up = _count("Rows that other imports have taken up.")
    groups = _list(OpenGroup(), "The open rows by cause and column, largest first.")
    answers = _list(GivenAnswer(), "The last answers, newest first.")


class EarlierImport(Answer):
    """Another import of the same file."""

    id = _id("Its id.", attribute="public_id")
    file_name = _text("The name of its file.")
    status = _one_of(ImportStatus, "Its status.")
    created_at = _time("When the file arrived.")


class Links(Answer):
    """Links, as paths on this host."""

    self = _text("The import itself.")
    status = _text("Its status and counters alone: what to poll.")
    html = _text("Its page, for people.")
    errors = _text("All failed rows, in JSON.")
    failed_csv = _text("The failed rows under their header, to correct and upload again.")
    errors_csv = _text("The report: line, code, columns, message, fix and the row's values.")
    as_updates_csv = _text("Rows whose listing already exists, as rows that update it.")
    remaining_csv = _text("The unprocessed rows.")
    succeeded_csv = _text("Line, listing and outcome of each row that succeeded.")
    kept_csv = _text("Of an undo: the listings that it has kept, and why.")
    source_csv = _text("The file as uploaded.")


class Warned(Answer):
    """A warning: a probable mistake that fails no row."""

    kind = _text("The kind of warning, as a stable identifier.")
    rows = _count("In how many rows.")
    line = _count("The line on which the first of them begins; of price-moves, the one that moves furthest.")
    column = _text("Its column.")
    value = _text("What stands there.")
    message = _text("What looks wrong and what to do, in a sentence.")


class Import(Answer):
    """An import or a check."""

    id = _id("The id, which can be neither guessed nor counted.")
    status = _one_of(
        ImportStatus,
        "RUNNING or PAUSED, or how it ended: COMPLETED (no row failed), FAILED (some did, or a batch was given up) "
        "or TERMINATED.",
    )
    pausing = _flag("Whether a pause was requested and rows in progress are being finished. Then it becomes PAUSED.")
    kind = _one_of(
        ImportKind,
        "IMPORT; CHECK: it finds out what would happen to the rows, and writes nothing; or UNDO: it reverses what "
        "an import has done, and its rows are listings.",
    )
    check = _flag("Whether its kind is CHECK.")
    outcome = _text("A summary for people.")
    file_name = _text("The name of the file.")
    name = _text("What you call it; the name of the file, unless you have given it another.")
    note = _text("What you have noted about it; may be empty.")
    dealt_with = _flag("Whether you have marked it as dealt with.")
    file_size = _count("In bytes.")
    key = _text("The Idempotency-Key of the request that created it, or null.", null=True)
    total = _count("All rows of the file. At any time it is successful + failed + notProcessed.")
    successful = _count("created + updated + unchanged; of an undo, removed + putBack + kept.")
    failed = _count("Failed rows; the errors say why.")
    not_processed = _count("Rows that are not processed, yet or for ever.")
    created = _count("Rows that created a listing.")
    updated = _count("Rows that changed one.")
    unchanged = _count("Rows whose listing already had their values.")
    removed = _count("Of an undo: listings that it removed.")
    put_back = _count("Of an undo: listings that have again what they had before the import.")
    kept = _count("Of an undo: listings that it left as they are, because something has changed them since.")
    invalid = _count("Rows that the upload check found invalid; they are, or will be, among the failed.")
    warnings = _list(Warned(), "Warnings from the upload check, by kind. They fail no row.")
    created_at = _time("When the file arrived.")
    updated_at = _time("When a row was last processed.")
    started_at = _time("When processing started; null before.", null=True)
    finished_at = _time("When it was over; null before.", null=True)
    links = fields.Nested(Links())


class StatusOnly(Answer):
    """Where an import stands, and nothing else: a small answer, to be asked for every second."""

    id = _id("The id of the import.", attribute="public_id")
    status = _one_of(ImportStatus, "As in the import.")
    pausing = _flag("As in the import.", attribute="is_pausing")
    moving = _flag("Whether workers may change the counters: true while the status is RUNNING.", attribute="is_moving")
    total = _count("All rows of the file.")
    successful = _count("As in the import.")
    failed = _count("As in the import.")
    not_processed = _count("As in the import.")


def _row_counts() -> dict[str, fields.Integer]:
    return {
        "rows": _count("All rows of the file. They are converted + added + leftOut + undecided."),
        "converted": _count("Rows that became a row of the import."),
        "added": _count("Rows for the same listing as one above, to whose quantity theirs was added."),
        "left_out": _count("Rows that are not for sale."),
        "undecided": _count("Rows about which something is to be decided first; they are left out, too."),
    }


_GUESS = "What was taken for granted about the prices, and the seller has not confirmed; otherwise null."


class ForeignFile(Answer):
    """The file from another tool that an import was converted from, with what became of its rows."""

    id = _id("The id of the conversion.")
    mapping = _text("The name of the saved mapping that it was converted with, or null.", null=True)
    guess = _text(_GUESS, null=True)
    rows, converted, added, left_out, undecided = _row_counts().values()
    source_csv = _text("The file as uploaded.")
    converted_csv = _text("The converted file, in the import format.")
    left_out_csv = _text("The rows that were left out, each with the reason; with added=true, those that were added.")


class ConversionLinks(Answer):
    """Links, as paths on this host."""

    self = _text("The conversion itself: what to poll.")
    html = _text("Its page, for people: what is open can be decided there.")
    started = _text("The import or check that was started with the file; null before.", null=True)


class Conversion(Answer):
    """A file from another tool, on its way into the import format."""

    id = _id("The id, which can be neither guessed nor counted.")
    status = _one_of(
        ConversionStatus,
        "DRAFT (its columns are not decided), QUEUED, RUNNING, CONVERTED, or FAILED: “reason” says why.",
    )
    done = fields.Float(metadata={"description": "How much is done, from 0 to 1.", "minimum": 0, "maximum": 1})
    file_name = _text("The name of the file.")
    mapping = _text("The name of the saved mapping, or null.", null=True)
    reason = _text("Why it failed, or was not started; otherwise null.", null=True)
    guess = _text(_GUESS, null=True)
    rows, converted, added, left_out, undecided = _row_counts().values()
    import_id = _id("The import or check of the converted file; null before it starts.", null=True)
    created_at = _time("When the file arrived.")
    updated_at = _time("When it last changed.")
    links = fields.Nested(ConversionLinks())


class Undone(Answer):
    """What has been undone of an import."""

    id = _id("The id of its latest undo, which has the counters.")
    status = _one_of(ImportStatus, "The status of that undo.")
    finished_at = _time("When that undo was over; null before.", null=True)
    kept = _count("The listings that its undos have kept, and none of them has undone since.")
    not_processed = _count("The listings that are not undone, yet or until it is undone once more.")


class UndoPreview(Answer):
    """What undoing an import would do at this moment: numbers of listings."""

    removed = _count("Listings that would be removed: the import created them, and nothing has changed them since.")
    put_back = _count("Listings that would get back what they had: the import was the last to change them.")
    kept = _count("Listings that would stay as they are, because something has changed them since.")


class KeptListing(Answer):
    """A listing that an undo has kept."""

    id = _text("The id of the listing.")
    urn = _text("The item's URN.")
    name = _text("The item's name.")
    condition = _text("The condition.", attribute="condition.name")
    variants = _text("The variants, joined by |.")
    reason = _text("Why it was kept, in a sentence.")
    import_id = _id(
        "The import or undo that had changed it since; null if it was changed by hand only.",
        null=True,
        attribute="changer_id",
    )
    line = _integer("The line of that import; null for an undo.", null=True)


class KeptListings(Answer):
    """Some of the listings that an undo has kept."""

    kept = _list(KeptListing(), "The listings, in the order of the catalog.")
    next = _next_page()


class ImportInFull(Import):
    """An import with its batches and its first failed rows."""

    actions = _list(
        fields.String(validate=OneOf(SELLER_ACTIONS)),
        "Actions possible now: pause, resume or terminate; retry-failed and retry-remaining "
        "(retry with rows=FAILED or REMAINING); for a check that is over, import; and undo.",
    )
    retry_of = _nested(RelatedImport(), "The import whose rows it retries, or null.")
    retries = _list(RelatedImport(), "The retries of its rows.")
    undo_of = _id("Of an undo: the import that it reverses; null for any other.", null=True)
    undone = _nested(Undone(), "Its latest undo, or null.")
    undo_until = _time("Until when it can be undone; null if it cannot be, or for ever.", null=True)
    earlier = _list(
        EarlierImport(), f"The newest other imports of the same file, at most {EARLIER_IN_IMPORT}, without checks."
    )
    warnings = _list(
        Warned(), "Warnings from the upload check, and about changes that it makes to listings or, a check, would make."
    )
    conversion = _nested(
        ForeignFile(),
        "The file from another tool that it was converted from, whose lines, columns and rows its "
        "errors and files have; null for a file in the import format.",
    )
    batches = _list(Batch(), "Its batches, in the order of the file.")
    error_groups = _list(ErrorGroup(), "Its failed rows by cause, the most frequent first.")
    errors = _list(RowError(), f"The first {ERRORS_IN_IMPORT} of its failed rows; “links.errors” leads to all.")


class Imports(Answer):
    """A page of imports."""

    imports = _list(Import(), "Newest first.")
    next = _next_page()


class RowErrors(Answer):
    """A page of failed rows."""

    errors = _list(RowError(), "In the order of the file.")
    next = _next_page()


class FoundError(Answer):
    """A failed row of some import."""

    import_id = _id("The import.", attribute="public_id")
    file_name = _text("The name of its file.")
    name = _text("What its seller calls it; the name of its file, unless it has been given another.")
    line = _integer("The line of the file on which the row begins.", attribute="error.line")
    code = _integer("422, 404 or 409.", attribute="error.code")
    message = _text("All problems, in sentences that say what to do.", attribute="error.message")
    row = _text("The row as it stands in the file, byte for byte.", attribute="error.row")


class FoundErrors(Answer):
    """A page of failed rows of all imports."""

    errors = _list(FoundError(), "Newest import first, and in each from its last line to its first.")
    next = _next_page(searched="rows")


class ChangedValue(Answer):
    """A change of one value of a listing."""

    column = _text("Its column.")
    before = _text("What it is.")
    after = _text("What it would be.")


class Change(Answer):
    """The changes that a row of a check would make to a listing."""

    line = _integer("The row's line.")
    urn = _text("The item's URN.")
    name = _text("The item's name.")
    condition = _text("The grade.", attribute="condition.name")
    variants = _text("The variants, joined by |; may be empty.")
    values = _list(ChangedValue(), "The values that would change.", attribute="cells")


class Changes(Answer):
    """The changes that a check predicts."""

    changes = _list(Change(), "Largest price changes first; empty for an import.")


class WrittenBy(Answer):
    """A row of an import that wrote a listing, or an undo that put it back."""

    import_id = _id("The import or undo.", attribute="public_id")
    line = _integer("The row's line; null for an undo.", null=True)


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
    set = _text("The item's set.", attribute="set_name")
    name = _text("The item's name.")
    number = _text("The item's number; may be empty.")
    condition = _condition("The grade.", attribute="condition.name")
    variants = _text("Sorted and joined by |; may be empty.")
    locals().update({field.name: _FIELD_KINDS[field.sql](field.meaning) for field in FIELDS.values()})
    made_by = _nested(WrittenBy(), "The row that made it, or null.")
    changed_by = _nested(WrittenBy(), "The row that last changed it, or null.")
    updated_at = _time("When it last changed, by an import or by hand.")
    edited_at = _time("When it was last changed by hand, or null.", null=True)


class Listings(Answer):
    """A page of listings."""

    listings = _list(Listing(), "In the order of the catalog.")
    next = _next_page(searched="listings")


class CatalogItem(Answer):
    """An item of the catalog."""

    urn = _text("The URN, which identifies it.")
    game = _text("Its game.")
    set = _text("Its set.", attribute="set_name")
    name = _text("Its name.")
    number = _text("Its number; may be empty.")
    rarity = _text("Its rarity; may be empty.")
    variants = _list(fields.String(), "The variants that a listing of it may have.")
    cardmarket_ids = _list(fields.Integer(), "Its ids at Cardmarket.")
    tcgplayer_ids = _list(fields.Integer(), "Its ids at TCGplayer.")


class CatalogItems(Answer):
    """Items of the catalog."""

    items = _list(CatalogItem(), "Items whose name is exactly the text first, then by game, set and number.")
    complete = _flag("Whether these are all that match. Where more match, which of them are here is not defined.")


class Fault(Schema):
    """An invalid parameter."""

    parameter = fields.String(required=True)
    message = fields.String(required=True)


class Problem(Schema):
    """Why a request failed: a problem document (RFC 9457)."""

    type = fields.String(
        required=True,
        metadata={"description": "The kind of problem; the URL explains it.", "format": "uri-reference"},
    )
    title = _text("The same in words.", required=True)
    status = _integer("That of the answer.", required=True)
    detail = _text("What happened, and what to do.", required=True)
    line = _integer("Of a rejected file: the line, if known.")
    errors = _list(Fault(), "Of an invalid request: each invalid parameter.")


# Parameters and headers of requests ------------------------------------------------------------------------------


def _check() -> fields.Boolean:
    return _flag("true: check only. Nothing is written.", truthy={"true"}, falsy={"false"}, load_default=False)


def _limit(most: int, usual: int) -> fields.Integer:
    return fields.Integer(
        load_default=usual,
        validate=Range(1, most),
        metadata={"description": f"Number of results on a page; {usual} by default."},
    )


def _searched(says: str, most: int, least: int | None = None, **options: Any) -> fields.String:
    """A text of at most so many characters that is searched for."""
    no_nul = Regexp(r"[^\x00]*\Z", error="A NUL cannot be searched for.")
    return _text(says, validate=[Length(least, most), no_nul], **options)


class ImportsAsked(Schema):
    """A page of imports."""

    limit = _limit(100, 20)
    before = _id("The last import on the previous page; “next” contains it.")


def _file_name(says: str) -> fields.String:
    return _text(says, data_key="fileName", validate=Length(max=255))


class FileAsked(Schema):
    """Upload options."""

    check = _check()
    mapping = _text(
        "The name of a saved mapping: the file is one of another tool, and converted with it first.",
        validate=Length(min=1, max=MAX_NAME),
    )
    file_name = _file_name("The name of the file. In a form, the part has its own.")


class LeftOutAsked(Schema):
    """Which rows of a file from another tool are asked for."""

    added = _flag("Instead of the rows that were left out, those that were added to others.", load_default=False)


class AgainAsked(Schema):
    """Options for importing a stored file."""

    check = _check()
    file_name = _file_name("A new name for the file; by default its old name.")


class RequestKey(Schema):
    """The idempotency key of a request, so that it can be repeated safely."""

    key = _text(
        "A text of your choice for this request, such as the date of a nightly run. Repeated with "
        "the same file, the request creates nothing and answers with the import it created; with another it is "
        "rejected.",
        data_key="Idempotency-Key",
        validate=Length(1, 255),
    )


class RetryAsked(Schema):
    """Options of a retry."""

    rows = _one_of(
        [RetriedRows.FAILED, RetriedRows.REMAINING],
        "FAILED: the failed rows. REMAINING: the unprocessed rows.",
        required=True,
    )


class AnswerGiven(Schema):
    """An answer about failed rows."""

    rule = _one_of(
        FOR_GROUPS,
        "set: put the values of “cells” into their columns. suggested: what each value certainly "
        "means, such as pence for pounds. drop-variants: without the variants that the items do not have. "
        "drop-extra: without the values after the last column. remove-invisible: without control characters, where "
        "that makes the value right. cut: the text cut to the length that its column can have. unquote: without the "
        "quotation marks around the row. mend: put commas and quotation marks right, where only one way to "
        "do so makes the row valid. add: add the copies to the listing that is there, and leave that as it is "
        "otherwise. recheck: look again. leave-out: do not import them.",
        required=True,
    )
    cause = _text("The cause of the group.", required=True)
    column = _text("Its column; empty for the row as a whole.", load_default="")
    value = _text("A wrong value; null: all rows of the group.", null=True, load_default=None)
    cells = _cells("For set, values by column. For leave-out, “reason” may say why.", load_default=dict)


class RowGiven(Schema):
    """The correction of a row."""

    line = _integer("The line of the failed row.", required=True, validate=Range(1, MAX_LINE))
    cells = _cells("New values by column.")
    row = _text("Instead of “cells”: the whole row as a line of CSV.")


class RowsGiven(Schema):
    """Corrections of single rows."""

    rows = _list(RowGiven(), "The rows.", required=True, validate=Length(1, 100))


class AnswerNamed(Schema):
    """Names an answer."""

    number = _integer("The number of the answer.", required=True, validate=Range(1, MAX_LINE))


class ImportChange(Schema):
    """Changes to what is kept of an import."""

    name = _text("A name of its own; empty: that of its file.", validate=Length(max=MAX_NAME))
    note = _text("A note, which only you see.", validate=Length(max=MAX_NOTE))
    dealt_with = _flag("true: an import that is over needs no attention, whatever failed in it.", data_key="dealtWith")


class FailedFileAsked(Schema):
    """Options for the file of failed rows."""

    reasons = _flag(
        f"For a spreadsheet, with the columns {', '.join(REASON_COLUMNS)} after the others; an "
        "upload takes up the rows that they name.",
        load_default=False,
    )


class ErrorsAsked(Schema):
    """A filter for failed rows."""

    limit = _limit(1_000, 100)
    after = _integer("Only rows below this line; “next” contains it.", load_default=0, validate=Range(0, MAX_LINE))
    code = _code("Only rows with this code.")
    cause = _one_of(_CAUSES, "Only rows with this cause.")
    column = _one_of(
        [*COLUMNS, WHOLE_ROW], f"Only rows with a problem in this column; {WHOLE_ROW}: in the row as a whole."
    )
    batch = _integer("Only rows of this batch.", validate=Range(1, MAX_BATCH))
    lines = fields.String(
        validate=Regexp(r"^[0-9]{1,10}(-[0-9]{1,10})?\Z"),
        metadata={
            "description": "Only rows on this line, or in this range: 120, or 120-180.",
            "pattern": "^[0-9]{1,10}(-[0-9]{1,10})?$",
        },
    )
    text = _searched("Only rows that contain this text, in any case.", MAX_TEXT)


class KeptAsked(Schema):
    """A page of the listings that an undo has kept."""

    limit = _limit(1_000, 100)
    after = _searched("The end of the previous page; “next” contains it.", 500)


class RowsAsked(Schema):
    """A search of the failed rows of all imports."""

    text = _searched(
        "A text that the row contains, in any case: a reference, a URN, a name.", MAX_TEXT, MIN_TEXT, required=True
    )
    limit = _limit(100, 20)
    after = _text("The end of the previous page; “next” contains it.", validate=Length(max=100))


class ListingsAsked(Schema):
    """A filter for listings."""

    text = _searched("Only listings with all these words in the item's game, set, name or number.", 100)
    urn = _searched("The item's URN, or its beginning.", 1_000)
    condition = _condition("Only this grade.")
    hidden = _one_of(["yes", "no"], "yes: only hidden listings; no: only visible ones.")
    stock = _one_of(Stock, f"out: sold out; low: 1 to {LOW_QUANTITY} left; in: not sold out.")
    since = fields.Date(
        metadata={"description": "Only listings that changed on this day (UTC) or later, by an import or by hand."}
    )
    # Python has another use for the name.
    locals()["import"] = _id("Only listings that this import created, or was the last to update.")
    own = _searched("Only listings with this text in REFERENCE, NOTES or COMMENT, in any case.", MAX_TEXT_LENGTH)


class CatalogAsked(Schema):
    """A search of the catalog."""

    text = _searched(
        "Words of which each begins a word of the item's game, set, name or number; or the "
        "beginning of a URN; or an id at Cardmarket or TCGplayer.",
        1_000,
    )
    game = _searched("The game of the set; only with “set”.", 1_000)
    set = _searched("Only items of this set; only with “game”.", 1_000)


class CatalogPageAsked(CatalogAsked):
    """A search of the catalog, of which a bounded number of items is returned."""

    limit = _limit(1_000, 50)


class ListingsPageAsked(ListingsAsked):
    """A page of filtered listings."""

    sort = _one_of(
        [order for order in Order if order],
        "The order: price, -price (highest first), quantity, or -changed (last changed first). "
        "Without it, that of the catalog, which is found fastest among millions.",
    )
    limit = _limit(100, 50)
    after = _searched("The end of the previous page; “next” contains it.", 2_000)


class ListingNamed(Schema):
    """The key of a listing."""

    urn = _searched("The item's URN.", 1_000, 1, required=True)
    condition = _condition("The grade.", required=True)
    variants = _searched("The variants as the listing has them, joined by |.", 500, load_default="")


class ListingChange(ListingNamed):
    """The key of a listing, and its new values."""

    price = _integer("The new price, in pence.", validate=Range(MIN_PRICE, MAX_PRICE))
    quantity = _integer("How many there are; 0: sold out.", validate=Range(0, MAX_QUANTITY))
    hidden = _flag("true hides it from buyers, false shows it.", truthy={"true"}, falsy={"false"})
