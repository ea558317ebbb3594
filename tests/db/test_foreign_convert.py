"""Foreign files over a small catalog: each recognised format, files of no format, and what becomes of rows."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from app.csvfile.contract import name_key
from app.extensions import db
from app.imports import conversions, match_flow
from app.imports.foreign import block_converter, delimited, memo
from app.imports.foreign import items as items_of_rows
from app.imports.foreign.block_converter import BlockConverter
from app.imports.foreign.bound import Bound
from app.imports.foreign.choices import choose, fields_of, missing_of
from app.imports.foreign.convert import HEADER_LINE, convert
from app.imports.foreign.mapping import LEAVE_OUT, Field, How, Kind, Mapping, Money, Source
from app.imports.foreign.matching import By, Matcher, Matching
from app.imports.foreign.preview import prices_of, words_of
from app.imports.foreign.reading import detect
from app.imports.foreign.reasons import Outcome, Question
from app.imports.foreign.recognised import formats
from app.imports.foreign.sample import Sample
from app.imports.foreign.sets import Sets
from app.imports.match_flow import Step
from app.models import Seller
from app.queries import items
from tests.factories import csv_bytes, row, start

RATES = {"USD": "1", "EUR": "1"}
GAME = "Pokemon"
CHARMANDER, LUGIA, IONO = "urn:c:026", "urn:l:9", "urn:i:185"
OTHER_IONO = "urn:i:254"
MARIGOLD, RAT = "urn:h:1", "urn:h:2"


@pytest.fixture
def cards(app: Flask) -> None:
    """A catalog of eight cards, two of which have one name and one Cardmarket id."""
    of_all = [
        (CHARMANDER, "Obsidian Flames", "Charmander", "026", "normal reverse de", [725106], [509703]),
        ("urn:c:tg5", "Obsidian Flames", "Hoopa", "TG05", "holo", [], []),
        (LUGIA, "Neo Genesis", "Lugia", "9", "holo 1st-edition signed", [274409], [86903]),
        (IONO, "Paldea Evolved", "Iono", "185", "normal reverse fr", [7], []),
        (OTHER_IONO, "Paldea Evolved", "Iono", "254", "holo fr", [7], [509980]),
        (MARIGOLD, "Harbour Rats", "The Marigold", "HR-01", "normal reverse foil", [], []),
        (RAT, "Harbour Rats", "Rat", "HR-02", "foil", [], []),
        ("urn:h:deck", "Harbour Rats", "The Fleet", "HR-D1", "", [], []),
    ]
    items.replace(
        items.NewItem(urn, GAME, of_set, name, number, "", variants.split(), name_key(GAME, of_set, name), cm, tcg)
        for urn, of_set, name, number, variants, cm, tcg in of_all
    )
    db.session.commit()


class Came:
    """What a file came to."""

    def __init__(self, text: str | bytes, seller: Seller, mapping: Mapping | None = None) -> None:
        file = io.BytesIO(text if isinstance(text, bytes) else text.encode())
        reading = detect(file, overrides={})
        self.matching: Matching = Matcher(file, reading).match()
        mapping = mapping or self.matching.mapping
        blocks = [*convert(file, reading, mapping.with_rates(RATES), seller.id)]
        data = HEADER_LINE + b"".join(block.data for block in blocks)
        self.lines = [*csv.DictReader(io.StringIO(data.decode()))]
        self.outcomes = [Outcome(one).word for block in blocks for one in block.outcomes]
        self.sentences = [block.reasons[at].sentence if at >= 0 else "" for block in blocks for at in block.reason_at]
        self.reasons = [block.reasons[at].slug if at >= 0 else "" for block in blocks for at in block.reason_at]
        self.sold_out = sum(block.sold_out for block in blocks)
        self.added = [int(line) for block in blocks for line in block.added_lines]
        self.remarks = {why.sentence: count for block in blocks for why, count, _ in block.remarks}
        self.questions: Counter[Question | None] = Counter()
        for why, count in (one for block in blocks for one in block.questions):
            self.questions[why.question] += count

    def listings(self, *names: str) -> list[tuple[str, ...]]:
        """The listings as their columns, by default those that every format tells."""
        names = names or ("URN", "CONDITION", "PRICE", "QUANTITY", "VARIANTS")
        return [tuple(line[name] for name in names) for line in self.lines]


#: For each format a file of one row, and the listing it makes: Charmander, EX unless another is told.
FILES = {
    "tcgplayer-pricing": (
        "TCGplayer Id,Product Line,Set Name,Product Name,Title,Number,Rarity,Condition,TCG Market Price,Total Quantity,"
        'Add to Quantity,TCG Marketplace Price\n"509980","Pokemon","SV03: Obsidian Flames","Charmander - 026/197","",'
        '"026/197","Common","Lightly Played Reverse Holofoil","0.42","2","0","0.4500"\n',
        (CHARMANDER, "EX", "45", "2", "reverse"),
    ),
    "tcgplayer-app": (
        "Quantity,Name,Simple Name,Set,Card Number,Set Code,Printing,Condition,Language,Rarity,"
        "Product ID,SKU,Price Each\n"
        "2,Charmander,Charmander,SV03: Obsidian Flames,026/197,OBF,Reverse Holofoil,Lightly Played,"
        "English,C,509703,1,$0.45\n",
        (CHARMANDER, "EX", "45", "2", "reverse"),
    ),
    "cardmarket-stock": (
        '"idArticle";"idProduct";"English Name";"Local Name";"Exp.";"Exp. Name";"Price";"Language";"Condition";"Foil?";'
        '"Signed?";"Playset?";"Altered?";"Comments";"Amount";"onSale"\n'
        '"1";"725106";"Charmander";"Glumanda";"OBF";"Obsidian Flames";"1.80";"3";"EX";"";"";"X";"";"";"2";"1"\n',
        (CHARMANDER, "EX", "45", "8", "de|normal"),
    ),
    "cardmarket-shipment": (
        "idProduct;groupCount;price;idLanguage;condition;isFoil;isReverseHolo\n725106;2;0.45;1;3;;1\n",
        (CHARMANDER, "EX", "45", "2", "reverse"),
    ),
    "powertools": (
        "cardmarketId,quantity,name,set,cn,condition,language,isReverseHolo,price,location\n"
        "725106,2,Charmander,Obsidian Flames,26,EX,German,,0.45,Box 1\n",
        (CHARMANDER, "EX", "45", "2", "de|normal"),
    ),
    "cardtrader": (
        "id,blueprint_id,name_en,expansion_name,graded,price_cents,price_currency,quantity,condition,pokemon_language,"
        "pokemon_reverse,collector_number\n1,2,Charmander,Obsidian Flames,,45,EUR,2,Slightly Played,en,true,026\n",
        (CHARMANDER, "EX", "45", "2", "reverse"),
    ),
    "manabox": (
        "Binder Type,Name,Set code,Set name,Collector number,Foil,Quantity,ManaBox ID,"
        "Purchase price,Condition,Language,"
        "Purchase price currency\nbinder,Charmander,OBF,Obsidian Flames,26,foil,2,1,0.45,excellent,en,GBP\n",
        (CHARMANDER, "EX", "45", "2", "reverse"),
    ),
    "moxfield": (
        "Count,Tradelist Count,Name,Edition,Condition,Language,Foil,Collector Number,Alter,Proxy,Purchase Price\n"
        "2,1,Charmander,obf,Good (Lightly Played),English,foil,26,False,False,£0.45\n",
        (CHARMANDER, "EX", "45", "2", "reverse"),
    ),
    "deckbox": (
        "Count,Tradelist Count,Name,Edition,Card Number,Condition,Language,Foil,Signed,My Price,TcgPlayer ID\n"
        "2,1,Charmander,Obsidian Flames,26,Good (Lightly Played),English,foil,,$0.45,509703\n",
        (CHARMANDER, "EX", "45", "2", "reverse"),
    ),
    "archidekt": (
        "Quantity,Name,Finish,Condition,Language,Purchase Price,Edition Name,Edition Code,Collector Number\n"
        "2,Charmander,Normal,LP,EN,£0.45,Obsidian Flames,obf,26\n",
        (CHARMANDER, "EX", "45", "2", "normal"),
    ),
    "dragon-shield": (
        '"sep=,"\r\nFolder Name,Quantity,Trade Quantity,Card Name,Set Code,Set Name,Card Number,'
        "Condition,Printing,Language,"
        "Price Bought,Date Bought,LOW,MID,MARKET\r\n"
        "A,1,0,Charmander,OBF,Obsidian Flames,26,Excellent,Normal,English,£0.45,2026-01-01,1,1,1\r\n"
        "A,1,0,Charmander,OBF,Obsidian Flames,26,Excellent,Normal,English,£0.45,2026-02-01,1,1,1\r\n",
        (CHARMANDER, "EX", "45", "2", "normal"),
    ),
    "sorted": (
        "List Type,List Name,Quantity,Card Name,Set Code,Set Name,Card Number,Condition,Printing,"
        "Language,Price Bought\n"
        "Collection,A,2,Charmander,OBF,Obsidian Flames,26,Excellent,Normal,English,£0.45\n",
        (CHARMANDER, "EX", "45", "2", "normal"),
    ),
    "delver-lens": (
        "Reg Qty\tFoil Qty\tName\tSet\tAcquired\tLanguage\n0\t2\tCharmander\tObsidian Flames\t€ 0,45\t\n",
        (CHARMANDER, "EX", "45", "2", "reverse"),
    ),
    "echomtg": (
        "Reg Qty,Foil Qty,Name,Set,Rarity,Acquired,Language,Date Acquired,Set Code,Collector Number,Condition,"
        "Marked as Trade,note,echo_inventory_id,tcgid,echoid\n"
        "0,2,Charmander,Obsidian Flames,Common,0.45,EN,11/02/2025,OBF,26,LP,0, ,58942001,509703,70428\n",
        (CHARMANDER, "EX", "45", "2", "reverse"),
    ),
    "collectr": (
        "Portfolio Name,Category,Set,Product Name,Card Number,Rarity,Variance,Grade,Card Condition,Average Cost Paid,"
        "Quantity,Market Price (As of 2026-10-08),Price Override,Watchlist\n"
        "Main,Pokemon,Obsidian Flames,Charmander,026/197,C,Reverse Holofoil,Ungraded,Lightly Played,9,2,0.45,0,false\n",
        (CHARMANDER, "EX", "45", "2", "reverse"),
    ),
    "tcg-collector": (
        "TCG region,Card name,Card number,Expansion,Card variant,Card language,Card condition,"
        "Quantity,Price,Total price\n"
        "International,Charmander,026/197,Obsidian Flames,Reverse Holo,English,Lightly Played,,$0.45,$0.45\n",
        (CHARMANDER, "EX", "45", "1", "reverse"),
    ),
    "card-kingdom": (
        "title,edition,foil,quantity\nCharmander,Obsidian Flames,FALSE,2\n",
        (CHARMANDER, "EX", "45", "2", "normal"),
    ),
    "mtggoldfish": (
        "Card,Set ID,Set Name,Quantity,Foil\nCharmander,OBF,Obsidian Flames,2,REGULAR\n",
        (CHARMANDER, "EX", "45", "2", "normal"),
    ),
    "helvault": (
        "collector_number,extras,language,name,quantity,set_code,set_name\n026,foil,en,Charmander,"
        "2,obf,Obsidian Flames\n",
        (CHARMANDER, "EX", "45", "2", "reverse"),
    ),
    "ebay-active": (
        "Item number,Title,Custom label (SKU),Available quantity,Format,Currency,Start price,Current price,Condition,"
        "CD:Card Condition - (ID: 40001)\n"
        "1,Pokemon Charmander 026/197 Obsidian Flames Reverse Holo,A,2,FIXED_PRICE,GBP,0.45,0.45,Ungraded,"
        "Lightly played (Excellent)\n",
        (CHARMANDER, "EX", "45", "2", "reverse"),
    ),
    "ebay-bulk": (
        "Info,Version=1.0.0,Template=x\n"
        "*Action(SiteID=UK|Country=GB|Currency=GBP|Version=1193|CC=UTF-8),CustomLabel,*Title,"
        "*ConditionID,*C:Card Name,*C:Set,"
        "*C:Card Number,*C:Finish,C:Language,CD:Card Condition - (ID: 40001),*Format,*StartPrice,*Quantity\n"
        "Add,A,Charmander,4000,Charmander,Obsidian Flames,26,Reverse Holo,English,400015,FixedPrice,0.45,2\n",
        (CHARMANDER, "EX", "45", "2", "reverse"),
    ),
    "shopify": (
        "Title,URL handle,Status,SKU,Option1 name,Option1 value,Price,Inventory quantity\n"
        "Charmander - 026/197 - SV03: Obsidian Flames,charmander,Active,A,Condition,Near Mint,9.99,0\n"
        ",charmander,,B,,Lightly Played Reverse Holofoil,0.45,2\n",
        (CHARMANDER, "EX", "45", "2", "reverse"),
    ),
    "shopify-classic": (
        "Handle,Title,Body (HTML),Option1 Value,Variant SKU,Variant Inventory Qty,Variant Price\n"
        'charmander,Charmander (26) - Obsidian Flames,"one\ntwo",Lightly Played,A,2,0.45\ncharmander,,,,,,\n',
        (CHARMANDER, "EX", "45", "2", "normal"),
    ),
    "woocommerce": (
        "ID,Type,SKU,Name,Published,Stock,Sale price,Regular price,Categories,Parent,"
        "Attribute 1 name,Attribute 1 value(s)\n"
        '1,variable,P,Charmander 026/197,1,,,,Pokemon > Obsidian Flames,,Condition,"Near Mint, Lightly Played"\n'
        "2,variation,,Charmander 026/197 - Lightly Played,1,2,,0.45,,id:1,Condition,Lightly Played\n",
        (CHARMANDER, "EX", "45", "2", "normal"),
    ),
    "square": (
        "Token,Item Name,Variation Name,SKU,Category,Price,Current Quantity Old Town Cards\n"
        "A,Charmander 026/197,Lightly Played,S,Obsidian Flames,0.45,2\nB,Mixed,Regular,T,,variable,1\n",
        (CHARMANDER, "EX", "45", "2", "normal"),
    ),
    "binderpos": (
        "Game Type,Binder ID,Variant Title,Card Name,Set Name,In stock,Add Stock,Sell Price\n"
        "pokemon,1,Lightly Played Reverse Holofoil,Charmander - 026/197,SV03: Obsidian Flames,2,9,0.45\n",
        (CHARMANDER, "EX", "45", "2", "reverse"),
    ),
    "crystal-commerce": (
        "Product Name,Add Qty,Condition,Category,OLDPRICE,OLDSKU,Language\n"
        "Charmander,2,Lightly Played,Pokemon Singles > Obsidian Flames,$0.45,A,English\n",
        (CHARMANDER, "EX", "45", "2", "normal"),
    ),
}


@pytest.mark.parametrize("key", [one.key for one in formats()])
def test_each_format(cards: None, seller: Seller, key: str) -> None:
    text, listing = FILES[key]
    matching = Came(text, seller).matching
    assert matching.format
    assert matching.format.key == key
    # Some formats tell no condition, or no price.
    answered = matching.mapping
    for to, constant in ((Field.CONDITION, "EX"), (Field.PRICE, "£0.45")):
        if to not in answered.sources:
            answered = answered.with_source(to, Source(constant=constant))
    assert Came(text, seller, answered).listings() == [listing]


def test_columns_that_a_format_does_not_name_are_matched_as_usual(cards: None, seller: Seller) -> None:
    text = (
        "collector_number,extras,language,name,quantity,set_code,set_name,Price,Blah,Title\n"
        "026,foil,en,Charmander,2,obf,Obsidian Flames,£0.45,Lightly Played,Neo Genesis 9 Lugia\n"
    )
    came = Came(text, seller)
    assert came.matching.format
    assert came.listings() == [(CHARMANDER, "EX", "45", "2", "reverse")]
    assert [one.by for one in came.matching.columns] == [*[By.FORMAT] * 7, By.NAME, By.CONTENTS, None]


def test_a_column_that_is_seldom_a_price_is_doubted_whoever_chose_it(cards: None, seller: Seller) -> None:
    mapping = Came(FILES["dragon-shield"][0], seller).matching.mapping
    assert "not what you ask" in mapping.sources[Field.PRICE].confirm
    others = [None if Field.PRICE in one else next(iter(one), None) for one in fields_of(mapping, mapping.columns)]
    for name in ("MARKET", "Price Bought"):
        chosen = [Field.PRICE if name == column else to for column, to in zip(mapping.columns, others, strict=True)]
        mapping = choose(mapping, mapping.columns, chosen, {})
        assert mapping.sources[Field.PRICE].confirm == f"In other tools “{name}” is not the price of what is for sale."


def test_two_columns_of_one_name_are_one_field(cards: None, seller: Seller) -> None:
    text = "Title,Set,Title,Condition,Price,Quantity\nCharmander,Obsidian Flames,,NM,£0.45,2\n"
    assert Came(text, seller).listings() == [(CHARMANDER, "NM", "45", "2", "normal")]


@pytest.mark.parametrize(
    ("names", "counts", "foils", "listings"),
    [
        # Nothing tells whether the foils are among the four.
        ("Count,Foil count", "4,1", None, []),
        ("Count,Foil count", "4,1", Field.FOIL_PART, [("45", "3", "normal"), ("120", "1", "reverse")]),
        ("Count,Foil count", "4,1", Field.FOIL_QUANTITY, [("45", "4", "normal"), ("120", "1", "reverse")]),
        ("Count,Foil count", "4,5", None, [("45", "4", "normal"), ("120", "5", "reverse")]),
        ("Reg Qty,Foil qty", "4,", None, [("45", "4", "normal")]),
        ("Reg Qty,Foil qty", "4,1", None, [("45", "4", "normal"), ("120", "1", "reverse")]),
        ("Reg Qty,Foil qty", ",1", None, [("120", "1", "reverse")]),
        ("Count,Foil count", "4,5", Field.FOIL_PART, []),
    ],
)
def test_foils_have_a_quantity_and_a_price_of_their_own(
    cards: None, seller: Seller, names: str, counts: str, foils: Field | None, listings: list[tuple[str, ...]]
) -> None:
    text = f"Name,Set,Condition,Price,Foil price,{names}\nCharmander,Obsidian Flames,NM,£0.45,£1.20,{counts}\n"
    came = Came(text, seller)
    if foils:
        columns = came.matching.mapping.columns
        fields = [Field.NAME, Field.SET, Field.CONDITION, Field.PRICE, Field.FOIL_PRICE, Field.QUANTITY, foils]
        came = Came(text, seller, choose(came.matching.mapping, columns, fields, {}))
    elif not listings:
        assert {*missing_of(came.matching.mapping)} - {Field.FOIL_QUANTITY} == {Field.QUANTITY}
    assert came.listings("PRICE", "QUANTITY", "VARIANTS") == listings
    assert came.outcomes == (["row"] if listings else ["open"])


def test_foils_without_a_price_are_open_and_a_price_of_foils_alone_is_not_used(cards: None, seller: Seller) -> None:
    header = "Name,Set,Condition,Price,Foil price,Reg Qty"
    came = Came(f"{header},Foil qty\nCharmander,Obsidian Flames,NM,£1,,2,1\nLugia,Neo Genesis,NM,£2,,2,0\n", seller)
    assert came.reasons == ["price-missing", ""]
    came = Came(f"{header},Foil\nCharmander,Obsidian Flames,NM,£1,£2,2,no\n", seller)
    assert came.listings("PRICE", "VARIANTS") == [("100", "normal")]
    assert came.matching.columns[4].fields == ()


OWN = "Karte,Serie,Nr.,Sprache,Zustand,Preis,Anzahl,Lagerort\n"


def test_a_file_of_no_format_is_matched_by_names(cards: None, seller: Seller) -> None:
    text = f'{OWN}Charmander,Obsidian Flames,26,DE,EX,"€ 1.049,50",2,Ordner 3\n'
    came = Came(text.replace('"', "").replace(",", ";").replace("1.049;50", "1.049,50"), seller)
    assert came.listings() == [(CHARMANDER, "EX", "104950", "2", "de|normal")]
    assert came.listings("MODE", "NOTES") == [("CREATE", "Ordner 3")]
    assert {one.by for one in came.matching.columns} == {By.NAME}
    assert missing_of(came.matching.mapping) == ()


def test_columns_are_matched_by_contents_and_by_almost_their_name(cards: None, seller: Seller) -> None:
    text = (
        "Name,Number,Comment,Price,Blah,X1,Quantitty\n"
        "Charmander,26,,£0.45,Obsidian Flames,EX,2\nLugia,9,,£1.00,Neo Genesis,GD,1\n"
    )
    came = Came(text, seller)
    assert [one.by for one in came.matching.columns] == [*[By.NAME] * 4, By.CONTENTS, By.CONTENTS, By.SPELLING]
    assert came.listings() == [(CHARMANDER, "EX", "45", "2", "normal"), (LUGIA, "GD", "100", "1", "holo")]


def test_a_column_of_names_that_the_catalog_has_is_the_name(cards: None, seller: Seller) -> None:
    rows = ["Charmander,one,A b", "Lugia,two,C d", "Iono,one,E f", "Charmandr,two,G h"]
    text = "\n".join(
        ["Which card?,Page,Who,Number,Set,Condition,Price,Quantity", *(f"{one},1,Set,NM,£1,1" for one in rows)]
    )
    matched = {one.column: one for one in Came(text, seller).matching.columns}
    assert (matched["Which card?"].fields, matched["Which card?"].by) == ((Field.NAME,), By.CONTENTS)
    assert matched["Page"].fields == matched["Who"].fields == ()


def test_copies_in_front_of_conditions_are_the_quantity_where_no_column_is(cards: None, seller: Seller) -> None:
    rows = [f"Charmander,Obsidian Flames,26,£1,{n}xNearMint" for n in (1, 4)]
    rows += [f"Lugia,Neo Genesis,9,£1,{n} x Mintish" for n in (2, 3)]
    text = "\n".join(["Name,Set,Number,Price,Condition,Qty", *(f"{one},7" for one in rows), ""])
    without = text.replace(",Qty", "").replace(",7\n", "\n")
    came = Came(without, seller)
    assert came.listings("CONDITION", "QUANTITY") == [("NM", "5")]
    assert came.questions == {Question("condition", "Mintish"): 2}
    answered = came.matching.mapping.answer(Kind.CONDITION, "Mintish", "GD")
    assert Came(without, seller, answered).listings("CONDITION", "QUANTITY") == [("NM", "5"), ("GD", "5")]
    assert Came(text, seller).listings("CONDITION", "QUANTITY") == [("NM", "14")]


def test_a_sku_is_never_a_product_id(cards: None, seller: Seller) -> None:
    # 509980 is the product id of another card.
    text = "TCGplayer Id,Name,Set,Number,Condition,Price,Quantity\n509980,Charmander,Obsidian Flames,26,NM,£1,1\n"
    came = Came(text, seller)
    assert came.matching.columns[0].fields == ()
    assert "0% of its ids" in came.matching.columns[0].why
    assert came.listings("URN") == [(CHARMANDER,)]


@pytest.mark.parametrize(
    ("cells", "slug"),
    [
        # Two keys that disagree are never resolved silently.
        ("725106,Obsidian Flames,Lugia,26", "item-disagrees"),
        ("725106,Obsidian Flames,Charmander,27", "item-disagrees"),
        (",Obsidian Flames,Lugia,26", "item-disagrees"),
        (",Harbour Rats,Rat,1", "item-disagrees"),
        # Only where all numbers of a set begin alike, the letters may be missing.
        (",Obsidian Flames,Hoopa,5", "item-disagrees"),
        (",Obsidian Flame,Charmander,26", "set-unknown"),
        (",Paldea Evolved,Iono,", "item-ambiguous"),
        ("7,,Iono,", "item-ambiguous"),
        (",Paldea Evolved,Pikachu,", "item-unknown"),
        (",,,", "item-missing"),
        (",Obsidian Flames,Elite Trainer Box,", "sealed"),
    ],
)
def test_what_does_not_name_one_card(cards: None, seller: Seller, cells: str, slug: str) -> None:
    text = f"idProduct,Set,Name,Number,Condition,Price,Quantity\n{cells},NM,£1,1\n"
    came = Came(f"{text}725106,,Charmander,,NM,£1,1\n274409,,Lugia,,NM,£1,1\n", seller)
    assert came.reasons == [slug, "", ""]
    assert came.listings("URN") == [(CHARMANDER,), (LUGIA,)]


def test_a_number_may_lack_the_letters_with_which_all_of_its_set_begin(cards: None, seller: Seller) -> None:
    rows = ["The Marigold,Harbour Rats,1", "Rat,Harbour Rats,2/40", ",Harbour Rats,02"]
    came = Came("\n".join(["Name,Set,Number,Condition,Price,Quantity", *(f"{one},NM,£1,1" for one in rows)]), seller)
    assert came.outcomes == ["row", "row", "added"]
    assert came.listings("URN") == [(MARIGOLD,), (RAT,)]


def test_plain_foils_are_those_of_the_catalog(cards: None, seller: Seller) -> None:
    rows = [("The Marigold", "foil"), ("The Marigold", ""), ("The Marigold", "holo"), ("Rat", "yes"), ("Rat", "")]
    text = "\n".join(
        ["Name,Set,Foil,Condition,Price,Quantity", *(f"{a},Harbour Rats,{b},NM,£1,1" for a, b in rows), ""]
    )
    came = Came(text, seller)
    assert came.outcomes == ["row", "row", "row", "row", "added"]
    assert came.listings("URN", "VARIANTS") == [
        (MARIGOLD, "foil"),
        (MARIGOLD, "normal"),
        (MARIGOLD, "reverse"),
        (RAT, "foil"),
    ]
    # The last row does not say so.
    assert came.remarks == {"The catalog does not have this card as normal, so it becomes foil.": 1}


def test_one_answer_decides_all_rows_with_a_word(cards: None, seller: Seller) -> None:
    rows = ["Charmander,Obs. Flames,26,Mintish,EN", "Lugia,Neo Genesis,9,Mintish,EN", "Iono,Paldea Evolved,,NM,FR"]
    rows += [f"Charmander,Obsidian Flames,26,{condition},DE" for condition in ("NM", "EX")]
    text = "\n".join(["Name,Set,Number,Condition,Language,Price,Quantity", *(f"{one},£1,1" for one in rows), ""])
    came = Came(text, seller)
    assert came.outcomes == ["open"] * 3 + ["row"] * 2
    words = [("set", "Obs. Flames"), ("condition", "Mintish"), ("item", "Paldea Evolved · Iono")]
    assert came.questions == dict(zip([Question(*one) for one in words], [1, 2, 1], strict=True))
    answered = came.matching.mapping
    for (kind, word), answer in zip(words, ("Obsidian Flames", "GD", IONO), strict=True):
        answered = answered.answer(Kind(kind), word, answer)
    expected = [(CHARMANDER, "GD", "normal"), (LUGIA, "GD", "holo"), (IONO, "NM", "fr|normal")]
    assert Came(text, seller, answered).listings("URN", "CONDITION", "VARIANTS")[:3] == expected
    left_out = answered.answer(Kind.CONDITION, "Mintish", LEAVE_OUT)
    assert Came(text, seller, left_out).outcomes[:3] == ["left-out", "left-out", "row"]


def test_rows_for_one_listing_are_added_up_and_known_listings_are_updated(cards: None, seller: Seller) -> None:
    start(seller, csv_bytes([row(urn=LUGIA, condition="NM", variants="holo")]))
    text = (
        "Name,Set,Number,Condition,Price,Quantity\n"
        "Charmander,Obsidian Flames,26,NM,£1,2\n"
        "Lugia,Neo Genesis,9,NM,£5,1\n"
        "Charmander,Obsidian Flames,026/197,near mint,£2,3\n"
        "Charmander,Obsidian Flames,26,NM,£1,0\n"
    )
    came = Came(text, seller)
    assert came.listings() == [(CHARMANDER, "NM", "100", "5", "normal"), (LUGIA, "NM", "500", "1", "holo")]
    assert came.outcomes == ["row", "row", "added", "left-out"]
    assert came.reasons == ["", "", "added-price", "quantity-zero"]
    assert "whose price counts: £1.00, not £2.00" in came.sentences[2]
    assert came.added == [2]


def test_no_copies_sell_out_just_the_listing_that_has_some(
    cards: None, seller: Seller, run_jobs: Callable[[], None]
) -> None:
    had = [row(urn=CHARMANDER, variants="normal", price=150, quantity=12, notes="Box 1")]
    start(seller, csv_bytes([*had, row(urn=LUGIA, variants="holo")]))
    run_jobs()
    rows = ["Charmander,Obsidian Flames,26,,0", "Lugia,Neo Genesis,9,£5,0", "Iono,Paldea Evolved,185,£1,0"]
    rows += ["Charmander,Obsidian Flames,26,£2,0", "Lugia,Neo Genesis,9,£6,2"]
    text = "\n".join(["Name,Set,Number,Price,Quantity,Condition", *(f"{one},NM" for one in rows), ""])
    came = Came(text, seller)
    # The file needs no price of what is sold out, and another row has copies of the second card.
    assert came.listings("MODE", "URN", "PRICE", "QUANTITY", "NOTES") == [
        ("UPDATE", CHARMANDER, "150", "0", "Box 1"),
        ("UPDATE", LUGIA, "600", "2", ""),
    ]
    assert came.outcomes == ["row", "left-out", "left-out", "left-out", "row"]
    assert (came.reasons, came.sold_out) == (["", *["quantity-zero"] * 3, ""], 1)
    start(seller, csv_bytes([came.lines[0]]))
    run_jobs()
    assert Came(text, seller).outcomes == ["left-out"] * 4 + ["row"]


def test_a_set_of_which_just_the_code_or_the_name_fits_is_said(cards: None, seller: Seller) -> None:
    sets = ("SV03: Obsidian Flames", "SV03: Obsidan Flames", "SV3X: Obsidian Flames", "SV - Obsidian Flames")
    rows = [f"Charmander,{name},26,NM,Unlimited,£1,1" for name in sets]
    came = Came("\n".join(["Name,Set,Number,Condition,Finish,Price,Quantity", *rows, ""]), seller)
    assert came.outcomes == ["row", "added", "added", "added"]
    assert came.remarks == {
        "Its set is taken by the code: the catalog does not have the name behind it.": 1,
        "Its set is taken by the name: the code before it is not known for this set.": 1,
        "The catalog does not mark unlimited copies of this card, so its listing does not say it.": 4,
    }


def test_a_listing_that_is_left_out_asks_nothing_while_another_of_its_row_is_open(cards: None, seller: Seller) -> None:
    named = {Field.NAME: "Name", Field.SET: "Set", Field.PRICE: "Price", Field.FOIL_PRICE: "Foil price"}
    named |= {Field.QUANTITY: "Count", Field.FOIL_QUANTITY: "Foils"}
    mapping = Mapping(sources={to: Source((name,)) for to, name in named.items()})
    mapping = mapping.with_source(Field.CONDITION, Source(constant="NM"))
    rows = ["Charmander,Obsidian Flames,5 CHF,,1,0", "Charmander,Obsidian Flames,5 CHF,,1,1"]
    text = "\n".join(["Name,Set,Price,Foil price,Count,Foils", *rows, ""])
    asked = {question and question.kind: count for question, count in Came(text, seller, mapping).questions.items()}
    # Of the first row there is no foil, whose price would be missing.
    assert asked == {"rate": 2, "price-missing": 1}


def test_an_update_keeps_the_texts_of_which_the_file_says_nothing(
    cards: None, seller: Seller, run_jobs: Callable[[], None]
) -> None:
    own = {"comment": 'Crease, "light"\nback', "notes": "Box 1", "reference": "REF-7"}
    start(seller, csv_bytes([row(urn=CHARMANDER, variants="normal", **own), row(urn=LUGIA, variants="holo", **own)]))
    run_jobs()
    text = (
        "Name,Set,Number,Condition,Price,Quantity,Notes,Altered\n"
        "Iono,Paldea Evolved,185,NM,£1,1,new,\n"
        "Charmander,Obsidian Flames,26,NM,£1,2,,\n"
        "Lugia,Neo Genesis,9,NM,£5,1,Box 2,X\n"
    )
    assert Came(text, seller).listings("MODE", "COMMENT", "NOTES", "REFERENCE") == [
        ("CREATE", "", "new", ""),
        # What the file has a column for is taken from it, even if it is empty.
        ("UPDATE", 'Crease, "light" back', "", "REF-7"),
        ("UPDATE", "Altered", "Box 2", "REF-7"),
    ]
    everything = text.replace("Altered", "Comment,SKU")
    assert Came(everything, seller).listings("COMMENT", "REFERENCE")[1] == ("", "")


def test_a_row_whose_cells_may_have_shifted_is_open_whatever_they_say(cards: None, seller: Seller) -> None:
    text = (
        "Quantity,Name,Set,Number,Condition,Price,Graded\n"
        "0,Charmander,Obsidian Flames,26,NM,£1,,extra\n"
        '1,"Charm"ander,Obsidian Flames,26,NM,£1,yes\n'
        "1,Charmander,Obsidian Flames,26,NM,£1,\n"
    )
    came = Came(text, seller)
    assert came.outcomes == ["open", "open", "row"]
    assert came.reasons == ["irregular", "irregular", ""]
    assert came.listings() == [(CHARMANDER, "NM", "100", "1", "normal")]


def test_a_currency_that_the_file_does_not_tell_is_a_guess_until_the_seller_says_it(
    cards: None, seller: Seller, app: Flask, tmp_path: Path
) -> None:
    guessed = {key for key, (text, _) in FILES.items() if Came(text, seller).matching.mapping.money.guess}
    assert guessed == {"binderpos", "echomtg", "shopify", "shopify-classic", "square", "woocommerce"}
    head, rows = "Name,Set,Number,Condition,Quantity,Price\n", ["Lugia,Neo Genesis,9,NM,1,"] * 3
    for prices, money in (
        ("€1 2 3", Money(currency="EUR", is_guess=True)),
        ("€1 €2 3", Money(currency="EUR")),
        ("€1 $2 3", Money()),
    ):
        text = head + "\n".join(map(str.__add__, rows, prices.split()))
        assert Came(text, seller).matching.mapping.money == money
    told = FILES["binderpos"][0].replace("0.45", "$0.45")
    assert Came(told, seller).matching.mapping.money == Money(currency="USD", decimal=".")
    file = tmp_path / "shop.csv"
    file.write_text(FILES["binderpos"][0])
    arguments = ["imports", "convert", str(file), "--seller", seller.email]
    arguments += ["--out", str(tmp_path / "out.csv"), "--report", str(tmp_path / "report.csv")]
    for more, price, warns in (([], "45", True), (["--currency", "USD", "--rate", "USD=2"], "90", False)):
        result = app.test_cli_runner().invoke(args=[*arguments, *more])
        assert ("GBP is a guess" in result.output) == warns
        assert f",{price}," in (tmp_path / "out.csv").read_text()


def test_a_guessed_currency_is_asked_once(cards: None, seller: Seller) -> None:
    draft = conversions.upload(seller.id, "shop.csv", [FILES["binderpos"][0].encode()])
    assert match_flow.begin(seller.id, draft) is Step.MONEY
    mapping = conversions.mapping_of(draft)
    assert mapping
    assert match_flow.decide(seller.id, draft.public_id, mapping, after=Step.WORDS) is Step.MONEY
    assert match_flow.decide(seller.id, draft.public_id, mapping, after=Step.MONEY) is Step.PREVIEW
    assert conversions.guess_of(conversions.get(seller.id, draft.public_id)) is None


def test_a_saved_mapping_asks_nothing_again(cards: None, seller: Seller) -> None:
    header = "Name,Set,Number,Q,Z,Condition\n"
    mapping = Mapping(
        columns=("Name", "Set", "Number", "Q", "Z", "Condition"),
        sources={
            Field.NAME: Source(("Name",)),
            Field.SET: Source(("Set",)),
            Field.NUMBER: Source(("Number",)),
            Field.QUANTITY: Source(("Q",)),
            Field.PRICE: Source(("Z",)),
            Field.CONDITION: Source(("Condition",), how=How.GRAMMAR),
        },
        scale="tcgplayer",
        money=Money("GBP"),
    )

    def matched(text: str) -> Matching:
        file = io.BytesIO(text.encode())
        return Matcher(file, detect(file, overrides={})).match([mapping])

    body = "Charmander,Obsidian Flames,26,2,0.45,LP\n"
    assert matched(header + body).mapping == mapping
    shuffled = matched("Condition,Z,Q,Number,Set,Name\nLP,0.45,2,26,Obsidian Flames,Charmander\n")
    assert replace(shuffled.mapping, columns=mapping.columns) == mapping
    renamed = matched(header.replace("Z", "Zz") + body)
    assert missing_of(renamed.mapping) == (Field.PRICE,)
    assert [one.column for one in renamed.columns if not one.fields] == ["Zz"]


def test_a_set_that_only_another_game_has_is_asked_for_its_own_game(cards: None, seller: Seller) -> None:
    game, of_set, urn = "Pokemon (Asia)", "クレイバースト", "urn:a:1"
    items.replace(
        [items.NewItem(urn, game, of_set, "ナンジャモ", "185", "", ["holo"], name_key(game, of_set, "x"), [], [])]
    )
    db.session.commit()
    text = "Game,Set,Number,Condition,Price,Quantity\n" + "".join(
        f"{one},Paldea Evolved,185,NM,£1,1\n" for one in ("Pokemon", "Japan")
    )
    came = Came(text, seller)
    asked = Question("set", "Japan > Paldea Evolved")
    assert (came.outcomes, came.questions) == (["row", "open"], {asked: 1})
    for target, urns in ((LEAVE_OUT, [(IONO,)]), (f"{game} > {of_set}", [(IONO,), (urn,)])):
        answered = came.matching.mapping.answer(Kind.SET, asked.word, target)
        assert Came(text, seller, answered).listings("URN") == urns


@pytest.mark.parametrize(("text", "comment"), [("<p>Near<br>mint</p>", ""), ("I <3 it > that", "I <3 it > that")])
def test_a_piece_of_a_web_page_is_no_comment(cards: None, seller: Seller, text: str, comment: str) -> None:
    head = "Name,Set,Number,Condition,Price,Quantity,Description\n"
    came = Came(f"{head}Charmander,Obsidian Flames,26,NM,£1,1,{text}\n", seller)
    assert came.listings("URN", "COMMENT") == [(CHARMANDER, comment)]
    # A format can say so of a column whatever its cells are.
    shop = Came(FILES["ebay-bulk"][0].replace("*Format", "*Description").replace("FixedPrice", "Great card"), seller)
    assert shop.listings("COMMENT") == [("",)]


def test_texts_have_no_line_breaks_and_constants_stand_for_missing_columns(cards: None, seller: Seller) -> None:
    text = 'Name,Set,Number,Altered,Comment\nCharmander,Obsidian Flames,26,X,"one\n ""two"""\nLugia,Neo Genesis,9,,\n'
    mapping = Came(text, seller).matching.mapping
    for to, constant in ((Field.CONDITION, "LP"), (Field.PRICE, "£2"), (Field.QUANTITY, "3"), (Field.NOTES, "Box,\n1")):
        mapping = mapping.with_source(to, Source(constant=constant))
    # A constant condition is a code of ours, whatever the file's scale.
    came = Came(text, seller, replace(mapping, scale="tcgplayer"))
    assert came.listings("CONDITION", "PRICE", "QUANTITY", "COMMENT", "NOTES") == [
        ("LP", "200", "3", 'Altered, one "two"', "Box, 1"),
        ("LP", "200", "3", "", "Box, 1"),
    ]


