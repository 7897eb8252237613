"""The dashboard and the rules for Prometheus ask for numbers that the endpoint server has."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml  # type: ignore[import-untyped]
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from abalone_assets.lake.lake import Lake
from abalone_assets.lake.last_drift import LastDrift
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.serving.app import build_app
from abalone_assets.serving.capture import DataCapture
from abalone_assets.serving.model_host import ModelHost
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.docs.test_links import anchors

PROJECT: Final = Path(__file__).parents[2]
MONITORING: Final = PROJECT / "deploy" / "monitoring"
NAME: Final = re.compile(r"\b(?:abalone|process|python)_\w+|\bup\b")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of all samples that a scrape may have, and Prometheus's own of whom it scrapes."""
    folder = tmp_path_factory.mktemp("scraped")
    registry = FolderRegistry(ObjectStore(folder / "registry"))
    host = ModelHost(registry, "abalone")
    capture = DataCapture(ObjectStore(folder / "captured"), "abalone")
    app = build_app(host, capture, (), LastDrift(Lake(str(folder / "lake"))))
    client = TestClient(app)
    client.get("/ping")
    text = client.get("/metrics").text
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
    return {"up"} | {
        f"{family.name}{suffix}"
        for family in text_string_to_metric_families(text)
        for suffix in suffixes.get(family.type, ("",))
    }


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def expressions() -> list[str]:
    panels = json.loads((MONITORING / "dashboard.json").read_text())["panels"]
    shown = [target["expr"] for panel in panels for target in panel["targets"]]
    return [*shown, *(rule["expr"] for rule in rules())]


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_names_numbers_that_there_are(told: set[str], expression: str) -> None:
    names = set(NAME.findall(expression))
    assert names
    assert names <= told
    assert expression.count("(") == expression.count(")")
    assert expression.count("{") == expression.count("}")


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_a_rule_leads_to_what_to_do(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor in anchors(PROJECT / page)
    assert rule["annotations"]["summary"]
    assert rule["labels"]["severity"] in {"page", "ticket"}


def test_the_dashboard_can_be_imported() -> None:
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids) >= 8
    (source,) = dashboard["templating"]["list"]
    assert source["type"] == "datasource"
    used = {panel["datasource"]["uid"] for panel in dashboard["panels"]}
    assert used == {f"${{{source['name']}}}"}


def test_every_number_of_ours_is_on_the_dashboard_or_in_a_rule(
    told: set[str],
) -> None:
    text = " ".join(expressions())
    bases = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in told}
    assert [name for name in bases if name.startswith("abalone_") and name not in text] == []
