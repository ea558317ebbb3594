"""The cells of foreign files: money, card numbers, conditions, finishes, and mappings as JSON."""

from __future__ import annotations

import numpy as np
import pytest

from app.imports.foreign import block_converter, words
from app.imports.foreign.convert import Converted
from app.imports.foreign.findings import Findings
from app.imports.foreign.mapping import (
    Field,
    FillDown,
    FilterTest,
    How,
    Kind,
    Mapping,
    MappingInvalid,
    Money,
    RowFilter,
    Source,
    columns_hash,
)
from app.imports.foreign.money import Pricing
from app.imports.foreign.numbers import names_agree, number_keys, split_name
from app.imports.foreign.reasons import Reason, ask
from app.imports.foreign.recognised import formats, recognise
from app.imports.foreign.traits import Traits, special
from app.queries.items_by_set import NamedItem

EURO = Money("EUR", rates={"EUR": "0.86", "USD": "0.79"})


def price(text: str, money: Money, *, currency: str = "", copies: int = 1) -> int | str:
    found = Pricing(Mapping(money=money)).price([text], currency, copies=copies)
    return found.slug if isinstance(found, Reason) else found


@pytest.mark.parametrize(
    ("text", "pence"),
    [
        ("1.149,95", 114995),
        ("1,149.95", 114995),
        ("1'149.95", 114995),
        ("1 149,95", 114995),
        ("0,1", 10),
        ("990", 99000),
        ("4.1", 410),
        ("£0,50", 50),
        ("92.5000", 9250),
        ("0.125", 13),
        ("0,250", 25),
        ("1,50 £", 150),
        ("12,-", 1200),
        ("234.567,8", 23456780),
    ],
)
def test_prices_are_exact_in_all_spellings(text: str, pence: int) -> None:
    assert price(text, Money("GBP")) == pence


@pytest.mark.parametrize(("decimal", "came"), [("", "price-decimal"), (",", 114900), (".", 115)])
def test_a_price_that_can_be_read_in_two_ways_takes_the_sign_of_the_column(decimal: str, came: int | str) -> None:
    assert price("1.149", Money("GBP", decimal)) == came


@pytest.mark.parametrize(
    ("text", "money", "came"),
    [
        ("8990", Money("EUR", minor=True, rates={"EUR": "1"}), 8990),
        ("175.00", Money("GBP", minor=True), 175),
        ("€ 1,75", Money("EUR", minor=True, rates={"EUR": "1"}), "price-fraction"),
        ("1.00", EURO, 86),
        # The sign in a cell counts before the currency of the column.
        ("$1,099.00", EURO, 86821),
        ("1.00", Money("SEK"), "rate-missing"),
        ("1.00", Money(), "currency-unknown"),
        ("", EURO, "price-missing"),
        ("$0.00", EURO, "price-missing"),
        ("0.004", EURO, "price-too-low"),
        ("9" * 40, EURO, "price-too-high"),
        ("variable", EURO, "price-unreadable"),
        ("-1.00", EURO, "price-unreadable"),
        ("1.2.3", EURO, "price-unreadable"),
    ],
)
def test_money(text: str, money: Money, came: int | str) -> None:
    assert price(text, money) == came


def test_the_price_of_a_playset_is_that_of_four_cards() -> None:
    assert price("1.00", Money("GBP"), copies=4) == 25


@pytest.mark.parametrize(
    ("text", "quantity"),
    [("2", 2), ("x2", 2), ("2x", 2), ("1,000 × ", 1000), ("2x played", 2), ("3xok", 3)]
    + [(text, None) for text in ("2x 10", "12 x 36", "3 x 4 packs", "2x10")],
)
def test_a_quantity_is_one_number(text: str, quantity: int | None) -> None:
    assert block_converter._read_quantity(text) == quantity


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("223/197", {"223"}),
        ("004/102", {"4"}),
        ("026", {"26"}),
        ("26.0", {"26"}),
        ("TG05/TG30", {"tg5"}),
        ("SWSH099", {"swsh99"}),
        ("#12a", {"12a"}),
        # Dates that spreadsheets have made of 10/64.
        ("Okt 64", {"10"}),
        ("Oct-64", {"10"}),
        ("1964-10-01", {"10", "1"}),
        ("", set()),
    ],
)
def test_card_numbers_in_all_spellings(text: str, keys: set[str]) -> None:
    assert set(number_keys(text)) == keys


def test_numbers_in_names_and_names_that_agree() -> None:
    assert split_name("Charizard ex - 223/197") == ("Charizard ex", "223")
    assert split_name("Crobat VMAX - SWSH099 - SWSH Black Star Promos") == ("Crobat VMAX", "SWSH099")
    assert split_name("Lugia") == ("Lugia", "")
    assert names_agree("Ns Zoroark ex", "N's Zoroark ex")
    assert names_agree("Umbreon VMAX (Alternate Art Secret)", "Umbreon VMAX")
    assert names_agree("Pokemon Breeder", "Pokémon Breeder")
    assert not names_agree("Charizard", "Dark Charizard")