def test_words_and_prices_are_shown_before_they_are_used(cards: None, seller: Seller) -> None:
    rows = [("Obsidian Flame", "LP", "1.00"), ("SV03: Obsidian Flames", "PSA 9", "0.50"), ("Neo Genesis", "Mp", "99")]
    text = "\n".join(["Name,Set,Condition,Price,Quantity", *(f"X,{','.join(one)},1" for one in [*rows, rows[0]]), ""])
    text += "Total,,,990,4\n"
    came = Came(text, seller)
    mapping = replace(came.matching.mapping, money=Money("GBP"))
    file = io.BytesIO(text.encode())
    sample = Sample(file, detect(file, overrides={}))
    assert [(one.word, one.rows, one.becomes) for one in words_of(sample, mapping, mapping.columns)] == [
        ("LP", 2, "EX"),
        ("PSA 9", 1, ""),
        ("Mp", 1, "GD"),
        ("Obsidian Flame", 2, ""),
        ("SV03: Obsidian Flames", 1, "Obsidian Flames"),
        ("Neo Genesis", 1, "Neo Genesis"),
    ]
    nearest = Sets(mapping).nearest("Obsidian Flame")
    assert nearest == ["Pokemon > Obsidian Flames"]
    finish = "Name,Foil\nX,yes\n"
    of_all = Came(finish, seller).matching.mapping.with_source(Field.CONDITION, Source(constant="EX"))
    (foil,) = words_of(
        Sample(io.BytesIO(finish.encode()), detect(io.BytesIO(finish.encode()), overrides={})), of_all, of_all.columns
    )
    assert foil.becomes == "foil"
    answered = mapping.answer(Kind.SET, "Obsidian Flame", nearest[0])
    assert "Obsidian Flames" in {one.becomes for one in words_of(sample, answered, mapping.columns)}
    # That of a graded card is none.
    sample.keep(BlockConverter(Bound(mapping, mapping.columns)).for_sale)
    prices = prices_of(sample, mapping, mapping.columns)
    assert prices
    assert (prices.lowest, prices.highest[0]) == (("1.00", 100), ("99", 9900))


