"""The items that rows name, whoever finds them, and what is wrong with the rows that name none."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from app.csvfile.causes import Cause, Problem
from app.csvfile.columns import Column
from app.csvfile.contract import Condition, ItemName, NamedBy
from app.csvfile.lines import Wrong
from app.csvfile.rows import NOT_VALID, whole
from app.csvfile.visible import describe_invisible
from app.queries.items import CatalogItem

#: The column of ``csvfile.rows.SCHEMA`` for each way to name an item.
COLUMNS = {
    NamedBy.URN: "urn",
    NamedBy.CARDMARKET_ID: "external_id",
    NamedBy.TCGPLAYER_ID: "external_id",
    NamedBy.NAME: "name_key",
}

#: The bits of an int64 without its sign.
_BITS = 63
#: Maximum number of URNs in the message about an ambiguous name.
_URNS_LISTED = 5
#: Maximum number of the item's variants in the message about an unknown variant.
_VARIANTS_LISTED = 12


class Resolved(NamedTuple):
    """The items that rows name: an element for each row in each array. Invalid rows name none."""

    #: 0 where the name means no item or several.
    item_ids: NDArray[np.int32]
    #: How many items the name can mean.
    counts: NDArray[np.int32]
    #: The variants of the item, as an index into ``KnownItems.variant_sets``; -1 where the name means no item or
    #: several.
    variant_sets: NDArray[np.int32]


def nothing_for(rows: int) -> NDArray[np.int32]:
    """The arrays of ``Resolved``, beside each other, for as many ``rows`` whose names mean no item."""
    return np.repeat(np.array([[0, 0, -1]], np.int32), rows, axis=0)


class KnownItems(Protocol):
    """The items of one version of the catalog."""

    @property
    def variant_sets(self) -> Sequence[frozenset[str]]:
        """The different sets of variants that items have. ``resolve`` may add some."""

    def resolve(self, rows: pa.Table) -> Resolved:
        """The items that ``rows``, a table of ``csvfile.rows.SCHEMA``, name."""

    def candidates(self, rows: pa.Table) -> list[Sequence[CatalogItem]]:
        """The items that the name in each of the resolved ``rows`` can mean, ordered by URN."""


def each_way(rows: pa.Table) -> Iterator[tuple[NamedBy, NDArray[np.intp], pa.Array]]:
    """The ways in which ``rows`` name items, with the positions of the rows that use each, and their names."""
    named_by = rows["named_by"].to_numpy()
    for way, column in COLUMNS.items():
        at = np.flatnonzero(named_by == way)
        if len(at):
            names = whole(rows[column])
            yield way, at, names if len(at) == len(rows) else names.take(pa.array(at))


def find_items(rows: pa.Table, known_items: KnownItems) -> tuple[pa.Table, Wrong]:
    """The valid ones of ``rows`` whose item and variants are in the catalog, and the problems of the other valid ones.

    Instead of the columns that name an item they get ``item_id`` and ``key``: a number for the listing key, which
    orders them like their keys.
    """
    found = known_items.resolve(rows)
    variants = whole(rows["variants"]).dictionary_encode()
    names, at = variants.dictionary.to_pylist(), variants.indices.to_numpy()
    is_right = (found.counts == 1) & _have_variants(known_items, found.variant_sets, names, at)
    ranks = np.empty(len(names), np.int64)
    ranks[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    keys = (found.item_ids * np.int64(len(Condition) + 1) + rows["condition"].to_numpy()) * len(names) + ranks[at]
    named = ["named_by", *dict.fromkeys(COLUMNS.values())]
    wrong = rows.select(["line", *named, "variants"]).filter(~is_right & (rows["named_by"].to_numpy() != NOT_VALID))
    explained = zip(wrong.to_pylist(), known_items.candidates(wrong), strict=True)
    right = rows.drop_columns(named).append_column("item_id", pa.array(found.item_ids))
    right = right.append_column("key", pa.array(keys))
    # Column by column, which takes two thirds of the time.
    is_kept = pa.array(is_right)
    kept = [column.filter(is_kept) for column in right.columns]
    return pa.table(kept, right.schema), {row["line"]: [_problem(row, candidates)] for row, candidates in explained}


def _have_variants(
    known_items: KnownItems, variant_sets: NDArray[np.int32], names: Sequence[str], at: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """For each row, whether the item with these variants has the wanted ones: those in ``names`` ``at`` an index."""
    wanted = [_split(name) for name in names]
    bits = {variant: 1 << place for place, variant in enumerate({variant for one in wanted for variant in one})}
    kind = np.int64 if len(bits) < _BITS else object
    own = pa.array(variant_sets).dictionary_encode()
    # What is not wanted has no bit, and a name without one item no variants.
    sets = [known_items.variant_sets[place] if place >= 0 else () for place in own.dictionary.to_pylist()]
    has = np.array([sum(bits.get(variant, 0) for variant in one) for one in sets], kind)[own.indices.to_numpy()]
    needs = np.array([sum(map(bits.__getitem__, one)) for one in wanted], kind)[at]
    of_rows: NDArray[np.bool_] = has & needs == needs
    return of_rows


def _split(variants: str) -> set[str]:
    return set(variants.split("|") if variants else ())


def _name_problem(cause: Cause, name: ItemName, **facts: Any) -> Problem:
    """A problem of the columns that name an item, with their values as far as the sentence cites them."""
    named_by, value = name
    if named_by is not NamedBy.NAME:
        facts["value"] = str(value)
    elif invisible := describe_invisible(str(value)):
        facts["invisible"] = invisible
    return cause.problem(Column[named_by.name], **facts)


def _problem(row: Mapping[str, Any], candidates: Sequence[CatalogItem]) -> Problem:
    """Why a row has no listing key, if its name can mean these ``candidates``."""
    named_by = NamedBy(row["named_by"])
    name: ItemName = (named_by, row[COLUMNS[named_by]])
    if not candidates:
        return _name_problem(Cause.ITEM_NOT_FOUND, name)
    if len(candidates) > 1:
        urns = [item.urn for item in candidates[:_URNS_LISTED]]
        return _name_problem(Cause.ITEM_AMBIGUOUS, name, count=len(candidates), urns=urns)
    (item,) = candidates
    known = sorted(item.variants)[:_VARIANTS_LISTED]
    missing = sorted(_split(row["variants"]) - item.variants)
    return Cause.VARIANT_NOT_FOUND.problem(Column.VARIANTS, urn=item.urn, variants=missing, known=known)
