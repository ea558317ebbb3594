"""The way of a foreign file through its questions: what is sure is not asked, and each answer converts it again."""

import uuid
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from enum import StrEnum
from typing import BinaryIO

from app.extensions import db
from app.imports import conversion_job, conversions, mappings
from app.imports.errors import TransitionRefused
from app.imports.foreign.choices import missing_of
from app.imports.foreign.findings import OpenQuestion, asked_of
from app.imports.foreign.mapping import Kind, Mapping, find_reasons
from app.imports.foreign.matching import Matcher, Matching
from app.imports.foreign.money import OWN_CURRENCY
from app.imports.foreign.sample import Sample
from app.imports.foreign.shapes import Unsure
from app.models import Conversion
from app.statuses import ConversionStatus
from app.storage import current_storage
from app.storage.stored_file import open_stored

#: Files of this many bytes are converted while their seller waits; of those that must be unpacked first, so many.
_AT_ONCE, _UNPACKED_AT_ONCE = 1_000_000, 200_000

#: What no answer decides, although it is asked about a word.
_FINAL = {
    *("finish-not-there", "language-not-there"),
    *("price-fraction", "price-too-low", "price-too-high", "quantity-too-high", "quantity-foils"),
}


class Step(StrEnum):
    """A step of the way; its value is the last part of its address."""

    READING = "reading"
    COLUMNS = "columns"
    WORDS = "words"
    CARDS = "cards"
    MONEY = "money"
    PREVIEW = "preview"


#: What is asked in a step: kinds of questions (``reasons.Question``).
_KINDS: dict[Step, frozenset[str]] = {
    Step.WORDS: frozenset({*Kind, "scale", "condition-missing"} - {Kind.ITEM}),
    Step.CARDS: frozenset({Kind.ITEM}),
    Step.MONEY: frozenset({"currency", "rate", "decimal"}),
}


def begin(seller_id: int, draft: Conversion) -> Step:
    """Give a new draft the mapping that is sure, and convert it unless something must be asked before.

    Returns the step that its seller should see. Raises FileRejected and OSError.
    """
    if draft.status != ConversionStatus.DRAFT or draft.mapping is not None:
        return Step.PREVIEW
    return rematch(seller_id, draft)


def asks_nothing(seller_id: int, start: bytes) -> bool:
    """Whether a file that begins with ``start`` is sure to have columns that its seller has matched before.

    Raises NotStock for orders.
    """
    reading = conversions.read_beginning(start)
    return bool(reading and (find_reasons(reading.columns) or mappings.find_for(seller_id, reading.columns)))


def rematch(seller_id: int, draft: Conversion) -> Step:
    """The same for a draft whose columns have changed."""
    public_id = draft.public_id
    reading = conversions.reading_of(draft)
    found = mappings.find_for(seller_id, reading.columns)
    if found is not None:
        conversions.use_saved(seller_id, public_id, found.name)
        return convert(seller_id, public_id)
    if before := _find_failed_in(draft):
        mapping = replace(Mapping.from_json(before.mapping), columns=reading.columns)
        conversions.set_mapping(seller_id, public_id, mapping, name=before.mapping_name)
        return convert(seller_id, public_id)
    matching = match(seller_id, draft)
    conversions.set_mapping(seller_id, public_id, matching.mapping)
    if {Unsure.HEADER, Unsure.SHEET, Unsure.SEPARATOR} & set(reading.unsure):
        return Step.READING
    if missing_of(matching.mapping) or matching.lost:
        return Step.COLUMNS
    if _lacks_rate(matching.mapping) and not _is_small(draft):
        # All of its rows would be open.
        return Step.MONEY
    return convert(seller_id, public_id)


def _find_failed_in(draft: Conversion) -> Conversion | None:
    """The conversion whose import the rows of a fix-it file have failed in."""
    reading = conversions.reading_of(draft)
    reasons = find_reasons(reading.columns)
    if not reasons:
        return None
    with source_of(draft) as file:
        owners = Sample(file, reading).cells(reasons["IMPORT"])
    before = conversions.find_behind(draft.seller_id, owners[0]) if owners else None
    if before is None or mappings.find_missing(Mapping.from_json(before.mapping), reading.columns):
        return None
    return before


def _lacks_rate(mapping: Mapping) -> bool:
    money = mapping.money
    return money.currency not in ("", OWN_CURRENCY, *money.rates)


def _is_small(draft: Conversion) -> bool:
    """Whether a file is converted while its seller waits."""
    return draft.file_size <= (_AT_ONCE if conversions.reading_of(draft).is_text else _UNPACKED_AT_ONCE)


