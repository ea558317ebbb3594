"""The tables.

Everything a seller owns has the seller first in its primary key, so that the tables that grow with rows (``BY_SELLER``)
can be distributed by seller on a PostgreSQL cluster. The others are the ledger, which stays in one place (see
docs/scaling.md). What chunks write (``listings``, ``row_errors`` and what follows them here) has no foreign keys, and
no index over all of its rows but its primary key: at millions of rows each of them would cost more than all the rest
of a chunk (see docs/decisions.md).
"""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from flask_login import UserMixin
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSON, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.catalog_words import ITEM_WORDS
from app.extensions import Base
from app.statuses import (
    ACTIVE_BATCH_STATUSES,
    ACTIVE_CONVERSION_STATUSES,
    GIVEN_UP_BATCH_STATUS,
    LIVE_DELIVERY_STATUSES,
    LIVE_IMPORT_STATUSES,
    BatchStatus,
    Channel,
    ConversionStatus,
    CorrectionState,
    DeliveryStatus,
    EmailOnEnd,
    ImportKind,
    ImportStatus,
    RetriedRows,
    SwitchedOff,
    TakenUpAs,
    TokenScope,
    sql_list,
    sql_literal,
)

#: Text compared byte by byte: identifiers need no collation, and their indexes are faster without one.
CodeText = Text(collation="C")

_NOW = func.now()


def _one_of(column: str, statuses: type[StrEnum]) -> CheckConstraint:
    return CheckConstraint(f"{column} in {sql_list(list(statuses))}", name=f"{column}_known")


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of the rows for which ``where`` is true."""
    return Index(name, *columns, unique=unique, postgresql_where=text(where))


class _OfSeller:
    """The first columns of what a seller has by itself: its key, and its public id."""

    seller_id: Mapped[int] = mapped_column(ForeignKey("sellers.id"), primary_key=True, sort_order=-3)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True, sort_order=-2)
    #: It can be neither guessed nor counted.
    public_id: Mapped[uuid.UUID] = mapped_column(unique=True, default=uuid.uuid4, sort_order=-1)


class _OfImport:
    """The first columns of the key of what belongs to an import."""

    seller_id: Mapped[int] = mapped_column(primary_key=True, sort_order=-3)
    import_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, sort_order=-2)


class _OfBatch(_OfImport):
    """The first columns of the key of what belongs to a batch, and of the batch itself."""

    #: Of the batch, from 1.
    number: Mapped[int] = mapped_column(SmallInteger, primary_key=True, sort_order=-1)


class _Attempted:
    """How workers have attempted a batch or a conversion."""

    #: Raised by every return to QUEUED; a worker of an older attempt writes nothing.
    attempt: Mapped[int] = mapped_column(server_default=text("1"))
    #: Consecutive failed attempts, since a chunk was committed.
    fruitless_attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    #: When this attempt's job was handed to Redis; null while it waits for its turn.
    dispatched_at: Mapped[datetime | None]
    #: Renewed while a worker is at it; where it is RUNNING and this is old, it has lost its worker.
    heartbeat_at: Mapped[datetime | None]
    #: Which worker has, or had, this attempt: its host and process id.
    worker: Mapped[str | None]
    #: Why the last attempt failed, in a sentence; shown when it was given up.
    reason: Mapped[str | None]


class _OfGroup:
    """The rows of a group of failed rows, counted."""

    #: The slug of a ``csvfile.causes.Cause``.
    cause: Mapped[str] = mapped_column(CodeText, primary_key=True)
    #: Empty: the row as a whole.
    column: Mapped[str] = mapped_column(CodeText, primary_key=True)
    rows: Mapped[int]
    #: All of them lie between these two lines.
    first_line: Mapped[int]
    last_line: Mapped[int]


class Seller(UserMixin, Base):
    """A seller account; operators may also see /ops."""

    __tablename__ = "sellers"
    __table_args__ = (
        CheckConstraint("email = lower(email)", name="email_lower_case"),
        _one_of("email_on_end", EmailOnEnd),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    is_operator: Mapped[bool] = mapped_column(server_default=text("false"))
    email_on_end: Mapped[str] = mapped_column(CodeText, server_default=EmailOnEnd.NEVER)
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)

    #: The session secret of the browser in which the seller has just signed in, for Flask-Login.
    session_secret = ""

    def get_id(self) -> str:
        """What Flask-Login stores in the cookie, and passes to ``identity.sellers`` with each request."""
        return self.session_secret


class Session(Base):
    """A signed-in browser; only the digest of its session secret is stored."""

    __tablename__ = "sessions"

    seller_id: Mapped[int] = mapped_column(ForeignKey("sellers.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    #: The public id, which does not authenticate.
    public_id: Mapped[uuid.UUID] = mapped_column(unique=True, server_default=text("gen_random_uuid()"))
    #: The SHA-256 of the 256 random bits that the browser presents.
    digest: Mapped[bytes] = mapped_column(unique=True)
    #: The browser's User-Agent header, shortened.
    user_agent: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    #: The last activity, to the minute; polls do not count.
    seen_at: Mapped[datetime] = mapped_column(server_default=_NOW)


class PasswordReset(Base):
    """A link with which a seller may set a new password once; only the digest of its secret is stored."""

    __tablename__ = "password_resets"

    seller_id: Mapped[int] = mapped_column(ForeignKey("sellers.id", ondelete="CASCADE"), primary_key=True)
    #: The SHA-256 of the 256 random bits in the link.
    digest: Mapped[bytes] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime]


class ApiToken(_OfSeller, Base):
    """An API token, presented instead of a password; only its digest is stored."""

    __tablename__ = "api_tokens"
    __table_args__ = (_one_of("scope", TokenScope),)

    #: The seller's name for it.
    name: Mapped[str]
    scope: Mapped[str] = mapped_column(CodeText)
    #: Its SHA-256. With 256 random bits, no slower hash is needed, and it can be looked up.
    digest: Mapped[bytes] = mapped_column(unique=True)
    #: Its last characters, by which its seller recognises it.
    ending: Mapped[str] = mapped_column(CodeText)
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    #: Null: valid until it is revoked, which deletes it.
    expires_at: Mapped[datetime | None]
    #: To the minute.
    last_used_at: Mapped[datetime | None]


class Item(Base):
    """A catalog entry that sellers can offer."""

    __tablename__ = "items"
    __table_args__ = (
        Index(None, "name_key"),
        # For searches of the catalog by the beginnings of words.
        Index("ix__items__words", text(ITEM_WORDS), postgresql_using="gin"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    urn: Mapped[str] = mapped_column(CodeText, unique=True)
    game: Mapped[str]
    set_name: Mapped[str] = mapped_column("set")
    name: Mapped[str]
    number: Mapped[str]
    rarity: Mapped[str]
    variants: Mapped[list[str]] = mapped_column(ARRAY(CodeText))
    #: GAME, SET and NAME folded for matching, see ``csvfile.contract.name_key``.
    name_key: Mapped[str] = mapped_column(CodeText)


class ExternalId(Base):
    """Another marketplace's number for an item; one number may name several items."""

    __tablename__ = "external_ids"

    source: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    external_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("items.id", ondelete="CASCADE"), primary_key=True, index=True)


