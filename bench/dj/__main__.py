"""Imports a file into a fresh database: ``python -m dj DATABASE_URL CATALOG.csv.gz IMPORT.csv fast|default``.

Prints the seconds from opening the file to the last commit and the outcomes of its rows, as JSON. Creating the tables
and loading the catalog is not timed.
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
from pathlib import Path
from time import perf_counter

import django
from django.conf import settings
from psycopg.conninfo import conninfo_to_dict
from tablib import Dataset


def main(url: str, catalog: Path, path: Path, mode: str) -> None:
    """Prepare the database, import, print."""
    address = conninfo_to_dict(url)
    settings.configure(
        INSTALLED_APPS=["dj"],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": address["dbname"],
                "USER": address.get("user", ""),
                "PASSWORD": address.get("password", ""),
                "HOST": address.get("host", ""),
                "PORT": address.get("port", ""),
            }
        },
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
    )
    django.setup()
    # The models can be imported only now.
    from dj.resources import RESOURCES

    _load(catalog)
    began = perf_counter()
    with path.open(encoding="utf-8", newline="") as file:
        dataset = Dataset().load(file, format="csv")
    result = RESOURCES[mode]().import_data(dataset)
    seconds = perf_counter() - began
    failed = result.totals["error"] + result.totals["invalid"]
    print(json.dumps({"seconds": seconds, "created": result.totals["new"], "failed": failed}))


def _load(catalog: Path) -> None:
    from dj.models import ExternalId, Item, Listing
    from dj.rules import name_key
    from django.db import connection

    with connection.schema_editor() as editor:
        for model in (Item, ExternalId, Listing):
            editor.create_model(model)
    with gzip.open(catalog, "rt", encoding="utf-8", newline="") as file:
        records = list(csv.DictReader(file))
    items = Item.objects.bulk_create(
        [
            Item(
                urn=record["urn"],
                game=record["game"],
                set_name=record["set"],
                name=record["name"],
                variants=record["variants"].split("|"),
                name_key=name_key(record["game"], record["set"], record["name"]),
            )
            for record in records
        ],
        batch_size=5_000,
    )
    ExternalId.objects.bulk_create(
        [
            ExternalId(source=source, external_id=one, item=item)
            for record, item in zip(records, items, strict=True)
            for source, column in ((1, "cardmarket_ids"), (2, "tcgplayer_ids"))
            for one in {int(one) for one in record[column].split("|") if one}
        ],
        batch_size=5_000,
    )
    with connection.cursor() as cursor:
        cursor.execute("analyze")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
