"""`abalone gc` and `abalone verify` in the profile aws."""

from __future__ import annotations

import json

import pytest

from abalone_assets.lake.kept_inputs import kept_key
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.names import CAPTURED_REQUESTS
from abalone_assets.lake.reports import Reports
from abalone_assets.registry.open import open_registry
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.cli.support import abalone, abalone_json, see_as_next_year
from abalone_assets_tests.registry.support import add

pytestmark = pytest.mark.usefixtures("proved")


def test_the_lake_is_freed_and_archives_that_model_packages_name_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ABALONE_KEEP_VERSIONS", "2")
    monkeypatch.setenv("ABALONE_KEEP_REQUEST_DAYS", "30")
    monkeypatch.delenv("DAGSTER_HOME")
    settings = load_settings()
    lake, registry = Lake(settings.lake_uri), open_registry(settings)
    digests = [letter * 64 for letter in "abcd"]
    for digest in digests:
        add(registry, digest)
        Reports(lake.store).keep(digest, b"<html>")
    lake.store.write("trained_model/old/output/model.tar.gz", b"model")
    lake.store.write(lake.key(CAPTURED_REQUESTS, "2025-03-03"), b"rows")
    lake.store.write(kept_key("0" * 64), b"rows of no version")
    see_as_next_year(monkeypatch)

    told = abalone_json("gc", "--yes")

    assert {row["kind"]: row["count"] for row in told["kinds"]} == {
        "model archives in the registry": 0,
        "inputs of releases that are no longer current": 1,
        "outputs of training jobs": 1,
        "reports": 2,
        "days of captured requests in the lake": 1,
    } | dict.fromkeys([row["kind"] for row in told["kinds"] if "runs" in row["kind"]], 0)
    assert all(registry.read_model(each.version) for each in registry.versions())
    assert {each.model_sha256 for each in Reports(lake.store).newest_first()} == {*digests[2:]}
    assert [each.key for each in lake.store.list("trained_model/")] == []


def test_an_altered_archive_is_found_on_s3_too() -> None:
    settings = load_settings()
    registry = open_registry(settings)
    version = add(registry, "a" * 64)
    assert abalone("verify").exit_code == 0, "nothing is made yet, but nothing is wrong"

    registry.store.write(version.model_key, b"another")
    result = abalone("verify", "--json")

    assert result.exit_code == 1
    findings = {each["subject"]: each for each in json.loads(result.stdout)["findings"]}
    assert findings["model versions"]["outcome"] == "failed"
    assert "version 1: s3://" in findings["model versions"]["found"]
