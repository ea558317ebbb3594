"""Two ways to write the resource: as at the beginning of its documentation, and as fast as possible."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from dj.models import ExternalId, Item, Listing
from dj.rules import check, name_key
from django.core.exceptions import ValidationError
from import_export.fields import Field
from import_export.resources import ModelResource
from import_export.widgets import ForeignKeyWidget, IntegerWidget

_FIELDS = "seller_id item condition variants price quantity hidden comment notes reference".split()


def _only(found: Iterable[Item]) -> Item:
    items = list(found)
    if len(items) != 1:
        raise ValidationError("No such item." if not items else "Names more than one item.")
    return items[0]


class DefaultResource(ModelResource):
    """All options at their defaults: each row looks up its item and listing, is compared, and is saved separately."""

    class Meta:
        """The key by which a listing is found."""

        model = Listing
        fields = _FIELDS
        import_id_fields = ["seller_id", "item", "condition", "variants"]

    def before_import_row(self, row: dict[str, Any], **kwargs: Any) -> None:
        """Check the row, and replace its cells with the values."""
        values = check(row)
        item = _only(self.find(row))
        if not set(filter(None, values["variants"].split("|"))) <= set(item.variants):
            raise ValidationError("The item does not have that variant.")
        row.update(values, item=item.pk)

    def find(self, row: dict[str, str]) -> Iterable[Item]:
        """The items that a row names."""
        if row["URN"]:
            return Item.objects.filter(urn=row["URN"])
        for source, column in ((1, "CARDMARKET_ID"), (2, "TCGPLAYER_ID")):
            if row[column]:
                return Item.objects.filter(externalid__source=source, externalid__external_id=int(row[column]))
        return Item.objects.filter(name_key=name_key(row["GAME"], row["SET"], row["NAME"]))

    def after_init_instance(self, instance: Listing, new: bool, row: dict[str, Any], **kwargs: Any) -> None:
        """CREATE must not change a listing."""
        if not new:
            raise ValidationError("That listing exists.")


class _Known(ForeignKeyWidget):
    """A foreign key that was already looked up."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        """The item itself."""
        return value


class _AsIs(IntegerWidget):
    """A value that was already checked."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        """The value itself."""
        return value


class FastResource(DefaultResource):
    """Everything is looked up beforehand into dictionaries; no comparisons; rows are saved by the thousand."""

    item = Field(attribute="item", column_name="item", widget=_Known(Item))

    class Meta:
        """Every option that makes it faster."""

        model = Listing
        fields = _FIELDS
        use_bulk = True
        batch_size = 1_000
        skip_diff = True
        skip_html_diff = True
        force_init_instance = True

    def __init__(self) -> None:
        super().__init__()
        for field in self.fields.values():
            if field.column_name != "item":
                field.widget = _AsIs()

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        """Fetch the catalog and the seller's keys, each once."""
        items = {item.pk: item for item in Item.objects.only("urn", "variants", "name_key")}
        self._by_urn = {item.urn: [item] for item in items.values()}
        self._by_name: dict[str, list[Item]] = defaultdict(list)
        for item in items.values():
            self._by_name[item.name_key].append(item)
        self._by_id: dict[tuple[int, int], list[Item]] = defaultdict(list)
        for source, external_id, item_id in ExternalId.objects.values_list("source", "external_id", "item_id"):
            self._by_id[source, external_id].append(items[item_id])
        self._variants = {pk: set(item.variants) for pk, item in items.items()}
        self._taken = set(Listing.objects.filter(seller_id=1).values_list("item_id", "condition", "variants"))

    def before_import_row(self, row: dict[str, Any], **kwargs: Any) -> None:
        """Check the row against what was fetched."""
        values = check(row)
        item = _only(self.find(row))
        if not set(filter(None, values["variants"].split("|"))) <= self._variants[item.pk]:
            raise ValidationError("The item does not have that variant.")
        key = (item.pk, values["condition"], values["variants"])
        if key in self._taken:
            raise ValidationError("That listing exists.")
        self._taken.add(key)
        row.update(values, item=item)

    def find(self, row: dict[str, str]) -> Iterable[Item]:
        """The items that a row names."""
        if row["URN"]:
            return self._by_urn.get(row["URN"], [])
        for source, column in ((1, "CARDMARKET_ID"), (2, "TCGPLAYER_ID")):
            if row[column]:
                return self._by_id.get((source, int(row[column])), [])
        return self._by_name.get(name_key(row["GAME"], row["SET"], row["NAME"]), [])


RESOURCES = {"default": DefaultResource, "fast": FastResource}