class Catalog(Base):
    """A single row with the version of the catalog."""

    __tablename__ = "catalog"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    #: Raised by every change of the items or their external ids.
    version: Mapped[int] = mapped_column(BigInteger, server_default=text("1"))


class Listing(Base):
    """What a seller offers: one item in one condition and one set of variants."""

    __tablename__ = "listings"
    __table_args__ = (
        # In the order of the primary key, for searches of hidden listings. Few listings are hidden, and the others,
        # which imports create by the million, are not in it.
        _partial("ix__listings__hidden", "seller_id", "item_id", "condition", "variants", where="hidden"),
        # An update that finds room on the listing's page leaves the primary key's index alone. So a page has room for a
        # new version of each of its listings, which is longer by the marks of the update.
        {"postgresql_with": {"fillfactor": 45}},
    )

    seller_id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(primary_key=True)
    #: The grade, from 1 (mint) to 7 (poor): ``csvfile.contract.Condition``.
    condition: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    #: Sorted and joined by ``|``; empty when there are none.
    variants: Mapped[str] = mapped_column(CodeText, primary_key=True)
    #: In pence.
    price: Mapped[int]
    quantity: Mapped[int]
    hidden: Mapped[bool]
    comment: Mapped[str | None]
    notes: Mapped[str | None]
    reference: Mapped[str | None]
    created_import_id: Mapped[int] = mapped_column(BigInteger)
    created_line: Mapped[int]
    #: The import and line of the last UPDATE; they decide which of several UPDATE rows of one import stays. An undo
    #: puts all these marks back, down to ``edits_before``. Where they are not recorded, it is the undo, without a line.
    updated_import_id: Mapped[int | None] = mapped_column(BigInteger)
    updated_line: Mapped[int | None]
    #: The line of that import that last set HIDDEN, which an UPDATE may leave as it is.
    hidden_line: Mapped[int | None]
    #: What the listing was before that import: a digest of the values that its file says, and HIDDEN. A row that says
    #: the same changes nothing, whatever other rows of the import have set meanwhile.
    values_before: Mapped[int | None] = mapped_column(BigInteger)
    hidden_before: Mapped[bool | None]
    #: How many times it was changed by hand; null: never. Imports leave it as it is, so together with
    #: ``created_import_id`` and ``updated_import_id`` it decides whether a listing still is as an import left it.
    edits: Mapped[int | None]
    #: What ``edits`` was when ``updated_import_id`` was written.
    edits_before: Mapped[int | None]
    #: The undo that has put the listing back, if no import has updated it since; for pages and downloads only.
    put_back_import_id: Mapped[int | None] = mapped_column(BigInteger)
    #: When it was last changed by hand; for pages only.
    edited_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=_NOW)