def match(seller_id: int, draft: Conversion) -> Matching:
    """What the columns of a draft are taken for without its seller. Raises FileRejected and OSError."""
    saved = [Mapping.from_json(one.mapping) for one in mappings.list_saved(seller_id)]
    with source_of(draft) as file:
        return Matcher(file, conversions.reading_of(draft)).match(saved)


def is_own(draft: Conversion) -> bool:
    """Whether the mapping of a draft is more than what would be known of such a file without its seller."""
    mapping = conversions.mapping_of(draft)
    if draft.mapping_name is not None or mapping is None or not mapping.format:
        return True
    return draft.source_removed_at is None and match(draft.seller_id, draft).mapping != mapping


def source_of(draft: Conversion) -> AbstractContextManager[BinaryIO]:
    """The uploaded file. Raises TransitionRefused if it was deleted, and OSError."""
    if draft.source_removed_at is not None:
        raise TransitionRefused("The uploaded file has been deleted. Upload it again.")
    return open_stored(current_storage(), draft.storage_key, draft.file_size)


def decide(seller_id: int, public_id: uuid.UUID, mapping: Mapping, *, after: Step) -> Step:
    """Give a draft this mapping, convert it, and return the next step that its seller should see."""
    draft = conversions.get(seller_id, public_id)
    if after is Step.MONEY:
        mapping = replace(mapping, money=replace(mapping.money, is_guess=False))
    if mapping == conversions.mapping_of(draft) and draft.status == ConversionStatus.CONVERTED:
        return next_step(draft, after)
    before, seen = conversions.mapping_of(draft) or Mapping(), asked_in(draft)
    conversions.set_mapping(seller_id, public_id, mapping, name=draft.mapping_name)
    if missing_of(mapping) and after is not Step.COLUMNS:
        return Step.COLUMNS
    if after is Step.MONEY and _lacks_rate(mapping) and mapping.money.currency != before.money.currency:
        # All of its rows would be open, and the rate is asked there.
        return Step.MONEY
    return convert(seller_id, public_id, after=after, seen=seen)


def convert(
    seller_id: int, public_id: uuid.UUID, *, after: Step = Step.READING, seen: Sequence[OpenQuestion] = ()
) -> Step:
    """Convert a draft: a small file at once, another in the background. Returns the next step with something to do.

    That is ``after`` itself if it has a question now that was not ``seen``: a word that another one in its rows hid.
    """
    draft = conversions.get(seller_id, public_id)
    mapping = conversions.mapping_of(draft)
    if mapping and missing_of(mapping) and after is Step.READING:
        return Step.COLUMNS
    if draft.status == ConversionStatus.FAILED and mapping:
        # It is a draft again.
        draft = conversions.set_mapping(seller_id, public_id, mapping, name=draft.mapping_name)
    is_small = _is_small(draft)
    queued = conversions.convert(seller_id, public_id, in_background=not is_small)
    if is_small and queued.status == ConversionStatus.QUEUED:
        conversion_job.run(seller_id, queued.id, queued.attempt)
        db.session.rollback()
    done = conversions.get(seller_id, public_id)
    if done.status != ConversionStatus.CONVERTED:
        return Step.PREVIEW
    known = {(one.kind, one.word) for one in seen}
    if any((one.kind, one.word) not in known for one in of_step(asked_in(done), after)):
        return after
    return next_step(done, after)


def next_step(conversion: Conversion, after: Step) -> Step:
    """The first step after this one with something to decide; else the preview."""
    asked = asked_in(conversion)
    order = [*Step]
    later = order[order.index(after) + 1 :]
    guessed = {Step.MONEY} if conversions.guess_of(conversion) else set()
    return next((step for step in later if step in guessed or of_step(asked, step)), Step.PREVIEW)


def asked_in(conversion: Conversion) -> list[OpenQuestion]:
    """What is to be decided about a converted file, most rows first, without what its columns lack."""
    if conversion.status != ConversionStatus.CONVERTED:
        return []
    lacks = {f"{to.value}-missing" for to in missing_of(conversions.mapping_of(conversion) or Mapping())}
    return [one for one in asked_of(conversion.findings) if one.slug not in lacks]


def of_step(asked: Sequence[OpenQuestion], step: Step) -> list[OpenQuestion]:
    """Those that are decided in a step."""
    kinds = _KINDS.get(step, frozenset())
    return [one for one in asked if one.kind in kinds and one.slug not in _FINAL]
