"""A run records what it was made from, and is made from that and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from abalone_assets.defs.preparation.prepare import ATTEMPTS
from abalone_assets.errors import StorageError
from abalone_assets.etl import polars_engine
from abalone_assets.external.local_training import require_digest
from abalone_assets.lake.kept_inputs import (
    RAW,
    SURVEYS,
    days_of,
    kept_key,
    last_inputs,
    stored_sha256,
)
from abalone_assets.resources.ml_platform import LocalMLPlatform, TrainingRequest
from abalone_assets_tests.automation.support import (
    RELEASE,
    RELEASE_SENSOR,
    files_below,
    ingest,
    name_of,
    prepare_only,
    requests,
)
from abalone_assets_tests.defs.test_release_lease import failures_of
from abalone_assets_tests.support.platform import Platform, survey_rows

if TYPE_CHECKING:
    import dagster as dg

DAY = "2025-03-14"


def test_a_day_and_the_base_survey_are_committed_with_the_digest_of_their_rows(
    platform: Platform,
) -> None:
    lake = platform.lake
    platform.land(name_of(DAY), survey_rows(6))
    platform.land(name_of("2025-03-16"), b"no survey\n")
    assert all(ingest(platform))
    first = stored_sha256(lake.store, lake.key(SURVEYS, DAY))
    assert lake.manifest().days[DAY].rows_sha256 == first
    assert lake.manifest().days["2025-03-16"].rows_sha256 == ""

    platform.land(name_of(DAY), survey_rows(7, seed=1))
    assert ingest(platform) == [True]
    assert stored_sha256(lake.store, kept_key(first)) == first
    assert lake.manifest().days[DAY].rows_sha256 == stored_sha256(
        lake.store, lake.key(SURVEYS, DAY)
    )

    assert prepare_only(platform, RAW).success
    raw = lake.manifest().raw
    assert raw is not None
    assert raw.rows_sha256 == stored_sha256(lake.store, lake.key(RAW))


def ingesting_meanwhile(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, times: int
) -> list[str]:
    """Have a day ingested again, so often, whenever its rows have just been read."""
    asked = list[str]()
    real = polars_engine.prepare

    def read(request: Any, before: Any) -> Any:
        report = real(request, before)
        asked.append(request.digest)
        if len(asked) <= times:
            platform.land(name_of(DAY), survey_rows(8, seed=20 + len(asked)))
            assert ingest(Platform(**{**vars(platform), "cursors": {}})) == [True]
        return report

    monkeypatch.setattr(polars_engine, "prepare", read)
    return asked


def test_a_day_that_is_ingested_again_while_it_is_read_is_read_again(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.land(name_of(DAY), survey_rows(6))
    assert ingest(platform) == [True]
    asked = ingesting_meanwhile(platform, monkeypatch, times=1)

    assert prepare_only(platform).success

    lake = platform.lake
    assert len(asked) == 2
    assert lake.preparation().digest == lake.manifest().digest == asked[1]
    inputs = last_inputs(lake)
    assert inputs is not None
    assert inputs.digest == asked[1]
    assert days_of(lake.store, inputs)[DAY].rows == 8


def test_days_that_are_ingested_again_and_again_end_the_release(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.land(name_of(DAY), survey_rows(6))
    assert ingest(platform) == [True]
    asked = ingesting_meanwhile(platform, monkeypatch, times=99)

    result = prepare_only(platform)

    assert len(asked) == ATTEMPTS
    assert (
        "0 others were ingested again while they were read, 3 times"
        in (failures_of(platform, result)[0])
    )
    with pytest.raises(StorageError, match="materialize merged_dataset first"):
        platform.lake.preparation()


def test_a_preparation_is_recorded_with_what_it_wrote_and_by_what(platform: Platform) -> None:
    assert prepare_only(platform).success

    lake = platform.lake
    preparation = lake.preparation()
    assert preparation.engine.startswith("polars ")
    assert preparation.splits.keys() == {"train_split", "validation_split", "test_split"}
    for name, written in preparation.splits.items():
        assert written.sha256 == stored_sha256(lake.store, lake.key(name))


@pytest.mark.parametrize("step", ["train", "evaluate"])
def test_splits_of_another_run_are_found_out_before_a_model_comes_of_them(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    work = getattr(LocalMLPlatform, step)

    def overwritten(*arguments: Any) -> Any:
        done = work(*arguments)
        key = platform.lake.key("train_split")
        platform.lake.store.write(key, platform.lake.store.read(key) + b"of another run")
        return done

    monkeypatch.setattr(LocalMLPlatform, step, overwritten)
    (request,) = requests(platform, RELEASE_SENSOR)

    result = platform.run(RELEASE, request, raise_on_error=False)

    (why,) = failures_of(platform, result)
    assert "was written again since this release prepared it" in why
    assert files_below(platform.home / "registry") == {}


def test_training_here_reads_the_bytes_that_were_prepared(platform: Platform) -> None:
    assert prepare_only(platform).success
    lake = platform.lake
    request = TrainingRequest(
        {"train": lake.uri("train_split"), "validation": lake.uri("validation_split")},
        lake.folder_uri("trained_model"),
        sha256={"validation": "0" * 64},
    )
    with pytest.raises(StorageError, match=r"validation_split.* holds other rows than"):
        LocalMLPlatform().train(request, cast("dg.AssetExecutionContext", None))
    assert require_digest(b"any", "", "place") == b"any"
