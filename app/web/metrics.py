"""``/metrics`` for Prometheus, which presents a token, and for operators; others get a 404."""

import hmac
from collections.abc import Iterator, Mapping

from flask import Blueprint, Response, abort, request
from flask_login import current_user
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.config import current_settings
from app.extensions import DATABASE_ERRORS, db
from app.observability import metrics
from app.operators import overview
from app.queries import operations as asked

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
def show() -> Response:
    """The counters of this host's web processes, and the state of the whole installation."""
    if not _has_token() and not (current_user.is_authenticated and current_user.is_operator):
        abort(404)
    cluster = CollectorRegistry()
    cluster.register(_Cluster())
    return Response(generate_latest(metrics.counted()) + generate_latest(cluster), content_type=CONTENT_TYPE_LATEST)


def _has_token() -> bool:
    settings = current_settings()
    shown = request.headers.get("Authorization", "").removeprefix("Bearer ").encode()
    return bool(settings.metrics_token) and hmac.compare_digest(shown, settings.metrics_token.encode())


class _Cluster(Collector):
    """The present state of the whole installation."""

    def collect(self) -> Iterator[Metric]:
        try:
            seen = overview.look()
            paused, given_up = asked.count_paused(), asked.count_given_up()
        except DATABASE_ERRORS:
            db.session.rollback()
            yield GaugeMetricFamily("sluice_database_up", "Whether the database answers.", 0)
            return
        db.session.rollback()
        waiting, ran = seen.waiting, seen.reconciler
        most = seen.by_seller[0].batches if seen.by_seller else 0
        single: dict[str, tuple[str, float | None]] = {
            "sluice_database_up": ("Whether the database answers.", 1),
            "sluice_redis_up": ("Whether Redis can be used.", "redis" not in seen.faults),
            "sluice_storage_up": ("Whether the storage can be used.", "storage" not in seen.faults),
            "sluice_oldest_waiting_seconds": ("Age of the oldest waiting batch.", waiting.oldest_seconds or 0),
            "sluice_crashing_batches": ("Batches whose attempts failed repeatedly.", len(seen.crashing)),
            "sluice_largest_seller_share": (
                "Largest share of the waiting batches that belongs to one seller.",
                most / waiting.queued if waiting.queued else 0,
            ),
            "sluice_reconciler_silent_seconds": ("Seconds since the reconciler last ran.", ran.silent_seconds),
        }
        for name, (words, value) in single.items():
            if value is not None:
                yield GaugeMetricFamily(name, words, value)
        states = {"queued": waiting.queued, "running": waiting.running, "paused": paused, "given_up": given_up}
        yield _gauge("sluice_batches", "Batches that are not over, and given-up ones.", "state", states)
        imports = {state.lower(): sum(one.status == state for one in seen.live) for state in ("RUNNING", "PAUSED")}
        yield _gauge("sluice_imports", "Imports that are not over.", "state", imports)
        workers = {host.name: host.processes for host in seen.hosts}
        yield _gauge("sluice_workers", "Known workers, by host.", "host", workers)
        silence = {host.name: host.silent_seconds for host in seen.hosts}
        yield _gauge("sluice_host_silent_seconds", "Seconds since a worker host last reported.", "host", silence)
        repairs = CounterMetricFamily("sluice_repairs", "Repairs by the reconciler, by kind.", labels=["kind"])
        for kind in ("batches_reclaimed", "jobs_lost", "imports_settled", "transactions_ended"):
            repairs.add_metric([kind], getattr(ran, kind))
        yield repairs


def _gauge(name: str, words: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    """A gauge with a value for each label."""
    gauge = GaugeMetricFamily(name, words, labels=[label])
    for of, value in values.items():
        gauge.add_metric([of], value)
    return gauge
