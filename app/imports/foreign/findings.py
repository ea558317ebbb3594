"""What a conversion has found that its seller should see: what is to be decided, and a row of every kind."""

import csv
from collections import Counter
from typing import Any, NamedTuple

import numpy as np

from app.csvfile.columns import COLUMNS, Column
from app.imports.foreign.convert import Converted
from app.imports.foreign.mapping import Kind, word_of
from app.imports.foreign.reasons import ADDED_PRICE, DECIDED, NOT_NORMAL, Candidate, Outcome, Question, Reason

#: Most questions that are kept, those with the most rows first, with so many characters, and most rows that are shown.
MAX_QUESTIONS, _MAX_LENGTH = 2_000, 2_000_000
#: If there are more, those with the fewest rows are forgotten, and their rows with them.
_REMEMBERED = 10 * MAX_QUESTIONS
_MAX_REMARKS, _MAX_ROWS, _MAX_EXAMPLES = 12, 8, 40
_KIND = tuple(COLUMNS.index(one) for one in (Column.MODE, Column.CONDITION, Column.VARIANTS))
_QUANTITY = COLUMNS.index(Column.QUANTITY)


class OpenQuestion(NamedTuple):
    """Something to be decided."""

    #: See ``Question``.
    kind: str
    word: str
    #: The key of its sentence, and the sentence.
    slug: str
    sentence: str
    #: The rows that wait for it.
    rows: int
    candidates: tuple[Candidate, ...] = ()


class Example(NamedTuple):
    """A row of the file, and what it came to."""

    outcome: Outcome
    #: Its first line, and where it stands in the text of the file.
    line: int
    start: int
    length: int
    #: Why; empty for a row of its own.
    sentence: str
    #: The cells of the converted row, if it has become one.
    cells: tuple[str, ...] = ()


