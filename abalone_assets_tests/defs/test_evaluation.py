"""The asset: what it shows, and where it keeps its report."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl
import pytest

from abalone_assets.defs.evaluation.evaluation import evaluation
from abalone_assets.defs.evaluation.evaluation_report import evaluation_report
from abalone_assets.defs.resources import profile_resources
from abalone_assets.defs.training.trained_model import trained_model
from abalone_assets.errors import StorageError
from abalone_assets.etl.polars_engine import prepare
from abalone_assets.etl.request import SPLIT_PERCENT, PrepareRequest
from abalone_assets.ingest.frames import survey_frame, to_parquet
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.preparation import Preparation
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.resources.ml_platform import LocalMLPlatform, TrainingRequest
from abalone_assets.sample_data import base_survey
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.settings.platform import Settings
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.survey import parse_survey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abalone_assets.modeling.evaluation.gate_rules import Rule

pytestmark = [pytest.mark.service, pytest.mark.xdist_group("evaluation")]  # one story for all

TINY = {"num_boost_round": 10, "eta": 0.3, "landmarks": 30, "folds": 2}
ROWS = 800


@dataclass(frozen=True)
class Home:
    """A lake with a trained model, and a registry."""

    folder: Path

    @property
    def lake(self) -> Lake:
        return Lake(str(self.folder / "lake"))

    @property
    def registry(self) -> FolderRegistry:
        return FolderRegistry(ObjectStore(self.folder / "registry"))

    def resources(self) -> dict[str, Any]:
        return dict(profile_resources(Settings.model_validate({"home": self.folder})))

    def prepare(self) -> None:
        survey = parse_survey(base_survey().read_bytes(), "abalone.data")
        self.lake.store.write("raw.parquet", to_parquet(survey_frame([survey])[:ROWS]))
        prepare(
            PrepareRequest(
                inputs=(self.lake.store.uri_of("raw.parquet"),),
                merged=self.lake.uri("merged_dataset"),
                splits={name: self.lake.uri(name) for name in SPLIT_PERCENT},
            )
        )

        self.lake.record_preparation(Preparation("digest", ROWS, ROWS, 0))

    def train(self) -> None:
        channels = {name: self.lake.uri(f"{name}_split") for name in ("train", "validation")}
        request = TrainingRequest(channels, self.lake.folder_uri("trained_model"), TINY)
        trained = LocalMLPlatform().train(request, dg.build_asset_context())
        document = {
            "model_uri": trained.model_uri,
            "release_digest": "digest",
            "card": asdict(trained.card),
        }
        self.lake.store.write_json(self.lake.key("trained_model", suffix="json"), document)

    def evaluate(self) -> Mapping[str, dg.MetadataValue]:
        with dg.DagsterInstance.ephemeral() as instance:
            result = dg.materialize(
                [trained_model, evaluation],
                selection=[evaluation],
                resources=self.resources(),
                instance=instance,
            )
            (event,) = result.get_asset_materialization_events()
        return event.step_materialization_data.materialization.metadata

    def report(self) -> dg.ExecuteInProcessResult:
        with dg.DagsterInstance.ephemeral() as instance:
            return dg.materialize(
                [trained_model, evaluation, evaluation_report],
                selection=[evaluation_report],
                resources=self.resources(),
                instance=instance,
            )

    def register(self, rule: Rule, **changed: Any) -> int:
        """The model that was evaluated as a version that the gate approved by a rule."""
        document = self.document()
        version = self.registry.register(
            Path(document["model_uri"]).read_bytes(),
            evaluation={**document["metrics"], **changed},
            decision={"approved": True, "reason": "good", "rule": rule},
            release_digest="digest",
        )
        return version.version

    def document(self) -> dict[str, Any]:
        found = self.lake.store.read_json("evaluation/data.json")
        assert isinstance(found, dict)
        return found


@dataclass(frozen=True)
class Story:
    """A first evaluation, and one beside a champion with a test split that lost two rows."""

    home: Home
    first: Mapping[str, dg.MetadataValue]
    report: Mapping[str, dg.MetadataValue]
    second: Mapping[str, dg.MetadataValue]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    home = Home(tmp_path_factory.mktemp("home"))
    home.prepare()
    home.train()
    first = home.evaluate()
    report = shown(home.report())
    assert shown(home.report()) == {}  # that of the same model and rows is not made again
    home.register("first_model")
    home.register("holds_against_champion", champion={"version": "1"}, model_sha256="b")
    withdrawn = home.register("better_than_champion", champion={"version": "2"}, model_sha256="c")
    publish_pointer(home.registry.store, "abalone", withdrawn)
    home.registry.reject(withdrawn, because="broken scale", by="ana")
    test = home.lake.uri("test_split")
    pl.read_parquet(test)[2:].write_parquet(test)
    return Story(home, first, report, home.evaluate())


def shown(result: dg.ExecuteInProcessResult) -> Mapping[str, dg.MetadataValue]:
    """The metadata of the report, if one was made."""
    assert result.success
    events = result.get_asset_materialization_events()
    return {
        name: value
        for event in events
        for name, value in event.step_materialization_data.materialization.metadata.items()
    }


def checked(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    (check,) = result.get_asset_check_evaluations()
    return check


def test_shows_numbers_that_the_ui_plots(story: Story) -> None:
    for name in (
        *("rmse", "rmse_low", "rmse_high", "mae", "r2", "baseline_rmse", "linear_rmse"),
        *("out_of_fold_rmse", "interval_coverage", "interval_width", "pinball"),
    ):
        assert isinstance(story.first[name], dg.FloatMetadataValue), name
    low, rmse, high = (story.first[name].value for name in ("rmse_low", "rmse", "rmse_high"))
    assert low < rmse < high  # type: ignore[operator] # floats, as above
    assert story.first["rows_out_of_place"].value == 0


def test_shows_errors_by_sex_and_age_and_what_surveys_brought(story: Story) -> None:
    by_sex, curve = story.first["by_sex"], story.report["learning_curve"]
    assert isinstance(by_sex, dg.TableMetadataValue)
    assert isinstance(curve, dg.TableMetadataValue)
    assert [record.data["value"] for record in by_sex.records] == ["M", "F", "I"]
    assert {"rmse_low", "rmse_high", "coverage"} <= by_sex.records[0].data.keys()
    assert [record.data["label"] for record in curve.records][-1] == "the base survey"
    assert isinstance(story.first["by_age"], dg.TableMetadataValue)


def test_the_report_lies_in_the_lake_under_the_models_digest(story: Story) -> None:
    digest = story.home.document()["metrics"]["model_sha256"]
    path = story.home.folder / "lake" / "evaluation" / "_reports" / f"{digest}.html"
    assert story.report["report"] == dg.MetadataValue.path(str(path))
    page = dg.MetadataValue.url(f"http://127.0.0.1:8080/reports/{digest}")
    assert story.report["report_page"] == story.first["report_page"] == page
    assert path.read_text().startswith("<!doctype html>")


def test_the_plots_stay_light(story: Story) -> None:
    plots = story.report["plots"]
    assert isinstance(plots, dg.MarkdownMetadataValue)
    assert str(plots.value).count("data:image/svg+xml;base64,") == 3
    assert len(str(plots.value)) < 200_000


def test_what_decides_nothing_is_in_the_report_alone(story: Story) -> None:
    decided = story.home.document()["metrics"]
    told = story.home.lake.store.read_json("evaluation_report/data.json")
    assert isinstance(told, dict)
    assert (decided["learning_curve"], decided["feature_importance"]) == ([], {})
    assert told["learning_curve"]
    assert told["feature_importance"]
    assert told["rmse"] == pytest.approx(story.first["rmse"].value, abs=1e-4)


@pytest.mark.parametrize("fault", ["the report fails", "other splits", "no request"])
def test_a_report_that_fails_fails_no_run_and_says_why(
    story: Story, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no font")

    lake = story.home.lake
    before, expected = lake.store.read_json("evaluation/data.json"), "launch the job `release`"
    assert isinstance(before, dict)
    changed = dict(before)
    if fault == "the report fails":
        expected = "no font"
        monkeypatch.setattr(LocalMLPlatform, "report", fail)
    elif fault == "other splits":
        changed["release_digest"] = "another"
    else:
        del changed["request"]
    lake.store.write_json("evaluation/data.json", changed)
    result = story.home.report()
    lake.store.write_json("evaluation/data.json", before)
    assert shown(result) == {}
    assert not checked(result).passed
    assert checked(result).severity is dg.AssetCheckSeverity.WARN
    assert expected in str(checked(result).metadata["error"].value)


def test_beside_a_champion_the_difference_is_shown(story: Story) -> None:
    assert "champion" not in story.first
    assert story.second["champion"].value == "version 2"
    assert story.second["champion_difference"].value == 0  # the very same model
    assert story.second["champion_difference_low"].value == 0
    paired = story.home.document()["metrics"]["champion"]["paired"]
    assert story.second["champion_rows"].value == paired["overall"]["rows"] > ROWS * 0.9


def test_beside_others_the_difference_on_files_that_they_knew_is_shown(story: Story) -> None:
    assert "by_file" not in story.first
    assert story.second["champion_known_files_told_by"].value == "learnt_rows"
    assert story.second["champion_known_files_difference"].value == 0
    assert story.second["champion_known_files_rows"] == story.second["champion_rows"]
    by_file = story.second["by_file"]
    assert isinstance(by_file, dg.TableMetadataValue)
    assert [(each.data["version"], each.data["value"]) for each in by_file.records] == [
        (f"version {version}", rows)
        for version in "21"
        for rows in ("all rows", "files that it knew")
    ]


def test_a_live_version_that_a_person_rejected_is_no_champion(story: Story) -> None:
    document = story.home.document()
    assert document["metrics"]["champion"]["version"] == "2"
    assert document["desired_version"] == 2
    assert datetime.fromisoformat(document["compared_at"]) < datetime.now(UTC)


def test_an_older_reference_is_compared_with_too_and_always_named(story: Story) -> None:
    assert story.first["reference"].value == "none"
    assert story.second["reference"].value == "version 1"
    assert story.home.document()["metrics"]["reference"]["version"] == "1"


def test_rows_that_the_test_split_lost_are_counted(story: Story) -> None:
    split = story.home.document()["metrics"]["split"]
    assert {"misplaced": 0, "leaked": 0, "missing": 2, "foreign": 0}.items() <= split.items()
    assert split["surveyed"] == ROWS - 2
    assert story.second["rows_out_of_place"].value == 2


@pytest.fixture
def beside_version_2(story: Story, tmp_path: Path) -> Home:
    """The home with version 2 live, and no word of a person on any."""
    shutil.copytree(story.home.folder, tmp_path / "home")
    home = Home(tmp_path / "home")
    shutil.rmtree(home.folder / "registry/versions/000003")
    publish_pointer(home.registry.store, "abalone", 2)
    return home


def test_without_the_archive_of_the_live_version_a_person_decides(beside_version_2: Home) -> None:
    home = beside_version_2
    home.registry.remove_archive(2)
    with pytest.raises(StorageError, match=r"version 2 is gone.*`abalone approve`"):
        home.evaluate()
    home.registry.approve(1, because="2 is lost", by="ana")
    assert home.evaluate()["champion"].value == "version 1"


def test_a_live_version_whose_record_is_gone_is_no_champion(beside_version_2: Home) -> None:
    home = beside_version_2
    shutil.rmtree(home.folder / "registry/versions/000002")
    shown = home.evaluate()
    assert shown["champion"].value == "version 1"
    assert "version 2, which is live, is gone" in str(shown["lost_champion"].value)
    assert home.document()["desired_version"] == 1
