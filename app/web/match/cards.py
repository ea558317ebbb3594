"""The step that asks which cards the rows mean."""

from collections.abc import Mapping as Map
from typing import Any

from app.imports import match_flow
from app.imports.foreign import candidates
from app.imports.foreign.findings import OpenQuestion
from app.imports.foreign.mapping import Mapping
from app.imports.foreign.reasons import Candidate
from app.imports.foreign.sets import Sets
from app.imports.match_flow import Step
from app.models import Conversion
from app.web.match.questions import paged, take_answers
from app.web.match.steps import mapping_of


def context(one: Conversion, args: Map[str, str]) -> dict[str, Any]:
    """What the page shows."""
    asked = match_flow.of_step(match_flow.asked_in(one), Step.CARDS)
    page, pages = paged(asked, args)
    finder = Sets(mapping_of(one))
    page = [each._replace(candidates=_add_alike(each, finder)) for each in page]
    found = one.findings
    return {"asked": page, "pages_at": pages, "count": len(asked), "kinds": found.get("kinds", 0)}


def take(one: Conversion, form: Map[str, str]) -> Mapping:
    """The mapping with the answers in the form."""
    return take_answers(mapping_of(one), form)


def _add_alike(question: OpenQuestion, sets: Sets) -> tuple[Candidate, ...]:
    """The candidates of a question, or where these do not have its name, too, those that do or are spelled like it."""
    if question.candidates and question.slug != "item-disagrees":
        return question.candidates
    alike = candidates.find(question.word) or candidates.find_alike(question.word, sets)
    return (*question.candidates, *(one for one in alike if one not in question.candidates))
