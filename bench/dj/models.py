"""Sluice's tables as Django models, without indexes that an import does not use."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Item(models.Model):
    """A catalog entry."""

    urn = models.TextField(unique=True)
    game = models.TextField()
    set_name = models.TextField()
    name = models.TextField()
    variants = ArrayField(models.TextField())
    name_key = models.TextField(db_index=True)


class ExternalId(models.Model):
    """An external id of an item."""

    source = models.SmallIntegerField()
    external_id = models.BigIntegerField()
    item = models.ForeignKey(Item, models.CASCADE, db_index=False)

    class Meta:
        """One entry for each number and item."""

        constraints = [models.UniqueConstraint(fields=["source", "external_id", "item"], name="external_ids_once")]


class Listing(models.Model):
    """A listing."""

    seller_id = models.IntegerField()
    item = models.ForeignKey(Item, models.CASCADE, db_index=False)
    condition = models.SmallIntegerField()
    variants = models.TextField()
    price = models.IntegerField()
    quantity = models.IntegerField()
    hidden = models.BooleanField()
    comment = models.TextField(null=True)
    notes = models.TextField(null=True)
    reference = models.TextField(null=True)

    class Meta:
        """One listing for each key."""

        constraints = [
            models.UniqueConstraint(fields=["seller_id", "item", "condition", "variants"], name="listings_once")
        ]