def test_a_word_is_a_condition_only_by_its_scale() -> None:
    grades = {key: one.grades["lp"].name for key, one in words.scales().items() if "lp" in one.grades}
    assert grades == {"cardmarket": "LIGHT_PLAYED", "tcgplayer": "EXCELLENT", "moxfield": "EXCELLENT"}
    assert words.scale("").grades["nearmint"].name == "NEAR_MINT"
    assert "lp" not in words.scale("").grades
    assert "nearmintt" not in words.scale("tcgplayer").grades
    assert words.guess_scale(["NM", "EX", "lp"]) == "cardmarket"
    assert words.guess_scale(["NM", "LP"]) == ""
    # What the scale does not have may still be what other tools mean alike.
    assert [words.alike(Kind.CONDITION, one, "moxfield") for one in ("Moderately Played", "Moderatly Playd")] == [
        ["GD"]
    ] * 2


def test_one_cell_tells_condition_edition_finish_and_language() -> None:
    parsed = words.parse_printing("Near Mint 1st Edition Holofoil - Japanese", "tcgplayer")
    assert [one.name for one in parsed.conditions] == ["NEAR_MINT"]
    assert (parsed.finishes, parsed.languages, parsed.unknown) == ({"first-edition", "holo"}, ("ja",), "")


def item(*variants: str, name: str = "Lugia", game: str = "Pokemon") -> NamedItem:
    return NamedItem(1, "urn:1", game, "Neo Genesis", name, "9", "Rare", frozenset(variants))


@pytest.mark.parametrize(
    ("variants", "finishes", "language", "came"),
    [
        ("normal reverse de", "", "de", "de|normal"),
        ("normal reverse", "foil", "en", "reverse"),
        ("normal holo reverse", "foil", "", "reverse"),
        ("normal holo reverse", "holo", "", "holo"),
        ("holo", "normal", "", "holo"),
        ("holo 1st-edition", "first-edition holo", "", "1st-edition|holo"),
        ("holo first-edition", "first-edition", "", "first-edition|holo"),
        ("holo", "unlimited", "", "holo"),
        ("holo unlimited signed", "unlimited signed", "", "holo|signed|unlimited"),
        ("", "normal", "", ""),
        ("normal", "reverse", "", "finish-not-there"),
        ("normal", "foil", "", "finish-not-there"),
        ("holo", "first-edition", "", "finish-not-there"),
        ("holo", "", "ja", "language-not-there"),
    ],
)
def test_the_finish_is_always_one_of_the_items_own(variants: str, finishes: str, language: str, came: str) -> None:
    traits = Traits(finishes=frozenset(finishes.split()), language=language)
    found = special(item(*variants.split()), frozenset(), traits)
    assert (found.open.slug if found.open else found.variants) == came


def test_an_items_own_language_is_no_variant() -> None:
    asian = item("normal", name="ピカチュウ", game="Pokemon (Asia)")
    assert special(asian, frozenset(), Traits(language="ja")).variants == "normal"


def test_a_mapping_survives_its_json() -> None:
    mapping = Mapping(
        columns=("Grade", "Price (€)"),
        sources={Field.CONDITION: Source(("Grade",), how=How.GRAMMAR), Field.QUANTITY: Source(constant="1")},
        scale="tcgplayer",
        money=Money("EUR", ",", rates={"EUR": "0.86"}),
        filters=(RowFilter(("Graded",), FilterTest.IS_TRUE, "graded"),),
        fill_down=FillDown(("Title",), "Handle"),
    ).answer(Kind.SET, "Obs. Flames", "Obsidian Flames")
    assert Mapping.from_text(mapping.to_text()) == mapping


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"version": 2}',
        '{"version": 1, "colour": "red"}',
        '{"version": 1, "columns": "A"}',
        '{"version": 1, "sources": {"colour": {}}}',
        '{"version": 1, "sources": {"name": {"how": "magic"}}}',
        '{"version": 1, "filters": [{"columns": ["A"]}]}',
        '{"version": 1, "money": {"minor": "yes"}}',
        '{"version": 1, "money": {"rates": {"USD": "-1"}}}',
        "[" * 100_000,
    ],
)
def test_what_is_no_mapping_is_said_to_be_none(text: str) -> None:
    with pytest.raises(MappingInvalid):
        Mapping.from_text(text)


def test_columns_are_a_set_whatever_their_order_and_dates() -> None:
    assert columns_hash(["Name", "Market Price (As of 2026-10-08)"]) == columns_hash(
        ["market price (as of 2026-11-01)", "NAME"]
    )


def test_each_format_is_recognised_by_its_columns_in_any_order() -> None:
    for one in formats():
        columns = [name.removesuffix("*") for name in reversed(one.signature)]
        assert recognise(columns) == one
        used = {name for source in one.mapping.sources.values() for name in source.columns}
        assert used, one.key
    assert recognise(["Card", "Number"]) is None


def test_of_ever_new_questions_those_of_most_rows_are_kept() -> None:
    found = Findings()
    none = np.empty(0, np.int32)
    for block in range(30):
        asked = [(ask("set-unknown", "set", f"Set {block}x{n}"), 1) for n in range(1_000)]
        often = (ask("set-unknown", "set", "Often"), 5)
        found.add(Converted(*[none] * 5, [], [*asked, often], [], b"", 2, *[none] * 3, 0))
    kept = found.to_json()
    assert (kept["asked"][0].word, kept["asked"][0].rows, kept["kinds"]) == ("Often", 150, 30_001)
    assert len(kept["asked"]) == 2_000
    assert len(found._questions) <= 21_000
