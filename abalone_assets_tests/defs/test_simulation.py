"""The assets that simulate a survey, as the job runs them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from abalone_assets import definitions
from abalone_assets.ingest.frames import survey_frame, to_parquet
from abalone_assets.ingest.synthetic_files import synthetic_files
from abalone_assets.lake.lake import Lake
from abalone_assets.resources.storage import LakeResource
from abalone_assets.survey import parse_survey
from abalone_assets.synthesis import SynthesisError
from abalone_assets.synthesis.quality import THRESHOLDS
from abalone_assets.synthesis.survey_file import survey_text
from abalone_assets_tests.synthesis.support import real, teach_nothing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME = "abalone.20250901061500"
SURVEY: Mapping[str, Any] = {"rows": 25, "survey_time": "2025-09-01T06:15:00", "land": True}


@dataclass(frozen=True)
class Simulator:
    """The job on a home that has ingested a small base survey."""

    home: Path

    @property
    def lake(self) -> Lake:
        return Lake(str(self.home / "lake"))

    def landed(self) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in (self.home / "landing_zone").iterdir()}

    def run(self, **config: Any) -> dg.ExecuteInProcessResult:
        job = definitions.defs().resolve_job_def("simulate_survey")
        survey = {"ops": {"synthetic_survey": {"config": {**SURVEY, **config}}}}
        with dg.DagsterInstance.ephemeral() as instance:
            return job.execute_in_process(survey, instance=instance, raise_on_error=False)


@pytest.fixture
def simulator(home: Path) -> Simulator:
    made = Simulator(home)
    base = parse_survey(survey_text(real().all), "base.csv")
    made.lake.store.write(made.lake.key("raw_abalone"), to_parquet(survey_frame([base])))
    return made


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody looks at them, no pictures are drawn and no models trained."""
    teach_nothing(monkeypatch)
    for name in ("margins", "correlation_maps"):
        monkeypatch.setattr(f"abalone_assets.synthesis.plots.{name}", lambda *_: b"")


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    (event,) = result.asset_materializations_for_node(asset)
    return {name: value.value for name, value in event.metadata.items()}


def test_a_good_survey_lands_and_shows_how_good_it_is(simulator: Simulator) -> None:
    result = simulator.run()
    assert result.success
    parsed = parse_survey(simulator.landed()[NAME], NAME)
    assert (parsed.row_count, parsed.quarantined) == (25, [])
    shown = metadata(result, "synthetic_survey")
    assert (shown["file"], shown["rows"], shown["outcome"]) == (NAME, 25, "landed")
    assert {each.number for each in THRESHOLDS} <= set(shown)
    assert shown["plots"].count("data:image/png") == 2
    assert list(synthetic_files(simulator.lake.store)) == [shown["sha256"]]
    (check,) = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed) == ("quality", True)


def test_the_same_config_again_fits_nothing_and_lands_nothing(
    simulator: Simulator, unseen: None
) -> None:
    first, again = simulator.run(), simulator.run()
    fits = [metadata(each, "survey_synthesizer") for each in (first, again)]
    assert [fit["taken_from_the_lake"] for fit in fits] == [False, True]
    assert fits[0]["synthesizer"] == fits[1]["synthesizer"]
    outcomes = [metadata(each, "synthetic_survey")["outcome"] for each in (first, again)]
    assert outcomes == ["landed", "identical"]


def test_a_survey_that_fails_its_check_does_not_land(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("abalone_assets.synthesis.quality.transfer_rmse", lambda *_: float("inf"))
    result = simulator.run()
    assert not result.success
    assert simulator.landed() == {}
    assert synthetic_files(simulator.lake.store) == {}
    (check,) = result.get_asset_check_evaluations()
    assert not check.passed
    assert "tstr_ratio is nan" in str(check.metadata["broken"].value)


def test_a_survey_is_of_the_time_of_its_run_and_lands_only_if_told_to(
    simulator: Simulator, unseen: None
) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions.defs().resolve_job_def("simulate_survey")
        shown = metadata(job.execute_in_process(instance=instance), "synthetic_survey")
    assert shown["rows"] == 200
    assert shown["outcome"] == "not landed"
    time = datetime.strptime(shown["file"], "abalone.%Y%m%d%H%M%S").replace(tzinfo=UTC)
    assert before <= time <= datetime.now(UTC)
    assert simulator.landed() == {}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"survey_time": "2019-09-01"}, "a survey of 2019-09-01 cannot land"),
        ({"survey_time": "soon"}, "'soon' is no date or time"),
        ({"rows": 0}, "greater than or equal to 1"),
    ],
)
def test_a_survey_that_cannot_be_is_refused_before_anything_is_fitted(
    simulator: Simulator, config: dict[str, Any], message: str
) -> None:
    result = simulator.run(**config)
    assert not result.success
    failure = result.failure_data_for_node("survey_synthesizer")
    assert failure is not None
    assert message in str(failure.error)


def test_its_quality_can_be_judged_again_by_itself(simulator: Simulator, unseen: None) -> None:
    from abalone_assets.defs.simulation.synthetic_survey import quality

    lake = LakeResource(uri=simulator.lake.store.uri)
    with pytest.raises(SynthesisError, match="launch all of the job `simulate_survey`"):
        quality(lake)
    simulator.run()
    judged = quality(lake)
    assert isinstance(judged, dg.AssetCheckResult)
    assert judged.passed
    assert {each.number for each in THRESHOLDS} <= set(judged.metadata)


def test_without_a_base_survey_it_says_what_to_do(home: Path) -> None:
    failure = Simulator(home).run().failure_data_for_node("survey_synthesizer")
    assert failure is not None
    assert "materialize raw_abalone first" in str(failure.error)
