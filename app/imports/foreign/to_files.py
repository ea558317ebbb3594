"""Converts a file on this machine into files beside it, for the command line."""

import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Map
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, NamedTuple

from app.imports.foreign.convert import HEADER_LINE, convert
from app.imports.foreign.mapping import Mapping
from app.imports.foreign.matching import Matcher
from app.imports.foreign.money import currency_of
from app.imports.foreign.origins import CompanionWriter, Sinks
from app.imports.foreign.reading import detect
from app.imports.foreign.reasons import Outcome, Question


class Outputs(NamedTuple):
    """Where the converted file and the report are written to."""

    converted: Path
    report: Path


class Money(NamedTuple):
    """What the seller says of money: how many pounds a unit of each currency is, and the currency that is not told."""

    rates: Map[str, str]
    currency: str = ""


class Done(NamedTuple):
    """What came of the rows of a file."""

    rows: int
    counts: Counter[Outcome]
    #: What is to be decided, and in how many rows.
    questions: Counter[Question]
    #: See ``mapping.Money``.
    guess: str


def convert_file(
    source: Path, outputs: Outputs, seller_id: int, *, mapping: Mapping | None, saved: Sequence[Mapping], money: Money
) -> Done:
    """Convert ``source`` as ``mapping`` says; without one, as far as it is recognised or matched, after ``saved``.

    The outputs are written wholly or not at all. Raises Unreadable, NotStock, MappingInvalid and OSError.
    """
    with source.open("rb") as file:
        reading = detect(file, overrides={})
        mapping = mapping or Matcher(file, reading).match(saved).mapping
        mapping = mapping.with_rates({currency_of(code) or code: rate for code, rate in money.rates.items()})
        if money.currency and (mapping.money.is_guess or not mapping.money.currency):
            mapping = replace(mapping, money=replace(mapping.money, currency=money.currency, is_guess=False))
        with ExitStack() as stack:
            out, report = (stack.enter_context(_whole(path)) for path in outputs)
            spilled = stack.enter_context(tempfile.TemporaryFile())
            nowhere = stack.enter_context(Path(os.devnull).open("wb"))
            companions = CompanionWriter(Sinks(nowhere, nowhere, nowhere, report), spilled)
            out.write(HEADER_LINE)
            questions: Counter[Question] = Counter()
            for block in convert(file, reading, mapping, seller_id):
                out.write(block.data)
                companions.add(block)
                for why, count in block.questions:
                    questions[why.question or Question(why.slug, "")] += count
    return Done(companions.rows, companions.counts, questions, mapping.money.guess)


@contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    """The file at ``path``, which is there once it is whole."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
