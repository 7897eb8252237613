"""The base survey: its rows, its origin, and what may not take its place."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import dagster as dg
import polars as pl
import pytest

from abalone_assets import definitions
from abalone_assets.cli.status_report import StatusReport
from abalone_assets.sample_data import base_survey
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.automation.support import RELEASE, know_as_simulated, platform_in
from abalone_assets_tests.defs.ingested import NEXT_DAY, by_partition, check
from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.service


def test_the_uci_survey_keeps_4175_rows_and_quarantines_2(uci_file: Path, tmp_path: Path) -> None:
    with platform_in(tmp_path, RAW_URI=str(uci_file)) as platform:
        result = platform.run(RELEASE, dg.RunRequest(asset_selection=[dg.AssetKey("raw_abalone")]))
        (metadata,) = by_partition(result, "raw_abalone").values()
        conserved = check(result, "rows_are_conserved")
        rows = pl.read_parquet(platform.lake.uri("raw_abalone"))
        raw = platform.lake.manifest().raw
    assert len(rows) == metadata["dagster/row_count"].value == 4175
    assert rows["height"].min() > 0  # type: ignore[operator] # a column of floats has a float
    assert metadata["quarantined"].value == 2
    assert raw is not None
    assert (raw.rows, raw.quarantined) == (4175, 2)
    assert conserved.passed
    assert conserved.metadata["records"].value == 4177


def test_the_bundled_base_survey_has_one_origin_wherever_it_is_told(tmp_path: Path) -> None:
    """Once its metadata said `simulated: true` beside `origin: surveyed`."""
    with platform_in(tmp_path, RAW_URI=str(base_survey())) as platform:
        result = platform.run(RELEASE, dg.RunRequest(asset_selection=[dg.AssetKey("raw_abalone")]))
        (metadata,) = by_partition(result, "raw_abalone").values()
        rows = pl.read_parquet(platform.lake.uri("raw_abalone"))
        raw = platform.lake.manifest().raw
    assert metadata["origin"].value == "example"
    assert "simulated" not in metadata
    assert set(rows["origin"]) == {"example"}
    assert raw is not None
    assert raw.origin == "example"


def test_a_base_survey_that_is_a_known_simulation_is_synthetic(tmp_path: Path) -> None:
    simulated = tmp_path / "base.csv"
    simulated.write_bytes(survey_rows(20))
    with platform_in(tmp_path, RAW_URI=str(simulated)) as platform:
        know_as_simulated(platform, NEXT_DAY, simulated.read_bytes())
        result = platform.run(RELEASE, dg.RunRequest(asset_selection=[dg.AssetKey("raw_abalone")]))
        (metadata,) = by_partition(result, "raw_abalone").values()
        rows = pl.read_parquet(platform.lake.uri("raw_abalone"))
        manifest = platform.lake.manifest()
    assert metadata["origin"].value == "synthetic"
    assert set(rows["origin"]) == {"synthetic"}
    assert manifest.raw is not None
    assert (manifest.raw.rows, manifest.raw.origin) == (20, "synthetic")


def test_a_page_instead_of_the_base_survey_leaves_the_one_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 2,999 rows once became none, without an error, and were never fetched again.
    base, asset = tmp_path / "base.csv", dg.RunRequest(asset_selection=[dg.AssetKey("raw_abalone")])
    base.write_bytes(survey_rows(20))
    with platform_in(tmp_path, RAW_URI=str(base)) as platform:
        platform.run(RELEASE, asset)
        before = platform.lake.manifest()
        rows = pl.read_parquet(platform.lake.uri("raw_abalone"))
        base.write_bytes(b"<html><title>Sign in</title></html>")
        refused = platform.run(RELEASE, asset, raise_on_error=False)
        assert not refused.success
        assert platform.lake.manifest() == before
        assert pl.read_parquet(platform.lake.uri("raw_abalone")).equals(rows)
        status = StatusReport.of(load_settings())
        assert "an HTML page, 'Sign in', not a survey" in str(status.base_refused)
        assert "The base survey in force stays: 20 rows" in str(status.base_refused)
        base.write_bytes(survey_rows(5))
        assert not platform.run(RELEASE, asset, raise_on_error=False).success
        digest = hashlib.sha256(base.read_bytes()).hexdigest()
        monkeypatch.setenv("ABALONE_RAW_SHA256", digest)
        platform.definitions = definitions.defs()
        assert platform.run(RELEASE, asset).success
        assert StatusReport.of(load_settings()).base_refused is None
        assert platform.lake.manifest().rows == 5
