"""Suggestions: what sellers probably meant, from the value alone and from the catalog."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text

from app.csvfile.contract import Cause, name_key
from app.extensions import db
from app.imports import failures, suggest
from app.imports.suggest import Case, Choice, Suggestion
from app.models import Seller
from app.queries import ImportKey, items
from app.queries.error_groups import Kind
from app.queries.items import NewItem
from tests.factories import make_items, row, start


def told(cause: Cause, column: str, **values: str) -> list[str]:
    """What is suggested for a row with ``values``."""
    (found,) = suggest.suggest([Case(Kind(cause, column), row(**values))])
    return [choice.text for choice in found.choices] if found else []


@pytest.mark.parametrize(
    ("cause", "column", "value", "expected"),
    [
        (Cause.CONDITION_UNKNOWN, "CONDITION", "Near Mnt", ["NEAR_MINT"]),
        (Cause.CONDITION_UNKNOWN, "CONDITION", "Lightly Played", ["LIGHT_PLAYED"]),
        (Cause.CONDITION_UNKNOWN, "CONDITION", "nm+", ["NEAR_MINT"]),
        (Cause.CONDITION_UNKNOWN, "CONDITION", "excelent", ["EXCELLENT"]),
        # A grade that is not certain is none.
        (Cause.CONDITION_UNKNOWN, "CONDITION", "Heavily Played", []),
        (Cause.CONDITION_UNKNOWN, "CONDITION", "new", []),
        (Cause.MODE_UNKNOWN, "MODE", "CRATE", ["CREATE"]),
        (Cause.MODE_UNKNOWN, "MODE", "add", ["CREATE"]),
        (Cause.MODE_UNKNOWN, "MODE", "DELETE", []),
        (Cause.PRICE_IN_POUNDS, "PRICE", "1.99", ["199"]),
        (Cause.PRICE_IN_POUNDS, "PRICE", "£2", ["200"]),
        (Cause.QUANTITY_NOT_WHOLE, "QUANTITY", "x4", ["4"]),
        (Cause.QUANTITY_NOT_WHOLE, "QUANTITY", "1,000", ["1000"]),
        (Cause.QUANTITY_NOT_WHOLE, "QUANTITY", "2.0", ["2"]),
        (Cause.QUANTITY_NOT_WHOLE, "QUANTITY", "-1", []),
        (Cause.QUANTITY_NOT_WHOLE, "QUANTITY", "2.5", []),
        (Cause.HIDDEN_UNKNOWN, "HIDDEN", "Yes", ["true"]),
        (Cause.HIDDEN_UNKNOWN, "HIDDEN", "0", ["false"]),
        (Cause.HIDDEN_UNKNOWN, "HIDDEN", "flase", ["false"]),
        (Cause.HIDDEN_UNKNOWN, "HIDDEN", "maybe", []),
        (Cause.ID_NOT_DIGITS, "CARDMARKET_ID", "12345.0", ["12345"]),
        (Cause.ID_NOT_DIGITS, "CARDMARKET_ID", "#12 345", ["12345"]),
        (Cause.ID_NOT_DIGITS, "CARDMARKET_ID", "1.2E+05", []),
        (Cause.ID_NOT_DIGITS, "CARDMARKET_ID", "12.5", []),
        (Cause.VARIANT_MALFORMED, "VARIANTS", "Reverse Holo, DE", ["reverse-holo|de"]),
        (Cause.VARIANT_MALFORMED, "VARIANTS", "réverse", []),
        (Cause.PRICE_MISSING, "PRICE", "", []),
    ],
)
def test_what_the_value_alone_says(app: Flask, cause: Cause, column: str, value: str, expected: list[str]) -> None:
    assert told(cause, column, **{column.lower(): value}) == expected


@pytest.fixture
def catalog(app: Flask) -> None:
    """Two sets of a few cards each."""
    cards = [
        ("base-set", "Base Set", ["Alakazam", "Blastoise", "Charizard", "Pikachu"]),
        ("jungle", "Jungle", ["Clefable", "Electrode", "Pikachu", "Pikachu"]),
    ]
    items.replace(
        NewItem(
            f"urn:tcg:cards:set/{key}/card/{number:03}",
            "Cards",
            set_name,
            name,
            f"{number:03}",
            "Rare" if number == 1 else "",
            ["holo", "reverse", "de"],
            name_key("Cards", set_name, name),
            [7],
            [],
        )
        for key, set_name, names in cards
        for number, name in enumerate(names, 1)
    )
    db.session.commit()


@pytest.mark.parametrize(
    ("urn", "expected"),
    [
        ("urn:tcg:cards:set/base-set/card/3", ["base-set/card/003"]),
        ("urn:tcg:cards:set/basset/card/003", ["base-set/card/003"]),
        ("URN:TCG:CARDS:SET/BASE-SET/CARD/003", ["base-set/card/003"]),
        ("urn:tgc:crads:set/jungel/card/002", ["jungle/card/002"]),
        # Another number is another card.
        ("urn:tcg:cards:set/base-set/card/009", []),
        ("something else", []),
        ("urn:tcg:cards:set/base-set/", []),
        (":", []),
    ],
)
def test_the_nearest_urn(catalog: None, urn: str, expected: list[str]) -> None:
    assert told(Cause.ITEM_NOT_FOUND, "URN", urn=urn) == [f"urn:tcg:cards:set/{one}" for one in expected]


@pytest.mark.parametrize(
    ("game", "set_name", "name", "expected"),
    [
        ("cards", "base set", "Alakasam", [("NAME", "Alakazam")]),
        ("Cards", "Bsae Set", "blastoise", [("SET", "Base Set")]),
        ("Card", "Base Sets", "Charzard", [("GAME", "Cards"), ("SET", "Base Set"), ("NAME", "Charizard")]),
        ("Cards", "Jungle", "Pikachuu", [("NAME", "Pikachu")]),
        ("Cards", "Jungle", "Snorlax", []),
        ("Chess", "Jungle", "Pikachu", []),
    ],
)
def test_the_nearest_name_says_what_is_to_be_changed(
    catalog: None, game: str, set_name: str, name: str, expected: list[tuple[str, str]]
) -> None:
    case = Case(Kind(Cause.ITEM_NOT_FOUND, "NAME"), row(urn="", game=game, set=set_name, name=name))
    (found,) = suggest.suggest([case])
    assert [(choice.column, choice.text) for choice in (found.choices if found else ())] == expected


def test_an_ambiguous_name_has_its_items_with_what_tells_them_apart(catalog: None) -> None:
    by_name = row(urn="", game="cards", set="jungle", name="pikachu")
    by_id = row(urn="", cardmarket_id="7")
    name, number = suggest.suggest(
        [
            Case(Kind(Cause.ITEM_AMBIGUOUS, "NAME"), by_name),
            Case(Kind(Cause.ITEM_AMBIGUOUS, "CARDMARKET_ID"), by_id),
        ]
    )
    assert name == Suggestion(
        "Write one of these in URN",
        (
            Choice("urn:tcg:cards:set/jungle/card/003", "URN", "Pikachu, Jungle, number 003"),
            Choice("urn:tcg:cards:set/jungle/card/004", "URN", "Pikachu, Jungle, number 004"),
        ),
    )
    assert number is not None
    assert len(number.choices) == 5
    assert number.choices[0].note == "Alakazam, Base Set, number 001, Rare"


def test_an_item_has_its_own_variants_the_nearest_first(catalog: None) -> None:
    urn = "urn:tcg:cards:set/jungle/card/001"
    assert told(Cause.VARIANT_NOT_FOUND, "VARIANTS", urn=urn, variants="revers") == ["reverse", "de", "holo"]
    assert told(Cause.VARIANT_NOT_FOUND, "VARIANTS", urn=urn, variants="holo|hol") == ["holo", "de", "reverse"]
    assert told(Cause.VARIANT_NOT_FOUND, "VARIANTS", urn="urn:gone", variants="revers") == []


def test_a_page_full_of_mistakes_takes_few_looks_into_the_catalog(
    catalog: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    list_steps = items.list_steps

    def count(*args: object, **options: object) -> list[str]:
        nonlocal looks
        looks += 1
        return list_steps(*args, **options)

    monkeypatch.setattr(items, "list_steps", count)
    kind = Kind(Cause.ITEM_NOT_FOUND, "URN")
    cases = [Case(kind, row(urn=f"urn:tcg:cards:set/base-sett{n}/card/001")) for n in range(500)]
    found = suggest.suggest(cases)
    assert found[0] is not None
    assert found[-1] is None
    assert looks < 30


def test_rows_without_columns_have_no_suggestions(catalog: None) -> None:
    assert suggest.suggest([Case(Kind(Cause.QUOTING, "URN"), {}), Case(Kind(Cause.ITEM_NOT_FOUND, "URN"), {})]) == [
        None,
        None,
    ]


def test_a_catalog_that_cannot_be_asked_costs_the_suggestions_and_nothing_else(
    seller: Seller, run_jobs: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_items()
    one = start(seller, [row(urn="urn:test:x")])
    run_jobs()

    def fail(*_: object, **__: object) -> list[str]:
        with pytest.raises(psycopg.errors.DivisionByZero):
            items.driver_cursor().execute("select 1 / 0")
        raise psycopg.errors.QueryCanceled

    monkeypatch.setattr(items, "list_steps", fail)
    key = ImportKey(seller.id, one.id)
    (shown,) = failures.list_rows(key, limit=5)
    assert (shown.line, shown.problems[0].suggestion) == (2, None)
    # The page's transaction goes on.
    assert db.session.execute(text("select count(*) from row_errors")).scalar() == 1