class Conversion(_OfSeller, _Attempted, Base):
    """A foreign file, and what became of it on its way into the import format; before that, its draft.

    An attempt begins at the first row, and writes files of its own: they lie in the storage under keys made of its
    public id and the attempt (``queries.imports.conversions``).
    """

    __tablename__ = "conversions"
    __table_args__ = (
        _one_of("status", ConversionStatus),
        CheckConstraint(f"start_as in {sql_list([ImportKind.IMPORT, ImportKind.CHECK])}", name="start_as_known"),
        Index("ix__conversions__form_key", "seller_id", "form_key", unique=True),
        # Finds those that share a file.
        Index("ix__conversions__storage_key", "seller_id", "storage_key"),
        Index("ix__conversions__text_key", "seller_id", "text_key"),
        _partial("ix__conversions__decides", "seller_id", "decides", where="decides is not null"),
        # For dispatching and reclaiming.
        _partial("ix__conversions__live", "status", where=f"status in {sql_list(ACTIVE_CONVERSION_STATUSES)}"),
        # What retention looks through.
        Index(None, "updated_at"),
    )

    #: As those of an import; what it starts inherits them.
    form_key: Mapped[uuid.UUID | None]
    idempotency_key: Mapped[str | None]
    #: The file as it came; several conversions may share it.
    file_name: Mapped[str]
    storage_key: Mapped[str]
    #: In bytes.
    file_size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[bytes]
    #: How it is read and what its columns mean: ``foreign.shapes.Reading`` and ``foreign.mapping.Mapping``.
    reading: Mapped[dict[str, Any]] = mapped_column(JSONB)
    mapping: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    #: The name of the saved mapping that it uses, for pages.
    mapping_name: Mapped[str | None]
    #: The conversion of the same file whose rows that were left out or open are all that it takes; null: it takes all.
    decides: Mapped[int | None] = mapped_column(BigInteger)
    #: What is to be started once it is converted; null: nothing.
    start_as: Mapped[str | None] = mapped_column(CodeText)
    status: Mapped[str] = mapped_column(CodeText, server_default=ConversionStatus.DRAFT)
    #: Rows of the foreign file by outcome: rows of their own, added to another, left out, and those that nobody decided
    #: about. Together they are ``rows``.
    rows: Mapped[int] = mapped_column(server_default=text("0"))
    converted: Mapped[int] = mapped_column(server_default=text("0"))
    added: Mapped[int] = mapped_column(server_default=text("0"))
    left_out: Mapped[int] = mapped_column(server_default=text("0"))
    undecided: Mapped[int] = mapped_column(server_default=text("0"))
    #: Rows of the converted file; more than ``converted`` where a row became several.
    lines: Mapped[int] = mapped_column(server_default=text("0"))
    #: The upload check of the converted file (``csvfile.scan.Scan``, absent if it has no rows), for each batch the line
    #: of the foreign file on which it begins, and the sizes of what was written. Null before it is converted.
    scan: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    #: How many rows were left out or are undecided, by reason.
    reasons: Mapped[dict[str, int]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    #: Where the text of the file lies: the file itself, or a transcript of it; null before it is converted.
    text_key: Mapped[str | None]
    #: The bytes of the text before its first row: the header, and what stands above it.
    head_size: Mapped[int] = mapped_column(server_default=text("0"))
    #: How much of the present attempt is done, in thousandths.
    done: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    #: While it is RUNNING, when that attempt began.
    updated_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    #: When it was first imported or checked; from then on it does not change.
    used_at: Mapped[datetime | None]
    #: When everything but the lines of its rows was deleted.
    source_removed_at: Mapped[datetime | None]

    @property
    def findings(self) -> dict[str, Any]:
        """What the conversion has found in the file: words, cards and columns to ask about. Empty before its end."""
        found: dict[str, Any] = (self.scan or {}).get("findings", {})
        return found


class SavedMapping(_OfSeller, Base):
    """A mapping that a seller has saved under a name, for files with the same columns."""

    __tablename__ = "mappings"
    __table_args__ = (
        Index("ix__mappings__name", "seller_id", "name", unique=True),
        Index("ix__mappings__columns", "seller_id", "columns_hash"),
    )

    name: Mapped[str]
    #: The names of the file's columns, normalised and sorted, and their SHA-256, by which they are found.
    columns: Mapped[list[str]] = mapped_column(ARRAY(Text))
    columns_hash: Mapped[bytes]
    #: ``foreign.mapping.Mapping``.
    mapping: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    #: When a file was last converted with it.
    used_at: Mapped[datetime | None]


class Import(_OfSeller, Base):
    """A run over an uploaded file: an import or a check; or an undo, a run over what an import has written."""

    __tablename__ = "imports"
    __table_args__ = (
        _one_of("kind", ImportKind),
        _one_of("status", ImportStatus),
        CheckConstraint(
            f"pause_requested_at is null or status = {sql_literal(ImportStatus.RUNNING)}",
            name="pausing_only_while_running",
        ),
        CheckConstraint(
            f"(finished_at is null) = (status in {sql_list(LIVE_IMPORT_STATUSES)})", name="finished_at_when_over"
        ),
        ForeignKeyConstraint(["seller_id", "parent_id"], ["imports.seller_id", "imports.id"]),
        ForeignKeyConstraint(["seller_id", "conversion_id"], ["conversions.seller_id", "conversions.id"]),
        # Finds the imports of a conversion; those of other files are not in it.
        _partial("ix__imports__conversion", "seller_id", "conversion_id", where="conversion_id is not null"),
        _one_of("retried_rows", RetriedRows),
        CheckConstraint("(parent_id is null) = (retried_rows is null)", name="retry_told_in_full"),
        _one_of("taken_up_as", TakenUpAs),
        # The same rows are taken up once, however often the button is pressed. What still fails belongs to the import
        # that has taken it up.
        _partial(
            "ix__imports__retried_parts",
            "seller_id",
            "parent_id",
            "retried_rows",
            "part",
            where=f"parent_id is not null and kind <> {sql_literal(ImportKind.UNDO)}",
            unique=True,
        ),
        # An undo that was terminated can be begun again, but no two work on one import.
        _partial(
            "ix__imports__undone_once",
            "seller_id",
            "parent_id",
            where=f"kind = {sql_literal(ImportKind.UNDO)} and status in {sql_list(LIVE_IMPORT_STATUSES)}",
            unique=True,
        ),
        # Finds what has come of an import.
        _partial("ix__imports__parent", "seller_id", "parent_id", where="parent_id is not null"),
        Index("ix__imports__form_key", "seller_id", "form_key", unique=True),
        # Finds the files that were uploaded before.
        Index("ix__imports__sha256", "seller_id", "sha256"),
        # Finds those that share a stored file.
        Index("ix__imports__storage_key", "seller_id", "storage_key"),
        # Finds those that ended last, and those that are too old.
        Index(None, "finished_at"),
        # What the bell shows; nearly always a few.
        _partial("ix__imports__unseen", "seller_id", "id", where="is_unseen"),
        # What retention removes next.
        _partial("ix__imports__deleted", "deleted_at", where="deleted_at is not null"),
        # What the reconciler looks through; imports that are over drop out of it.
        _partial("ix__imports__live", "id", where=f"status in {sql_list(LIVE_IMPORT_STATUSES)}"),
    )

    kind: Mapped[str] = mapped_column(CodeText, server_default=ImportKind.IMPORT)
    #: The key of the form: sent twice, it creates one import. Derived from ``idempotency_key`` where there is one.
    form_key: Mapped[uuid.UUID | None]
    #: The client's key of the request that created it, so that the request can be repeated.
    idempotency_key: Mapped[str | None]
    #: The import whose rows this one retries or undoes, and which of them; null for an uploaded file. An undo has the
    #: file of its import, and does not read it.
    parent_id: Mapped[int | None] = mapped_column(BigInteger)
    retried_rows: Mapped[str | None] = mapped_column(CodeText)
    #: The conversion that its file comes from; null for a file that was uploaded in the import format. Then
    #: ``file_name`` and ``sha256`` are those of the foreign file, and the others those of the converted one.
    conversion_id: Mapped[int | None] = mapped_column(BigInteger)
    #: How it has taken failed rows up, each of which is then in ``corrections``. Null: it has taken up no failed rows,
    #: or, in a retry by a release that did not record it, all of them.
    taken_up_as: Mapped[str | None] = mapped_column(CodeText)
    #: Failed rows can be taken up in several parts. They are numbered, so that of two imports that would take up the
    #: same rows, only one is created.
    part: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"))
    #: As the client named it: shown, never used as a path.
    file_name: Mapped[str]
    storage_key: Mapped[str]
    #: In bytes.
    file_size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[bytes]
    #: The header line as it stands in the file, with its byte-order mark and line ending.
    header: Mapped[str]
    #: Its rows; of an undo, the listings that its import has created or updated.
    total: Mapped[int]
    #: Number of rows that the upload check found invalid; they will be among the failed ones.
    invalid: Mapped[int]
    #: What looked wrong in its rows, by kind: see ``csvfile.warn``.
    warnings: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'::jsonb"))
    status: Mapped[str] = mapped_column(CodeText, server_default=ImportStatus.RUNNING)
    pause_requested_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    finished_at: Mapped[datetime | None]
    #: Drawn from the sequence of the ids after its last chunk: runs with higher ids began later than that. Null: it is
    #: not over, or was ended by a release that draws none.
    end_number: Mapped[int | None] = mapped_column(BigInteger)
    #: Whether it has ended and its seller has not looked at it since.
    is_unseen: Mapped[bool] = mapped_column(server_default=text("false"))
    #: The times at which it was paused and resumed, in turn; for pages only.
    pauses: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime(timezone=True)), server_default=text("'{}'"))
    #: How its digests in ``Listing.values_before`` are made: 1 by releases that do not record it; see
    #: ``queries.listings`` for that of this release.
    digest_format: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"))
    #: When the file, and when the failed rows with their groups, were deleted.
    source_removed_at: Mapped[datetime | None]
    errors_removed_at: Mapped[datetime | None]
    #: What its seller calls it in place of the file's name, and what they have noted about it.
    name: Mapped[str | None]
    note: Mapped[str | None]
    #: When its seller marked it as dealt with, so that it needs no attention.
    dealt_with_at: Mapped[datetime | None]
    #: When its seller deleted it. Nobody sees it any more; retention removes it.
    deleted_at: Mapped[datetime | None]

    @property
    def is_check(self) -> bool:
        """Whether it writes no listing, and only says what an import of its file would do."""
        return self.kind == ImportKind.CHECK

    @property
    def is_undo(self) -> bool:
        """Whether it reverses what an import has done."""
        return self.kind == ImportKind.UNDO


