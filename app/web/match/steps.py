"""What the steps of “Match your file” have in common: their list, and the mapping that they decide."""

from typing import NamedTuple

from app.imports import conversions, match_flow
from app.imports.foreign import recognised
from app.imports.foreign.choices import missing_of
from app.imports.foreign.mapping import Mapping
from app.imports.match_flow import Step
from app.models import Conversion

TITLES = {
    Step.READING: "How it is read",
    Step.COLUMNS: "Columns",
    Step.WORDS: "Words",
    Step.CARDS: "Cards",
    Step.MONEY: "Money",
    Step.PREVIEW: "Preview",
}


class StepLink(NamedTuple):
    """A step in the list of them."""

    step: Step
    title: str
    #: How many things are to be decided there.
    open: int
    is_here: bool


def mapping_of(one: Conversion) -> Mapping:
    """The mapping of a conversion; an empty one if it has none."""
    return conversions.mapping_of(one) or Mapping()


def links(one: Conversion, here: Step) -> list[StepLink]:
    """The steps with what is open in each."""
    asked = match_flow.asked_in(one)
    counts = {step: len(match_flow.of_step(asked, step)) for step in Step}
    counts[Step.COLUMNS] = len(missing_of(mapping_of(one)))
    counts[Step.READING] = 0
    return [StepLink(step, TITLES[step], counts[step], step is here) for step in Step]


def format_of(one: Conversion) -> str:
    """The name of the format that a file was recognised as, or empty."""
    known = recognised.find(mapping_of(one).format)
    return known.name if known else ""


def format_names() -> list[str]:
    """The formats that are recognised, for people."""
    return sorted({known.name for known in recognised.formats()}, key=str.casefold)
