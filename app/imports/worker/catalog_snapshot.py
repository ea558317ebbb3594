"""A snapshot of the catalog: one version of it in a file, which the workers of a host map into their memory.

The file has the columns of the items, which are ordered by id, and for each way to name them the arrays of an index.
After these stand a table of them, and whatever proves that the file is whole. Nothing of it is copied when it is
mapped, so that all processes share the memory.
"""

import json
import mmap
import os
import secrets
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from app.csvfile.contract import NamedBy
from app.extensions import db
from app.imports.worker.catalog_index import COUNT, FIRST, UNKNOWN, Index, bounds_and_data, hash_ids, hash_texts
from app.imports.worker.resolved import Resolved, each_way, nothing_for
from app.queries import items
from app.queries.items import CatalogItem
from app.storage.local import open_private

#: Changes whenever the file or the hashes are made in another way.
_FORMAT = 1
#: The end of the file: the length of the table of arrays, which precedes it; the number of all bytes before the end,
#: and their checksum; and a mark. A file whose table is its bytes 4,096 to 4,595 ends with 500, 4,596, the checksum of
#: those 4,596 bytes, and _MARK.
_END = struct.Struct("<QQL8s")
_MARK = b"catalog."
#: Arrays begin at multiples of this.
_ALIGNMENT = 64

#: The ways to name items by a text.
_BY_TEXT = (NamedBy.URN, NamedBy.NAME)
#: Names whose items are remembered.
_REMEMBERED = 10_000


class DamagedSnapshot(Exception):
    """The file is not a whole snapshot of the wanted version."""


class HashesCollide(Exception):
    """Two different names of the catalog have the same hash. The next snapshot hashes differently."""


class Snapshot:
    """The items of one version of the catalog, found in a mapped file; see ``KnownItems``."""

    def __init__(self, facts: dict[str, Any], content: mmap.mmap) -> None:
        self.version: str = facts["version"]
        self.variant_sets = [frozenset(filter(None, one.split("|"))) for one in facts["variant_sets"]]
        self._seed: int = facts["seed"]
        arrays = {name: np.frombuffer(content, *place) for name, place in facts["arrays"].items()}
        self._ids, self._item_variants = arrays["id"], arrays["variants"]
        self._texts = {way: _texts(arrays[f"{way.name}.bounds"], arrays[f"{way.name}.data"]) for way in _BY_TEXT}
        self._indexes = {
            way: Index.of_arrays({field: arrays[f"{way.name}.{field}"] for field in Index._fields}) for way in NamedBy
        }
        self._items_of = lru_cache(_REMEMBERED)(self._read_items)

    def resolve(self, rows: pa.Table) -> Resolved:
        """The items that ``rows``, a table of ``csvfile.rows.SCHEMA``, name."""
        resolved = nothing_for(len(rows))
        for way, at, names in each_way(rows):
            resolved[at] = self._find(way, names)[:, :3]
        return Resolved(*resolved.T)

    def candidates(self, rows: pa.Table) -> list[Sequence[CatalogItem]]:
        """The items that the name in each of ``rows`` can mean, ordered by URN."""
        found: list[Sequence[CatalogItem]] = [()] * len(rows)
        for way, at, names in each_way(rows):
            entries = self._find(way, names)[:, [FIRST, COUNT]]
            for place, (first, count) in zip(at.tolist(), entries.tolist(), strict=True):
                found[place] = self._items_of(way, first, count)
        return found

    def _read_items(self, way: NamedBy, first: int, count: int) -> Sequence[CatalogItem]:
        items = map(self._item, self._indexes[way].items[first : first + count])
        return sorted(items, key=lambda item: item.urn)

    def _item(self, at: np.integer[Any]) -> CatalogItem:
        urn = self._texts[NamedBy.URN][int(at)].as_py()
        return CatalogItem(int(self._ids[at]), urn, self.variant_sets[self._item_variants[at]])

    def _find(self, way: NamedBy, names: pa.Array) -> NDArray[np.int32]:
        """The entries of ``names``, which use this ``way``; see ``Index.entries``."""
        index = self._indexes[way]
        if way not in _BY_TEXT:
            return index.find(hash_ids(names.to_numpy()))
        entries = index.find(hash_texts(names, self._seed))
        # Another text may have the same hash. Of an empty catalog there is nothing to compare with.
        if index.size:
            there = self._texts[way].take(pa.array(index.items[entries[:, FIRST]])).cast(pa.string())
            entries[~pc.equal(there, names).to_numpy(zero_copy_only=False)] = UNKNOWN
        return entries


def load(path: Path, version: str, *, verify: bool = False) -> Snapshot:
    """Map the snapshot of ``version`` in the file at ``path``. ``verify`` reads all of it to compare its checksum.

    Raises FileNotFoundError, OSError and DamagedSnapshot.
    """
    try:
        with path.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        end = len(content) - _END.size
        size, length, checksum, mark = _END.unpack(content[end:])
        if mark != _MARK or length != end:
            raise DamagedSnapshot("It is not whole.")
        if verify and zlib.crc32(memoryview(content)[:end]) != checksum:
            raise DamagedSnapshot("It was changed.")
        facts = json.loads(content[end - size : end])
        if (facts["format"], facts["version"]) != (_FORMAT, version):
            raise DamagedSnapshot("It is of another version.")
        return Snapshot(facts, content)
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise DamagedSnapshot("It is not a snapshot.") from error