class Batch(_OfBatch, _Attempted, Base):
    """A slice of consecutive rows of an import, which one job processes at a time.

    A batch of an undo is a slice of the listings of its import: see ``queries.imports.undo``.
    """

    __tablename__ = "batches"
    __table_args__ = (
        ForeignKeyConstraint(["seller_id", "import_id"], ["imports.seller_id", "imports.id"], ondelete="CASCADE"),
        _one_of("status", BatchStatus),
        CheckConstraint('start_byte <= "cursor" and "cursor" <= end_byte', name="cursor_in_range"),
        CheckConstraint("created + updated + unchanged + failed <= total", name="counters_add_up"),
        # For dispatching and reclaiming; batches that are over are not in it.
        _partial("ix__batches__live", "status", where=f"status in {sql_list(ACTIVE_BATCH_STATUSES)}"),
        CheckConstraint(
            f'status <> {sql_literal(GIVEN_UP_BATCH_STATUS)} or "cursor" < end_byte', name="given_up_with_rows_left"
        ),
        # For operators; nearly always empty.
        _partial(
            "ix__batches__given_up", "seller_id", "import_id", where=f"status = {sql_literal(GIVEN_UP_BATCH_STATUS)}"
        ),
    )

    #: The slice of the source, half-open; ``cursor`` is the byte at which the next chunk begins.
    start_byte: Mapped[int] = mapped_column(BigInteger)
    end_byte: Mapped[int] = mapped_column(BigInteger)
    cursor: Mapped[int] = mapped_column(BigInteger)
    #: The physical lines at ``start_byte`` and at ``cursor``; the header is line 1.
    first_line: Mapped[int]
    cursor_line: Mapped[int]
    total: Mapped[int]
    #: The listings that an undo has removed.
    created: Mapped[int] = mapped_column(server_default=text("0"))
    #: The listings that an undo has put back.
    updated: Mapped[int] = mapped_column(server_default=text("0"))
    #: Rows whose listing already had their values. The listings that an undo has kept.
    unchanged: Mapped[int] = mapped_column(server_default=text("0"))
    #: Updated rows for whose listings the earlier values were recorded, if they were not before: all but those that a
    #: release before 0.17 has processed.
    reversible: Mapped[int] = mapped_column(server_default=text("0"))
    failed: Mapped[int] = mapped_column(server_default=text("0"))
    status: Mapped[str] = mapped_column(CodeText, server_default=BatchStatus.QUEUED)
    started_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    finished_at: Mapped[datetime | None]
    #: Two numbers for each chunk: when it was written, in tenths of a second since ``started_at``, and its rows.
    pace: Mapped[list[int]] = mapped_column(ARRAY(Integer), server_default=text("'{}'"))


