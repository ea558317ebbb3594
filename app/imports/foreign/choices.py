"""What a seller chooses about a mapping: which column is which field, and what stands for a missing column."""

from collections.abc import Mapping as Map
from collections.abc import Sequence
from dataclasses import replace

from app.imports.foreign.dictionary import look_alikes
from app.imports.foreign.mapping import Field, How, Joined, Mapping, Source, positions

#: Fields that take several columns together.
_TEXTS = (Field.COMMENT, Field.NOTES)
#: What names a card, each alone or with others of the same group.
_NAMING = ({Field.URN}, {Field.CARDMARKET_ID}, {Field.TCGPLAYER_ID}, {Field.TITLE}, {Field.NAME}, {Field.NUMBER})
_NEEDED = (Field.CONDITION, Field.PRICE, Field.QUANTITY)
#: What tells how many copies are foils.
_FOILS = {Field.FOIL_QUANTITY, Field.FOIL_PART}


def fields_of(mapping: Mapping, columns: Sequence[str]) -> list[tuple[Field, ...]]:
    """For each column of a file the fields that it is taken for."""
    found: list[list[Field]] = [[] for _ in columns]
    for to, source in mapping.sources.items():
        for at in {*positions(columns, *source.columns)}:
            found[at].append(to)
    return [tuple(one) for one in found]


def missing_of(mapping: Mapping) -> tuple[Field, ...]:
    """The fields that every listing needs and nothing is chosen for; NAME stands for all that names a card."""
    there = {to for to, source in mapping.sources.items() if source.columns or source.constant}
    is_named = any(fields <= there for fields in _NAMING)
    needed = (*_NEEDED, Field.FOIL_QUANTITY) if Field.FOIL_PRICE in there and not there & _FOILS else _NEEDED
    return (*(() if is_named else (Field.NAME,)), *(one for one in needed if one not in there))


def choose(
    mapping: Mapping, columns: Sequence[str], chosen: Sequence[Field | None], constants: Map[Field, str]
) -> Mapping:
    """The mapping in which each of ``columns`` is the field in ``chosen``, and fields have these constants.

    A column for which the first of its fields is chosen stays as it is.
    """
    before = fields_of(mapping, columns)
    changed = [at for at, to in enumerate(chosen) if to != (before[at][0] if before[at] else None)]
    for at in changed:
        mapping = _without(mapping, columns, at)
    for at in changed:
        if to := chosen[at]:
            mapping = _with(mapping, to, columns[at])
    for to, constant in constants.items():
        source = mapping.sources.get(to) or Source()
        if constant != source.constant:
            source = replace(source, constant=constant)
            mapping = mapping.with_source(to, source if source.columns or constant else None)
    return replace(mapping, columns=tuple(columns))


def _without(mapping: Mapping, columns: Sequence[str], at: int) -> Mapping:
    for to, source in list(mapping.sources.items()):
        places = positions(columns, *source.columns)
        if at not in places:
            continue
        left = tuple(columns[place] for place in places if columns[place] != columns[at])
        source = replace(source, columns=left, how=source.how if left else How.PLAIN, confirm="")
        mapping = mapping.with_source(to, source if left or source.constant else None)
        if to is Field.CONDITION:
            mapping = replace(mapping, scale="")
    return mapping


def _with(mapping: Mapping, to: Field, column: str) -> Mapping:
    if to in _FOILS:
        # Foils are counted in one way.
        (other,) = _FOILS - {to}
        mapping = mapping.with_source(other, None)
    source = mapping.sources.get(to) or Source(joined=Joined.ALL if to in _TEXTS else Joined.FIRST)
    confirm = source.confirm
    if look_alikes(to.value).find(column):
        confirm = f"In other tools “{column}” is not the {to.value} of what is for sale."
    return mapping.with_source(to, replace(source, columns=(*source.columns, column), confirm=confirm))
