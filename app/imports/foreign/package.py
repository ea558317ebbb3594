"""Opens a workbook, a ZIP archive of XML, safely: only the parts that are needed, each up to a limit."""

import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Generic, NamedTuple, NoReturn, TypeVar
from xml.parsers import expat

from app.imports.foreign.shapes import Unreadable

#: Number of entries in a workbook; one with many pictures has some hundreds.
MAX_ENTRIES = 10_000
#: Uncompressed bytes of a sheet, and of any other part, of which the texts are held in memory.
MAX_SHEET_BYTES = 2 * 1024**3
MAX_PART_BYTES = 64 * 1024**2
#: Uncompressed bytes of a part that tells about the others, and of one value or name.
MAX_SMALL_BYTES = 8 * 1024**2
MAX_TOKEN_BYTES = 1024**2
#: How many times as large a part may become; only where it becomes large. Sheets reach about 20.
MAX_RATIO = 300
_LARGE_BYTES = 16 * 1024**2

_PIECE_BYTES = 64 * 1024
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ENCRYPTED = 0x1

_Found = TypeVar("_Found")

SAVE_AGAIN = "Open it in your spreadsheet program, and save it as .xlsx or as CSV."


def broken(why: str) -> Unreadable:
    """The error for a workbook of which a part is not as it must be; ``why`` completes “because …”."""
    return Unreadable(f"This workbook cannot be read, because {why}. {SAVE_AGAIN}")


class XmlElement(NamedTuple):
    """An element with its attributes."""

    name: str
    #: The name of the element that holds it.
    parent: str
    values: dict[str, str]


class Handler(Generic[_Found]):
    """Takes the elements and texts of a part in XML, and keeps what it finds."""

    def __init__(self) -> None:
        self.found: list[_Found] = []
        #: Whether nothing more can be found.
        self.is_done = False

    def start(self, name: str, values: dict[str, str]) -> None:
        """An element begins."""

    def end(self, name: str) -> None:
        """An element ends."""

    def text(self, text: str) -> None:
        """Some text between them."""

    def take(self) -> list[_Found]:
        """What was found since it was asked."""
        found, self.found = self.found, []
        return found


class Package:
    """The parts of a workbook by name. Raises Unreadable where they are broken or too large."""

    def __init__(self, source: BinaryIO) -> None:
        source.seek(0)
        try:
            self._archive = zipfile.ZipFile(source)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RecursionError) as error:
            raise broken("its archive is damaged or was cut off") from error
        entries = self._archive.infolist()
        if len(entries) > MAX_ENTRIES:
            raise broken(f"it has more than {MAX_ENTRIES:,} parts")
        self._entries = {entry.filename: entry for entry in entries}

    @property
    def is_office(self) -> bool:
        """Whether it is a file of an office program that follows the standard."""
        return "_rels/.rels" in self

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def pieces(self, name: str, limit: int = MAX_PART_BYTES) -> Iterator[bytes]:
        """The bytes of a part, piece by piece."""
        entry = self._entries.get(name)
        if entry is None:
            raise broken(f"its part {name} is missing")
        if entry.flag_bits & _ENCRYPTED:
            raise Unreadable("This workbook is protected by a password. Remove the password, and save it again.")
        if entry.compress_type not in _METHODS:
            raise broken(f"its part {name} is compressed in an unusual way")
        too_dense = entry.file_size > max(_LARGE_BYTES, MAX_RATIO * entry.compress_size)
        if entry.file_size > limit or too_dense:
            raise broken(f"its part {name} is too large when unpacked")
        try:
            with self._archive.open(entry) as part:
                while piece := part.read(_PIECE_BYTES):
                    yield piece
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError) as error:
            raise broken(f"its part {name} is damaged") from error

    def parse(self, name: str, handler: Handler[_Found], *, limit: int = MAX_PART_BYTES) -> Iterator[_Found]:
        """What ``handler`` finds in a part in XML, while it is read."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = handler.start
        parser.EndElementHandler = handler.end
        parser.CharacterDataHandler = handler.text
        parser.StartDoctypeDeclHandler = _refuse_doctype
        size = 0
        try:
            for piece in self.pieces(name, limit):
                parser.Parse(piece, False)
                size += len(piece)
                if size - parser.CurrentByteIndex > MAX_TOKEN_BYTES:
                    raise broken(f"its part {name} has a value that is too long")
                yield from handler.take()
                if handler.is_done:
                    return
            parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise broken(f"its part {name} is no valid XML") from error
        yield from handler.take()

    def elements(self, name: str) -> Iterator[XmlElement]:
        """All elements of a small part in XML, without their texts."""
        return self.parse(name, _Elements(), limit=MAX_SMALL_BYTES)

    def targets(self, name: str) -> dict[str, tuple[str, str]]:
        """The parts to which a part refers, those outside of the workbook aside: for each id the kind and the name."""
        folder, base = posixpath.split(name)
        relations = posixpath.join(folder, "_rels", f"{base}.rels")
        found: dict[str, tuple[str, str]] = {}
        for element in self.elements(relations):
            if element.name == "Relationship" and element.values.get("TargetMode") != "External":
                kind = element.values.get("Type", "").rpartition("/")[2]
                target = posixpath.normpath(posixpath.join("/", folder, element.values.get("Target", ""))).lstrip("/")
                found[element.values.get("Id", "")] = (kind, target)
        return found


def local(name: str) -> str:
    """The name of an element or attribute without the prefix of its namespace, which differs between programs."""
    return name.rpartition(":")[2] if ":" in name else name


def _refuse_doctype(*_: object) -> NoReturn:
    raise broken("a part of it declares entities")


class _Elements(Handler[XmlElement]):
    """Collects elements without their texts."""

    def __init__(self) -> None:
        super().__init__()
        self._open: list[str] = [""]

    def start(self, name: str, values: dict[str, str]) -> None:
        self.found.append(XmlElement(local(name), self._open[-1], values))
        self._open.append(local(name))

    def end(self, name: str) -> None:
        self._open.pop()