def write(path: Path, version: str) -> None:
    """Write a snapshot of the catalog, as the session's transaction sees it, to ``path``: wholly or not at all.

    Ends the session's transaction. Raises OSError and HashesCollide.
    """
    # Whoever writes a catalog cannot know how its texts will be hashed.
    seed = secrets.randbits(63)
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        with open(part, "xb", opener=open_private) as file:
            writer = _Writer(file)
            variant_sets = _write_catalog(writer, seed)
            writer.finish({"format": _FORMAT, "version": version, "seed": seed, "variant_sets": variant_sets})
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)


class _Writer:
    """Writes the arrays of a snapshot to a file, and then the table of them."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._checksum = 0
        self._arrays: dict[str, tuple[str, int, int]] = {}

    def add(self, name: str, kind: type[np.generic], pieces: Iterable[NDArray[Any]]) -> None:
        """Write an array of one ``kind``, given in ``pieces``."""
        self._write(bytes(-self._file.tell() % _ALIGNMENT))
        begin = self._file.tell()
        for piece in pieces:
            self._write(np.ascontiguousarray(piece, kind).data.cast("B"))
        dtype = np.dtype(kind)
        self._arrays[name] = dtype.str, (self._file.tell() - begin) // dtype.itemsize, begin

    def finish(self, facts: dict[str, Any]) -> None:
        """Write the table of the arrays, with ``facts`` about them, and the end."""
        table = json.dumps({**facts, "arrays": self._arrays}).encode()
        self._write(table)
        self._file.write(_END.pack(len(table), self._file.tell(), self._checksum, _MARK))

    def _write(self, data: bytes | memoryview) -> None:
        self._checksum = zlib.crc32(data, self._checksum)
        self._file.write(data)


def _write_catalog(writer: _Writer, seed: int) -> list[str]:
    """Write all arrays of the catalog. Returns the sets of variants. Ends the session's transaction."""
    ids: list[NDArray[np.int32]] = []
    variants: list[NDArray[np.int32]] = []
    places: dict[str, int] = {}

    def urns() -> Iterator[pa.StringArray]:
        for batch in items.iter_items():
            ids.append(batch["id"].to_numpy())
            encoded = batch["variants"].dictionary_encode()
            here = [places.setdefault(one, len(places)) for one in encoded.dictionary.to_pylist()]
            variants.append(np.array(here, np.int32)[encoded.indices.to_numpy()])
            yield batch["urn"]

    hashes = {NamedBy.URN: _write_texts(writer, NamedBy.URN, urns(), seed)}
    name_keys = (batch["name_key"] for batch in items.iter_name_keys())
    hashes[NamedBy.NAME] = _write_texts(writer, NamedBy.NAME, name_keys, seed)
    external_ids = {way: [*items.iter_external_ids(way)] for way in NamedBy if way not in _BY_TEXT}
    count_of = items.count_names()
    db.session.rollback()

    all_ids, all_variants = _join(ids, np.int32), _join(variants, np.int32)
    writer.add("id", np.int32, [all_ids])
    writer.add("variants", np.int32, [all_variants])
    named = {way: np.arange(len(all_ids), dtype=np.int32) for way in _BY_TEXT}
    for way, batches in external_ids.items():
        hashes[way] = hash_ids(_join([batch["external_id"].to_numpy() for batch in batches], np.int64))
        item_ids = _join([batch["item_id"].to_numpy() for batch in batches], np.int32)
        named[way] = np.searchsorted(all_ids, item_ids).astype(np.int32)
    for way in NamedBy:
        index = Index.build(hashes.pop(way), named.pop(way), all_ids, all_variants)
        if index.size != count_of.get(way, index.size):
            raise HashesCollide
        for field, array in index._asdict().items():
            writer.add(f"{way.name}.{field}", array.dtype.type, [array])
    return [*places]


def _write_texts(writer: _Writer, way: NamedBy, texts: Iterable[pa.StringArray], seed: int) -> NDArray[np.uint64]:
    """Write the names of all items. Returns their hashes."""
    hashes: list[NDArray[np.uint64]] = []
    bounds: list[NDArray[np.int64]] = [np.zeros(1, np.int64)]

    def data() -> Iterator[NDArray[np.uint8]]:
        for some in texts:
            hashes.append(hash_texts(some, seed))
            here, text = bounds_and_data(some)
            bounds.append(here[1:] + bounds[-1][-1])
            yield text

    writer.add(f"{way.name}.data", np.uint8, data())
    writer.add(f"{way.name}.bounds", np.int64, bounds)
    return _join(hashes, np.uint64)


def _texts(bounds: NDArray[np.int64], data: NDArray[np.uint8]) -> pa.LargeStringArray:
    return pa.LargeStringArray.from_buffers(len(bounds) - 1, pa.py_buffer(bounds), pa.py_buffer(data))


def _join(arrays: Iterable[NDArray[Any]], kind: type[np.generic]) -> NDArray[Any]:
    return np.concatenate([np.empty(0, kind), *arrays])
