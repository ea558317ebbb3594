"""What lies in ``ops/`` can be read, and asks for metrics that there are."""

from __future__ import annotations

import configparser
import json
import re

import pytest
import yaml
from flask import Flask
from prometheus_client import Counter, Histogram

from app.observability import metrics
from app.web import metrics as asked
from tests.processes import ROOT

_METRIC = re.compile(r"\bsluice_[a-z_]+")


def known() -> set[str]:
    """The names of all samples that /metrics can have."""
    names = set(re.findall(r'"(sluice_[a-z_]+)"', (ROOT / "app/web/metrics.py").read_text()))
    names |= {f"{name}_total" for name in names if name == "sluice_repairs"}
    for metric in vars(metrics).values():
        if isinstance(metric, Histogram):
            names |= {f"{metric._name}_{part}" for part in ("bucket", "count", "sum")}
        elif isinstance(metric, Counter):
            names.add(f"{metric._name}_total")
    assert asked.blueprint.name == "metrics"
    return names


def balanced(expression: str) -> bool:
    return all(expression.count(one) == expression.count(other) for one, other in ("()", "[]", "{}"))


def test_the_alerts_ask_for_what_there_is() -> None:
    (group,) = yaml.safe_load((ROOT / "ops/alerts.yml").read_text())["groups"]
    names = [rule["alert"] for rule in group["rules"]]
    assert len(set(names)) == len(names) > 10
    for rule in group["rules"]:
        assert set(_METRIC.findall(rule["expr"])) <= known(), rule["alert"]
        assert balanced(rule["expr"])
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert {"summary", "advice"} == rule["annotations"].keys()
        assert re.fullmatch(r"\d+[sm]", rule.get("for", "0s"))


@pytest.mark.slow
def test_prometheus_reads_the_rules_and_waits_longer_than_sluice_does(migrated_app: Flask) -> None:
    asked_how = yaml.safe_load((ROOT / "ops/prometheus.yml").read_text())
    assert [(ROOT / "ops" / name).is_file() for name in asked_how["rule_files"]] == [True]
    (job,) = asked_how["scrape_configs"]
    assert job["job_name"] == "sluice"
    # Sluice reports a hanging database after the timeout of a connection.
    engine = migrated_app.config["SQLALCHEMY_ENGINE_OPTIONS"]
    assert int(job["scrape_timeout"].removesuffix("s")) > engine["connect_args"]["connect_timeout"]


def test_the_dashboard_asks_for_what_there_is() -> None:
    panels = json.loads((ROOT / "ops/grafana.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        for target in panel["targets"]:
            found = set(_METRIC.findall(target["expr"]))
            assert found, panel["title"]
            assert found <= known(), panel["title"]
            assert balanced(target["expr"])


@pytest.mark.parametrize("name", ["sluice-web", "sluice-worker"])
def test_the_units_can_be_read(name: str) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[method-assign,assignment]
    unit.read(ROOT / f"ops/systemd/{name}.service")
    assert (unit["Service"]["UMask"], unit["Service"]["StateDirectoryMode"]) == ("0077", "0700")
    assert unit["Service"]["ExecStart"].startswith("/opt/sluice/.venv/bin/")
    program = unit["Service"]["ExecStart"].split()[-1]
    assert (ROOT / program.replace("wsgi:app", "wsgi.py")).is_file()


def test_compose_runs_what_there_is() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    assert {"migrate", "web", "worker", "database", "redis"} == services.keys()
    for name in ("web", "worker"):
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert (ROOT / "Dockerfile").is_file()


def test_compose_hands_on_what_a_proxy_needs_and_has_no_secret_of_its_own() -> None:
    text = (ROOT / "compose.yaml").read_text()
    services = yaml.safe_load(text)["services"]
    environment = services["web"]["environment"]
    for name in ("PUBLIC_URL", "SESSION_COOKIE_SECURE", "TRUSTED_PROXIES"):
        assert environment[name] == f"${{{name}:-}}"
    for value in (environment["SECRET_KEY"], services["database"]["environment"]["POSTGRES_PASSWORD"]):
        assert re.fullmatch(r"\$\{[A-Z_]+:\?[^}]+\}", value)
    assert "sluice:${POSTGRES_PASSWORD:?" in environment["DATABASE_URL"]
    assert ".env" in (ROOT / ".dockerignore").read_text().split()
