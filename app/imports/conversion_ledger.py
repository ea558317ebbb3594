"""Verifies the ledger of a conversion: counts a foreign file again from its own rows and from the companions."""

from collections import Counter
from collections.abc import Iterator

from app.csvfile.cells import split_record
from app.csvfile.errors import FileRejected
from app.imports.foreign.reading import blocks, text_reading
from app.imports.foreign.reasons import Outcome
from app.imports.reports.seller_file import SellerFile
from app.models import Conversion
from app.storage import current_storage
from app.storage.stored_file import open_stored

#: By the names of ``models.Conversion``.
_COUNTERS = {"converted": Outcome.ROW, "added": Outcome.ADDED, "left_out": Outcome.LEFT_OUT, "undecided": Outcome.OPEN}


def find_faults(conversion: Conversion, total: int) -> Iterator[str]:
    """The contradictions between a conversion, its files and an import of ``total`` rows, a sentence each.

    Every row of the file must have one outcome, and every row of the import must come from a row that says so.
    """
    file = SellerFile(conversion)
    yield from compare("rows of the converted file", file.lines, total)
    if file.is_part or not file.has_text:
        # The import that it is a part of has all outcomes.
        return
    counted: Counter[str] = Counter()
    places = file.origins.iter_places(2, file.lines + 1)
    place, out_line = next(places, None), 2
    try:
        for own_line, reported in zip(_own_lines(file), file.iter_report(), strict=True):
            line, outcome, out_lines, _ = split_record(reported)
            counted[outcome] += 1
            if int(line) != own_line:
                yield f"Line {own_line} of the foreign file is reported as line {line}."
            named = out_lines.split("|")
            while place is not None and place.line == own_line:
                if str(out_line) not in named or outcome != Outcome.ROW.word:
                    yield f"Row {out_line} of the import does not come from line {line}, as its origin says."
                place, out_line = next(places, None), out_line + 1
    except (OSError, FileRejected, ValueError) as error:
        yield f"The foreign file or its companions cannot be read: {error}"
        return
    yield from compare("rows with an origin", out_line - 2, total)
    yield from compare("rows of the foreign file", counted.total(), conversion.rows)
    for name, kind in _COUNTERS.items():
        yield from compare(f"{kind.word} rows of the foreign file", counted[kind.word], getattr(conversion, name))


def _own_lines(file: SellerFile) -> Iterator[int]:
    """The line of each row of the foreign file, read once more."""
    with open_stored(current_storage(), file.text_key, file.text_size) as text:
        for block in blocks(text, text_reading(file.reading)):
            yield from block.lines.tolist()


def compare(what: str, found: object, recorded: object) -> Iterator[str]:
    """What is wrong if two values that should agree do not, as a sentence."""
    if found != recorded:
        yield f"{what[0].upper()}{what[1:]}: {found} counted, {recorded} in the books."