def test_how_much_is_remembered_makes_no_difference(
    cards: None, seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = "cardmarketId,quantity,name,set,condition,language,isReverseHolo,price,comment"
    ids, sets = ("725106", "274409", "7", "1", ""), ("Obsidian Flames", "Neo Genesis", "No such set")
    rows = [
        f"{ids[n % 5]},{n % 3},{('Charmander', 'Lugia', 'Iono')[n % 7 % 3]},{sets[n % 11 % 3]},"
        f"{('EX', 'NM', 'worn')[n % 4 % 3]},{('English', 'German', 'Elvish')[n % 9 % 3]},{'true' * (n % 2)},{n % 13}.5,"
        for n in range(120)
    ]
    text = "\n".join([columns, *rows, ""])
    whole = Came(text, seller)
    assert len(set(whole.sentences)) > 10
    for module, name, value in (
        (delimited, "MAX_BLOCK_ROWS", 3),
        (memo, "_MOST_VALUES", 2),
        (block_converter, "_MOST_REASONS", 2),
        (block_converter, "_MOST_TARGETS", 4),
        (items_of_rows, "_REMEMBERED", 1),
    ):
        monkeypatch.setattr(module, name, value)
    parts = Came(text, seller, whole.matching.mapping)
    assert (parts.lines, parts.outcomes, parts.sentences) == (whole.lines, whole.outcomes, whole.sentences)