class Findings:
    """Collects what the blocks of a conversion have found."""

    def __init__(self) -> None:
        self._questions: Counter[Question] = Counter()
        self._reasons: dict[Question, Reason] = {}
        #: Cards of the sets that are asked, with their rows.
        self._cards: dict[Question, Counter[str]] = {}
        self._forgotten = 0
        self._remarks: dict[Reason, Example] = {}
        self._finishes: Counter[str] = Counter()
        self._examples: dict[tuple[object, ...], Example] = {}
        self._rows = 0
        self._repriced = 0
        self._sold_out = 0

    def add(self, block: Converted) -> None:
        """Add those of the next rows."""
        for why, count in block.questions:
            question = _as_one(why.question or Question("", why.sentence))
            self._questions[question] += count
            self._reasons.setdefault(question, why)
            if card := dict(why.facts).get("card"):
                self._cards.setdefault(question, Counter())[card] += count
        if len(self._questions) > _REMEMBERED:
            self._forget()
        self._add_remarks(block)
        self._add_rows(block)
        self._add_others(block)
        self._sold_out += block.sold_out
        repriced = [at for at, why in enumerate(block.reasons) if why.slug == ADDED_PRICE]
        self._repriced += int(np.count_nonzero(np.isin(block.reason_at, repriced)))

    def _forget(self) -> None:
        left = Counter(dict(self._questions.most_common(_REMEMBERED // 2)))
        self._forgotten += len(self._questions) - len(left)
        self._questions, self._reasons = left, {question: self._reasons[question] for question in left}

    def _add_remarks(self, block: Converted) -> None:
        """A row for each remark, as long as there is room."""
        for why, count, at in block.remarks:
            if why.slug == NOT_NORMAL:
                self._finishes[dict(why.facts)["finish"]] += count
            if why not in self._remarks and len(self._remarks) < _MAX_REMARKS:
                outcome, cells = Outcome(int(block.outcomes[at])), list[str]()
                if outcome is Outcome.ROW:
                    line = block.data.decode().split("\n")[np.searchsorted(block.from_rows, at)]
                    cells = next(csv.reader([line]))
                self._remarks[why] = _example(block, at, outcome, why.sentence, tuple(cells))

    def _add_rows(self, block: Converted) -> None:
        """A row of its own for each condition with its variants, and if sold out, as long as there is room."""
        if self._rows >= _MAX_ROWS:
            return
        for at, cells in zip(block.from_rows.tolist(), csv.reader(block.data.decode().splitlines()), strict=False):
            key = (Outcome.ROW, cells[_QUANTITY] == "0", *(cells[place] for place in _KIND))
            if key not in self._examples and self._rows < _MAX_ROWS:
                self._examples[key] = _example(block, at, Outcome.ROW, "", tuple(cells))
                self._rows += 1

    def _add_others(self, block: Converted) -> None:
        if len(self._examples) >= _MAX_EXAMPLES:
            return
        codes, firsts = np.unique(block.reason_at, return_index=True)
        for code, at in zip(codes.tolist(), firsts.tolist(), strict=True):
            outcome = Outcome(int(block.outcomes[at]))
            if code >= 0 and outcome is not Outcome.ROW:
                why = block.reasons[code]
                if (outcome, why.slug) not in self._examples:
                    self._examples[outcome, why.slug] = _example(block, at, outcome, why.sentence)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        asked: list[OpenQuestion] = []
        cards: dict[str, Counter[str]] = {}
        length = 0
        for question, rows in self._questions.most_common(MAX_QUESTIONS):
            why = self._reasons[question]
            length += len(question.word)
            if length > _MAX_LENGTH:
                break
            if question in self._cards:
                cards[(why.question or question).word] = self._cards[question]
            asked.append(OpenQuestion(*(why.question or question), why.slug, why.sentence, rows, why.candidates))
        # What the seller decided comes first, each row with all that is said of it.
        shown: dict[int, Example] = {}
        for _, one in sorted(self._remarks.items(), key=lambda pair: (pair[0].slug != DECIDED, pair[1].line)):
            before = shown.get(one.line)
            shown[one.line] = one._replace(sentence=f"{before.sentence} {one.sentence}") if before else one
        others = sorted(self._examples.values(), key=lambda one: (one.outcome, one.line))
        examples = [*shown.values(), *(one for one in others if one.line not in shown)]
        return {
            "asked": asked,
            "cards": cards,
            "kinds": len(self._questions) + self._forgotten,
            "examples": examples[:_MAX_EXAMPLES],
            "repriced": self._repriced,
            "sold_out": self._sold_out,
            "finishes": self._finishes,
        }


def _as_one(question: Question) -> Question:
    """The question in whatever spelling, as answers are kept (``Mapping.answer``)."""
    is_word = question.kind in {*Kind} - {Kind.ITEM} or question.kind == "scale"
    return question._replace(word=word_of(question.kind, question.word)) if is_word else question


def _example(block: Converted, at: int, outcome: Outcome, sentence: str, cells: tuple[str, ...] = ()) -> Example:
    return Example(outcome, int(block.lines[at]), int(block.starts[at]), int(block.lengths[at]), sentence, cells)


def asked_of(values: dict[str, Any]) -> list[OpenQuestion]:
    """What is to be decided, of what ``to_json`` has given."""
    return [
        OpenQuestion(kind, word, slug, sentence, rows, tuple(map(_candidate, candidates)))
        for kind, word, slug, sentence, rows, candidates in values.get("asked", ())
    ]


def _candidate(values: list[Any]) -> Candidate:
    *texts, variants = values
    return Candidate._make([*texts, tuple(variants)])


def examples_of(values: dict[str, Any]) -> list[Example]:
    """The rows of every kind, of what ``to_json`` has given."""
    return [
        Example(Outcome(outcome), line, start, length, sentence, tuple(cells))
        for outcome, line, start, length, sentence, cells in values.get("examples", ())
    ]