class RowError(_OfImport, Base):
    """Why one row was not imported, with its text as it stands in the file."""

    __tablename__ = "row_errors"

    #: The physical line on which the row begins. With the import it is the key: no row can fail twice.
    line: Mapped[int] = mapped_column(primary_key=True)
    #: 422, 404 or 409.
    code: Mapped[int] = mapped_column(SmallInteger)
    #: One entry a problem: the column (empty: the row as a whole), the cause, and the facts that complete its sentence.
    columns: Mapped[list[str]] = mapped_column(ARRAY(CodeText))
    causes: Mapped[list[str]] = mapped_column(ARRAY(CodeText))
    facts: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON)
    #: The sentences themselves, in rows recorded before there were facts; a row has the one or the other.
    sentences: Mapped[list[str] | None] = mapped_column("messages", ARRAY(Text))
    #: The row's original text, quoted line breaks included, without its final line ending.
    row: Mapped[str]


class ErrorGroup(_OfBatch, _OfGroup, Base):
    """How many rows of one batch failed for one cause in one column.

    Kept by the chunks together with the row errors, because half a million of those cannot be counted for every page.
    A row with several problems counts in several groups.
    """

    __tablename__ = "error_groups"


class Fixing(_OfImport, Base):
    """How far the failed rows of an import are corrected. Whoever changes anything about that locks this row first."""

    __tablename__ = "fixings"
    __table_args__ = (
        # What a worker has to go on with; nearly always empty.
        _partial("ix__fixings__answering", "moved_at", where="answering is not null"),
    )

    #: Raised whenever any of the rows gets another state.
    version: Mapped[int] = mapped_column(server_default=text("0"))
    #: The number of answers given so far.
    answers: Mapped[int] = mapped_column(server_default=text("0"))
    #: The answer that is being applied, 0 for the survey of the values; null: none.
    answering: Mapped[int | None]
    #: It has been applied to the rows up to this line, and to so many of them.
    cursor_line: Mapped[int] = mapped_column(server_default=text("0"))
    rows_done: Mapped[int] = mapped_column(server_default=text("0"))
    #: Whether ``open_values`` is true of the rows as they are.
    is_surveyed: Mapped[bool] = mapped_column(server_default=text("false"))
    moved_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    #: Numbers of rows: right and not taken up yet; corrected, but open because of another problem; left out; taken up.
    correct: Mapped[int] = mapped_column(server_default=text("0"))
    open_corrected: Mapped[int] = mapped_column("behind", server_default=text("0"))
    left_out: Mapped[int] = mapped_column(server_default=text("0"))
    taken: Mapped[int] = mapped_column(server_default=text("0"))


