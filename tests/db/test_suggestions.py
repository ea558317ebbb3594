"""Suggestions: what sellers probably meant, from the value alone and from the catalog."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text

from app.csvfile.causes import Cause
from app.csvfile.contract import name_key
from app.extensions import db
from app.imports.reports import row_errors, suggestions
from app.imports.reports.suggestions import Choice, RowProblem, Suggestion
from app.models import Seller
from app.queries import items
from app.queries.imports.error_groups import ErrorKind
from app.queries.items import NewItem
from tests.factories import look, make_items, row, start


def told(cause: Cause, column: str, **values: str) -> list[str]:
    """What is suggested for a row with ``values``."""
    (found,) = suggestions.suggest([RowProblem(ErrorKind(cause, column), row(**values))])
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
        (Cause.PRICE_NOT_WHOLE, "PRICE", "１００", ["100"]),
        (Cause.PRICE_NOT_WHOLE, "PRICE", "199 p", ["199"]),
        (Cause.PRICE_NOT_WHOLE, "PRICE", "0p", []),
        (Cause.PRICE_NOT_WHOLE, "PRICE", "-5", []),
        (Cause.QUANTITY_NOT_WHOLE, "QUANTITY", "２", ["2"]),
        (Cause.ID_NOT_DIGITS, "CARDMARKET_ID", "１２３", ["123"]),
        (Cause.PRICE_MISSING, "PRICE", "", []),
        (Cause.PRICE_UNCLEAR, "PRICE", "199.0", ["199", "19900"]),
        # As it was recorded before there was another cause for it.
        (Cause.PRICE_IN_POUNDS, "PRICE", "199.00", ["199", "19900"]),
        (Cause.NUMBER_FORMATTED, "QUANTITY", "3.0", ["3"]),
        (Cause.NUMBER_FORMATTED, "CARDMARKET_ID", "1,234,567", ["1234567"]),
        (Cause.NUMBER_SHORTENED, "PRICE", "1.23E+17", []),
        (Cause.NUMBER_AS_DATE, "PRICE", "1-Feb", []),
        (Cause.HIDDEN_UNKNOWN, "HIDDEN", "WAHR", ["true"]),
        (Cause.INVISIBLE_CHARACTER, "CONDITION", "N\u200bM", ["NM"]),
        (Cause.MODE_UNKNOWN, "MODE", "CRE\u200bATED", ["CREATE"]),
    ],
)
def test_what_the_value_alone_says(app: Flask, cause: Cause, column: str, value: str, expected: list[str]) -> None:
    assert told(cause, column, **{column.lower(): value}) == expected


def sentence(cause: Cause, column: str, **values: str) -> str:
    """What is suggested for a row with ``values``, where there is nothing to choose."""
    (found,) = suggestions.suggest([RowProblem(ErrorKind(cause, column), row(**values))])
    assert not (found and found.choices)
    return found.lead if found else ""


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "Leave it empty – the item is already identified by URN."),
        ({"urn": "", "tcgplayer_id": "12"}, "Leave it empty – the item is already identified by TCGPLAYER_ID."),
        (
            {"urn": "", "game": "G", "set": "S", "name": "N"},
            "Leave it empty – the item is already identified by GAME, SET and NAME.",
        ),
        ({"urn": "", "game": "G", "set": "S", "tcgplayer_id": "y"}, ""),
    ],
)
def test_an_id_that_is_none_may_be_left_out_where_something_else_names_the_item(
    app: Flask, values: dict[str, str], expected: str
) -> None:
    assert sentence(Cause.ID_NOT_DIGITS, "CARDMARKET_ID", cardmarket_id="x", **values) == expected
    assert sentence(Cause.NUMBER_SHORTENED, "CARDMARKET_ID", cardmarket_id="9.2E+05", **values) == expected


def test_of_a_listing_that_is_not_there_nothing_is_left_to_end(app: Flask) -> None:
    assert sentence(Cause.LISTING_NOT_FOUND, "", mode="UPDATE", quantity="0").endswith("leave the row out.")
    assert sentence(Cause.LISTING_NOT_FOUND, "", mode="UPDATE", quantity="1") == ""


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
            [1000 * len(names) + number] if key == "jungle" else [],
        )
        for key, set_name, names in cards
        for number, name in enumerate(names, 1)
    )
    db.session.commit()


def test_what_cannot_be_seen_was_not_meant(catalog: None) -> None:
    urn = "urn:tcg:cards:set/base-set/card/003"
    assert told(Cause.ITEM_NOT_FOUND, "URN", urn=urn.replace("card", "c\u200bard")) == [urn]
    values = {"urn": "", "game": "Cards", "set": "Base Set", "name": "Chari\u00adzard\u200b"}
    assert told(Cause.ITEM_NOT_FOUND, "NAME", **values) == ["Charizard"]


@pytest.mark.parametrize(
    ("urn", "expected"),
    [
        ("urn:tcg:cards:set/base-set/card/3", ["base-set/card/003"]),
        ("urn:tcg:cards:set/basset/card/003", ["base-set/card/003"]),
        ("URN:TCG:CARDS:SET/BASE-SET/CARD/003", ["base-set/card/003"]),
        ("urn:tgc:crads:set/jungel/card/002", ["jungle/card/002"]),
        # Another number is another card.
        ("urn:tcg:cards:set/base-set/card/009", []),
        # A separator is missing.
        ("urn:tcg:cards:setbase-set/card/003", ["base-set/card/003"]),
        ("urn:tcg:cardsset/base-set/card/003", ["base-set/card/003"]),
        ("urn:tcg:cards:set/junglecard/002", ["jungle/card/002"]),
        ("urn:tcg:cards:set/jungle/card2", ["jungle/card/002"]),
        ("urntcg:cards:set/jungle/card/002", ["jungle/card/002"]),
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
        # The name is right, and the set is another one.
        ("Cards", "jungle", "charizard", [("SET", "Base Set")]),
        ("Cards", "Base Set", "Electrode", [("SET", "Jungle")]),
        ("Chess", "Jungle", "Pikachu", []),
    ],
)
def test_the_nearest_name_says_what_is_to_be_changed(
    catalog: None, game: str, set_name: str, name: str, expected: list[tuple[str, str]]
) -> None:
    case = RowProblem(ErrorKind(Cause.ITEM_NOT_FOUND, "NAME"), row(urn="", game=game, set=set_name, name=name))
    (found,) = suggestions.suggest([case])
    assert [(choice.column, choice.text) for choice in (found.choices if found else ())] == expected


def not_found(column: str, **values: str) -> Suggestion | None:
    (found,) = suggestions.suggest([RowProblem(ErrorKind(Cause.ITEM_NOT_FOUND, column), row(**values))])
    return found


def test_what_is_not_found_may_be_named_by_other_columns(catalog: None) -> None:
    note = "Electrode, Jungle, number 002; variants: de, holo, reverse"
    electrode = Choice("urn:tcg:cards:set/jungle/card/002", "URN", note)
    by_name = {"game": "Cards", "set": "Jungle", "name": "Electrode"}
    by_id = {"tcgplayer_id": "4002"}
    for urn, cardmarket_id, column in (("", "99", "CARDMARKET_ID"), ("urn:gone", "", "URN"), ("urn:gone", "99", "URN")):
        wrong = {"urn": urn, "cardmarket_id": cardmarket_id}
        assert not_found(column, **wrong, **by_name) == Suggestion(
            "Going by GAME, SET and NAME, it is this item. Enter in URN", (electrode,)
        )
        assert not_found(column, **wrong, **by_id, game="Cards") == Suggestion(
            "Going by TCGPLAYER_ID, it is this item. Enter in URN", (electrode,)
        )
    assert not_found("CARDMARKET_ID", urn="", cardmarket_id="99", tcgplayer_id="98") is None


def test_an_id_may_be_one_of_the_other_site(catalog: None) -> None:
    found = not_found("CARDMARKET_ID", urn="", cardmarket_id="4002")
    assert found is not None
    assert found.lead == "If the number is a TCGPLAYER_ID, enter in URN"
    assert [choice.text for choice in found.choices] == ["urn:tcg:cards:set/jungle/card/002"]
    found = not_found("TCGPLAYER_ID", urn="", tcgplayer_id="7")
    assert found is not None
    assert found.lead == "If the number is a CARDMARKET_ID, enter in URN"


def test_a_set_that_is_missing_is_one_that_has_the_name(catalog: None) -> None:
    values = {"urn": "", "game": "Cards", "name": "Pikachu"}
    assert told(Cause.NAME_INCOMPLETE, "SET", **values) == ["Base Set", "Jungle"]
    assert told(Cause.NAME_INCOMPLETE, "SET", urn="", game="Cards") == []
    assert told(Cause.NAME_INCOMPLETE, "NAME", urn="", game="Cards", set="Jungle") == []


def test_a_name_that_is_in_many_sets_is_said_to_be(catalog: None) -> None:
    sets = [f"Set {number}" for number in range(1, 7)]
    items.replace(
        NewItem(f"urn:{one}", "Cards", one, "Energy", "", "", [], name_key("Cards", one, "Energy"), [], [])
        for one in sets
    )
    leads = []
    for number_of_sets in (6, 5):
        found = not_found("NAME", urn="", game="Cards", set="Jungle", name="Energy")
        assert found is not None
        assert len(found.choices) == 5
        leads.append(found.lead)
        db.session.execute(text("delete from items where urn = :urn"), {"urn": f"urn:{sets[number_of_sets - 1]}"})
    assert leads == ["The name is in 6 sets, such as these. Enter in SET", "The name is in these sets. Enter in SET"]


def test_an_ambiguous_name_has_the_items_first_that_have_the_variants(catalog: None) -> None:
    db.session.execute(text("update items set variants = '{holo}' where urn like '%jungle/card/003'"))
    case = RowProblem(ErrorKind(Cause.ITEM_AMBIGUOUS, "NAME"), row(urn="", game="cards", set="jungle", name="pikachu"))
    wanted = RowProblem(case.kind, {**case.values, "VARIANTS": "Holo | reverse"})
    by_urn, by_variants = suggestions.suggest([case, wanted])
    assert by_urn is not None
    assert by_variants is not None
    assert [choice.text[-3:] for choice in by_urn.choices] == ["003", "004"]
    assert [choice.text[-3:] for choice in by_variants.choices] == ["004", "003"]
    assert by_variants.choices[1].note == "Pikachu, Jungle, number 003; variants: holo"


def test_an_ambiguous_name_has_its_items_with_what_tells_them_apart(catalog: None) -> None:
    by_name = row(urn="", game="cards", set="jungle", name="pikachu")
    by_id = row(urn="", cardmarket_id="7")
    name, number = suggestions.suggest(
        [
            RowProblem(ErrorKind(Cause.ITEM_AMBIGUOUS, "NAME"), by_name),
            RowProblem(ErrorKind(Cause.ITEM_AMBIGUOUS, "CARDMARKET_ID"), by_id),
        ]
    )
    assert name == Suggestion(
        "Enter one of these in URN",
        tuple(
            Choice(
                f"urn:tcg:cards:set/jungle/card/{number}",
                "URN",
                f"Pikachu, Jungle, number {number}; variants: de, holo, reverse",
            )
            for number in ("003", "004")
        ),
    )
    assert name.say("NAME").startswith("Enter one of these in URN urn:tcg:cards:set/jungle/card/003 (Pikachu, Jungle,")
    assert number is not None
    assert len(number.choices) == 5
    assert number.choices[0].note == "Alakazam, Base Set, number 001, Rare; variants: de, holo, reverse"


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
    kind = ErrorKind(Cause.ITEM_NOT_FOUND, "URN")
    cases = [RowProblem(kind, row(urn=f"urn:tcg:cards:set/base-sett{n}/card/001")) for n in range(500)]
    found = suggestions.suggest(cases)
    assert found[0] is not None
    assert found[-1] is None
    assert looks < 30


def test_rows_without_columns_have_no_suggestions(catalog: None) -> None:
    assert suggestions.suggest(
        [RowProblem(ErrorKind(Cause.QUOTING, "URN"), {}), RowProblem(ErrorKind(Cause.ITEM_NOT_FOUND, "URN"), {})]
    ) == [
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
    (shown,) = row_errors.list_rows(look(one), limit=5).rows
    assert (shown.line, shown.problems[0].suggestion) == (2, None)
    # The page's transaction continues.
    assert db.session.execute(text("select count(*) from row_errors")).scalar() == 1
