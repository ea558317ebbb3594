"""The statuses as SQL: each as a literal, and the sets and predicates of ``app.statuses`` made from them.

SQL written as text takes its statuses from here, so that none can be forgotten when one is added; queries made of
models compare with the enums of ``app.statuses``. They are literals and no parameters, because the planner takes a
partial index only where it can see that the condition is the index's. Fragments name their table by its usual alias:
``i`` is imports, ``b`` batches.
"""

from app.statuses import (
    ACTIVE_BATCH_STATUSES,
    ACTIVE_CONVERSION_STATUSES,
    FINISHED_DELIVERY_STATUSES,
    GIVEN_UP_BATCH_STATUS,
    LIVE_IMPORT_STATUSES,
    REOPENABLE_IMPORT_STATUSES,
    UNFINISHED_BATCH_STATUSES,
    BatchStatus,
    Channel,
    ConversionStatus,
    DeliveryStatus,
    ImportKind,
    ImportStatus,
    RetriedRows,
    sql_list,
    sql_literal,
)

# Imports.
KIND_IMPORT = sql_literal(ImportKind.IMPORT)
KIND_CHECK = sql_literal(ImportKind.CHECK)
KIND_UNDO = sql_literal(ImportKind.UNDO)
IMPORT_RUNNING = sql_literal(ImportStatus.RUNNING)
IMPORT_PAUSED = sql_literal(ImportStatus.PAUSED)
IMPORT_COMPLETED = sql_literal(ImportStatus.COMPLETED)
IMPORT_FAILED = sql_literal(ImportStatus.FAILED)
IMPORT_TERMINATED = sql_literal(ImportStatus.TERMINATED)
LIVE_IMPORTS = sql_list(LIVE_IMPORT_STATUSES)
#: The undos ``u`` of the import.
ITS_UNDOS = f"select from imports u where u.seller_id = i.seller_id and u.parent_id = i.id and u.kind = {KIND_UNDO}"
#: See ``statuses.can_reopen``. Besides, neither the import nor its file may be deleted, and no other import may have
#: taken up the rows that the given-up batches have left: they would be imported twice.
CAN_REOPEN = f"""
    i.status in {sql_list(REOPENABLE_IMPORT_STATUSES)} and i.kind = {KIND_IMPORT}
    and i.deleted_at is null and i.source_removed_at is null
    and not exists (select from imports o where o.seller_id = i.seller_id and o.parent_id = i.id
        and o.retried_rows in {sql_list([RetriedRows.REMAINING, RetriedRows.WRITTEN])})
"""

# Batches.
QUEUED = sql_literal(BatchStatus.QUEUED)
RUNNING = sql_literal(BatchStatus.RUNNING)
PAUSED = sql_literal(BatchStatus.PAUSED)
COMPLETED = sql_literal(BatchStatus.COMPLETED)
TERMINATED = sql_literal(BatchStatus.TERMINATED)
UNFINISHED_BATCHES = sql_list(UNFINISHED_BATCH_STATUSES)
ACTIVE_BATCHES = sql_list(ACTIVE_BATCH_STATUSES)
GIVEN_UP_STATUS = sql_literal(GIVEN_UP_BATCH_STATUS)
#: A batch that failed too often; its unprocessed rows are kept.
GIVEN_UP = f"b.status = {GIVEN_UP_STATUS}"
#: At its last attempt the database node with its listings was away, which did not count as failed.
WAITS_FOR_NODE = f"(b.status in {ACTIVE_BATCHES} and b.reason is not null and b.fruitless_attempts = 0)"

# Conversions.
CONVERSION_DRAFT = sql_literal(ConversionStatus.DRAFT)
CONVERSION_QUEUED = sql_literal(ConversionStatus.QUEUED)
CONVERSION_RUNNING = sql_literal(ConversionStatus.RUNNING)
CONVERTED = sql_literal(ConversionStatus.CONVERTED)
CONVERSION_FAILED = sql_literal(ConversionStatus.FAILED)
ACTIVE_CONVERSIONS = sql_list(ACTIVE_CONVERSION_STATUSES)

# Deliveries.
WAITING = sql_literal(DeliveryStatus.WAITING)
SENDING = sql_literal(DeliveryStatus.SENDING)
DELIVERY_GIVEN_UP = sql_literal(DeliveryStatus.GIVEN_UP)
FINISHED_DELIVERIES = sql_list(FINISHED_DELIVERY_STATUSES)
WEBHOOK = sql_literal(Channel.WEBHOOK)
EMAIL = sql_literal(Channel.EMAIL)