class Answer(_OfImport, Base):
    """What a seller has answered about failed rows: a value or a rule for a group of them, or cells of single rows."""

    __tablename__ = "answers"

    #: From 1.
    number: Mapped[int] = mapped_column(primary_key=True)
    #: An ``imports.fixes.answers.Rule``.
    rule: Mapped[str] = mapped_column(CodeText)
    #: The group, and the wrong value; null: all rows of the group. The group is empty for single rows.
    cause: Mapped[str] = mapped_column(CodeText)
    column: Mapped[str] = mapped_column(CodeText)
    value: Mapped[str | None]
    #: The new values by column, or the reason for which rows are left out; and “lines”: those of its rows, if few.
    cells: Mapped[dict[str, str]] = mapped_column(JSONB)
    #: The number of rows that it was applied to.
    rows: Mapped[int] = mapped_column(server_default=text("0"))
    #: Who gave it, as in ``audit_log``.
    actor_id: Mapped[int | None]
    actor: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=_NOW)


class Correction(_OfImport, Base):
    """What has become of one failed row: corrected, left out, or taken up. The row itself stays in ``row_errors``."""

    __tablename__ = "corrections"
    __table_args__ = (
        CheckConstraint("(taken_by is null) = (taken_line is null)", name="taken_in_full"),
        _one_of("state", CorrectionState),
    )

    #: That of the failed row.
    line: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(CodeText)
    #: The row with its corrections, in the format of ``row_errors.row``; null: as it was.
    row: Mapped[str | None]
    #: What is wrong with the corrected row, as in ``row_errors``; null: nothing, or what was wrong before.
    code: Mapped[int | None] = mapped_column(SmallInteger)
    columns: Mapped[list[str] | None] = mapped_column(ARRAY(CodeText))
    causes: Mapped[list[str] | None] = mapped_column(ARRAY(CodeText))
    facts: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON)
    #: The last answer that was applied to it.
    answer: Mapped[int | None]
    #: The import that has taken the row up, and on which of its lines it stands there.
    taken_by: Mapped[int | None] = mapped_column(BigInteger)
    taken_line: Mapped[int | None]


class OpenValue(_OfImport, _OfGroup, Base):
    """How many failed rows that are still open have one wrong value, by cause and column."""

    __tablename__ = "open_values"

    #: Empty where the value does not say what was meant; the values of several columns are joined by U+001F.
    value: Mapped[str] = mapped_column(CodeText, primary_key=True, sort_order=1)


class LeftAlone(_OfBatch, Base):
    """The listings that a chunk's UPDATE rows found as they want them, so that it has not written them.

    What a lower line of the import says of them must not stay, even where it is written later; so those who are about
    to change a listing look here first. One row a chunk, and an entry a listing in each array, because a row for each
    of them would cost as much as writing the listing. Nothing is left of it when the import is over.
    """

    __tablename__ = "left_alone"

    #: The line on which the chunk begins.
    first_line: Mapped[int] = mapped_column(primary_key=True)
    item_ids: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    conditions: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger))
    variants: Mapped[list[str]] = mapped_column(ARRAY(CodeText))
    #: The highest line that named the listing, and the highest that set HIDDEN, or 0.
    lines: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    hidden_lines: Mapped[list[int]] = mapped_column(ARRAY(Integer))


class EarlierValues(_OfImport, Base):
    """The listings that a chunk of an import changed first of all its chunks, and what they held before, for an undo.

    One row a chunk, and an entry a listing in each array, for the reason that ``LeftAlone`` gives.
    """

    __tablename__ = "earlier_values"

    #: In the order in which chunks have changed a listing that is in several: where another import changed it between.
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    #: Number of entries.
    listings: Mapped[int]
    item_id: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    condition: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger))
    variants: Mapped[list[str]] = mapped_column(ARRAY(CodeText))
    #: By field. Null in rows of a release that does not have the field: the listing's value stays.
    price: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
    quantity: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
    hidden: Mapped[list[bool] | None] = mapped_column(ARRAY(Boolean))
    comment: Mapped[list[str | None] | None] = mapped_column(ARRAY(Text))
    notes: Mapped[list[str | None] | None] = mapped_column(ARRAY(Text))
    reference: Mapped[list[str | None] | None] = mapped_column(ARRAY(Text))
    #: The marks of the UPDATE before: see ``Listing``. Null in rows of a release that did not record them.
    updated_import_id: Mapped[list[int | None] | None] = mapped_column(ARRAY(BigInteger))
    updated_line: Mapped[list[int | None] | None] = mapped_column(ARRAY(Integer))
    hidden_line: Mapped[list[int | None] | None] = mapped_column(ARRAY(Integer))
    values_before: Mapped[list[int | None] | None] = mapped_column(ARRAY(BigInteger))
    hidden_before: Mapped[list[bool | None] | None] = mapped_column(ARRAY(Boolean))
    edits_before: Mapped[list[int | None] | None] = mapped_column(ARRAY(Integer))


class KeptListing(_OfImport, Base):
    """A listing that an undo, the import of its key, has left as it is, and why."""

    __tablename__ = "kept_listings"

    item_id: Mapped[int] = mapped_column(primary_key=True)
    condition: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    variants: Mapped[str] = mapped_column(CodeText, primary_key=True)
    #: The import and line, or the undo, that had last changed it since; null if none had.
    changed_import_id: Mapped[int | None] = mapped_column(BigInteger)
    changed_line: Mapped[int | None]
    #: Whether it had been changed by hand since, or since that import.
    is_edited: Mapped[bool]
    #: Whether what it was before is not known: a release before 0.17 has updated it.
    is_unrecorded: Mapped[bool] = mapped_column(server_default=text("false"))


class Claim(_OfImport, Base):
    """A check claim: a listing that a row of a check would create, so that a second row finds it taken.

    Deleted when the check is over.
    """

    __tablename__ = "claims"

    item_id: Mapped[int] = mapped_column(primary_key=True)
    condition: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    variants: Mapped[str] = mapped_column(CodeText, primary_key=True)
    line: Mapped[int]


class ForeseenChange(_OfImport, Base):
    """The change that a row of a check would make to a listing; stored only for the most striking rows of a chunk."""

    __tablename__ = "foreseen_changes"

    line: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int]
    condition: Mapped[int] = mapped_column(SmallInteger)
    variants: Mapped[str] = mapped_column(CodeText)
    #: The values as the import format writes them, in the order in which columns were added to the format.
    before: Mapped[list[str]] = mapped_column(ARRAY(Text))
    after: Mapped[list[str]] = mapped_column(ARRAY(Text))


class ListingWarning(_OfBatch, Base):
    """How many rows of one batch make a change to a listing that is probably a mistake, and the gravest of them."""

    __tablename__ = "listing_warnings"

    #: A ``queries.imports.listing_warnings.Kind``.
    kind: Mapped[str] = mapped_column(CodeText, primary_key=True)
    rows: Mapped[int]
    #: The line of the first of those that change by most, and its listing's price or quantity before and after it.
    first_line: Mapped[int]
    before: Mapped[int]
    after: Mapped[int]


class WebhookEndpoint(_OfSeller, Base):
    """A webhook endpoint of a seller."""

    __tablename__ = "webhook_endpoints"
    __table_args__ = (
        _one_of("switched_off_because", SwitchedOff),
        CheckConstraint("(switched_off_at is null) = (switched_off_because is null)", name="off_told_in_full"),
        CheckConstraint("(old_secret is null) = (old_secret_until is null)", name="old_secret_told_in_full"),
    )

    url: Mapped[str]
    #: Its events, of ``statuses.IMPORT_EVENTS``.
    events: Mapped[list[str]] = mapped_column(ARRAY(CodeText))
    #: In clear, because signing needs it: ``whsec_`` and the key in base64.
    secret: Mapped[str]
    #: The previous secret also signs until then, so that a receiver has time to change it.
    old_secret: Mapped[str | None]
    old_secret_until: Mapped[datetime | None]
    switched_off_at: Mapped[datetime | None]
    switched_off_because: Mapped[str | None] = mapped_column(CodeText)
    #: The first failed attempt since the last successful one.
    failing_since: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)


class Delivery(_OfSeller, Base):
    """A message of the outbox; afterwards its log entry. Receivers get its public id, the same at every attempt."""

    __tablename__ = "deliveries"
    __table_args__ = (
        ForeignKeyConstraint(
            ["seller_id", "endpoint_id"], ["webhook_endpoints.seller_id", "webhook_endpoints.id"], ondelete="CASCADE"
        ),
        _one_of("channel", Channel),
        _one_of("status", DeliveryStatus),
        CheckConstraint(
            f"channel = {sql_literal(Channel.EMAIL)} or (endpoint_id is not null and body is not null)",
            name="webhook_told_in_full",
        ),
        # An email without either is about the account.
        CheckConstraint(
            f"channel = {sql_literal(Channel.EMAIL)} or import_id is not null or endpoint_id is not null",
            name="about_something",
        ),
        CheckConstraint(
            f"(finished_at is null) = (status in {sql_list(LIVE_DELIVERY_STATUSES)})", name="finished_at_when_over"
        ),
        # Messages still to be sent; the others are not in it.
        _partial("ix__deliveries__live", "due_at", where=f"status in {sql_list(LIVE_DELIVERY_STATUSES)}"),
        # The log of an endpoint.
        Index("ix__deliveries__endpoint", "seller_id", "endpoint_id", "id"),
    )

    channel: Mapped[str] = mapped_column(CodeText)
    event: Mapped[str] = mapped_column(CodeText)
    #: The endpoint of a webhook, or the one that an email is about.
    endpoint_id: Mapped[int | None] = mapped_column(BigInteger)
    #: The import it is about. No foreign key: a message is complete without it, and an import may be deleted first.
    import_id: Mapped[int | None] = mapped_column(BigInteger)
    #: What a webhook sends, byte for byte the same each time. Emails are written when they are sent.
    body: Mapped[str | None]
    status: Mapped[str] = mapped_column(CodeText, server_default=DeliveryStatus.WAITING)
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    due_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    #: When the last attempt began. While it is SENDING, this also identifies the claim.
    claimed_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    #: The result of the last attempt: the status of the answer, a sentence, and the beginning of the answer.
    answer_code: Mapped[int | None] = mapped_column(SmallInteger)
    answer: Mapped[str | None]
    answer_body: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)


class Reconciler(Base):
    """A single row, whose lock lets one worker at a time sweep."""

    __tablename__ = "reconciler"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    last_run_at: Mapped[datetime | None]
    #: What was repaired since the first start, by kind.
    batches_reclaimed: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    #: The same by hosts of the release before, to be added. The next release adds it and stops reading it.
    old_reclaimed: Mapped[int] = mapped_column("batches_taken_back", BigInteger, server_default=text("0"))
    jobs_lost: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    imports_settled: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    transactions_ended: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    #: Why the worker host that last swept could not send jobs to Redis, in a sentence.
    dispatch_trouble: Mapped[str | None]


class PeriodicTask(Base):
    """When a task that is done from time to time was last begun, by whichever host."""

    __tablename__ = "periodic_tasks"

    name: Mapped[str] = mapped_column(primary_key=True)
    #: None: it is due.
    last_run_at: Mapped[datetime | None]


class WorkerSeen(Base):
    """A worker process as its supervisor last reported it; one that was stopped on purpose is deleted at once."""

    __tablename__ = "workers"

    host: Mapped[str] = mapped_column(primary_key=True)
    pid: Mapped[int] = mapped_column(primary_key=True)
    started_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    heartbeat_at: Mapped[datetime] = mapped_column(server_default=_NOW)


class LostAttempt(_OfBatch, Base):
    """A failed attempt at a batch, and why; for operators."""

    __tablename__ = "lost_attempts"
    __table_args__ = (
        ForeignKeyConstraint(["seller_id", "import_id"], ["imports.seller_id", "imports.id"], ondelete="CASCADE"),
        Index(None, "at"),
    )

    attempt: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=_NOW)
    worker: Mapped[str | None]
    #: The sentence for the seller, and the kind of error for operators.
    reason: Mapped[str]
    detail: Mapped[str]
    is_given_up: Mapped[bool]


class AuditEntry(Base):
    """Who did what to which import or what else a seller has, when, and from where. It outlives that."""

    __tablename__ = "audit_log"
    __table_args__ = (Index(None, "public_id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    #: Null for the command line, and for Sluice itself.
    actor_id: Mapped[int | None]
    #: The email address as it was then, or the user of the command line.
    actor: Mapped[str]
    #: ``web``, ``api`` or ``command line``.
    via: Mapped[str] = mapped_column(CodeText)
    #: The network address, or the host of the command line.
    address: Mapped[str]
    action: Mapped[str] = mapped_column(CodeText)
    #: The owner of the import, or of what else it is about.
    seller_id: Mapped[int]
    #: That of the import; null where it is about none.
    public_id: Mapped[uuid.UUID | None]
    detail: Mapped[str]


#: What grows with the rows of files: nothing looks at these tables across sellers.
BY_SELLER: tuple[type[Base], ...] = (
    Listing,
    RowError,
    ErrorGroup,
    Correction,
    OpenValue,
    LeftAlone,
    EarlierValues,
    KeptListing,
    Claim,
    ForeseenChange,
    ListingWarning,
)
#: What statements on those tables join; on a cluster every node has a copy.
ON_ALL_NODES: tuple[type[Base], ...] = (Item, ExternalId)


# What only the release before uses: in the tables and not in the classes, so that no statement of this release names it
# and the next one can drop it while processes of this one run.
#: Now ``kind``; a trigger keeps the two alike (docs/upgrading.md).
Import.metadata.tables["imports"].append_column(
    Column("is_check", Boolean, server_default=text("false"), nullable=False)
)
#: When it last removed what is too old; now a ``PeriodicTask``.
Import.metadata.tables["reconciler"].append_column(Column("last_clean_at", DateTime(timezone=True)))
