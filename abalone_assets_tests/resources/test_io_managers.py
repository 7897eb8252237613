import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from abalone_assets.errors import StorageError
from abalone_assets.lake.lake import Lake
from abalone_assets.resources.storage import JsonIOManager, LakeResource, ParquetIOManager

DAYS = ["2025-03-01", "2025-03-02", "2025-03-03"]
DAILY = dg.DailyPartitionsDefinition(DAYS[0], "2025-03-20")
SCHEMA = {"day": pl.String(), "number": pl.Int64()}


def parquet_asset(function: Callable[..., Any], **options: Any) -> dg.AssetsDefinition:
    """A Parquet asset."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # backfill policies are beta
        made: dg.AssetsDefinition = dg.asset(io_manager_key="parquet", **options)(function)
        return made


PER_DAY: dict[str, Any] = {
    "partitions_def": DAILY,
    "backfill_policy": dg.BackfillPolicy.single_run(),
}


def daily(function: Callable[..., Any]) -> dg.AssetsDefinition:
    """A Parquet asset of which one run may cover many days."""
    return parquet_asset(function, **PER_DAY)


def rows(*days: str) -> pl.DataFrame:
    """Two rows of each day."""
    return pl.DataFrame([(day, number) for day in days for number in (1, 2)], SCHEMA, orient="row")


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(params=["folder", "s3"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    return Lake(request.getfixturevalue("s3") if request.param == "s3" else str(tmp_path / "lake"))


@pytest.fixture
def run(instance: dg.DagsterInstance, lake: Lake) -> Callable[..., dg.ExecuteInProcessResult]:
    """Materialize assets whose IO managers write to the lake, for the given days in one run."""
    resource = LakeResource(uri=lake.store.uri)

    def materialize(*assets: dg.AssetsDefinition, days: Any = ()) -> dg.ExecuteInProcessResult:
        tags = {}
        if len(days) > 1:
            tags = {
                "dagster/asset_partition_range_start": days[0],
                "dagster/asset_partition_range_end": days[-1],
            }
        return dg.materialize(
            assets,
            instance=instance,
            partition_key=days[0] if len(days) == 1 else None,
            tags=tags,
            selection=[assets[-1]],
            resources={
                "parquet": ParquetIOManager(lake=resource),
                "json": JsonIOManager(lake=resource),
            },
        )

    return materialize


@daily
def surveys(context: dg.AssetExecutionContext) -> Any:
    """A frame a day: a mapping for a range, the frame itself for one day."""
    frames = {day: rows(day) for day in context.partition_keys}
    return frames if len(frames) > 1 else frames[context.partition_key]


@dg.asset(io_manager_key="parquet")
def whole() -> pl.DataFrame:
    return rows("whole")


def reader_of(
    upstream: str, annotation: Any, seen: list[Any], **options: Any
) -> dg.AssetsDefinition:
    """An asset that keeps what its input arrived as."""

    def reader(loaded: Any) -> None:
        seen.append(loaded.collect() if isinstance(loaded, pl.LazyFrame) else loaded)

    reader.__annotations__["loaded"] = annotation
    loaded = dg.AssetIn(upstream, partition_mapping=options.pop("mapping", None))
    return parquet_asset(reader, ins={"loaded": loaded}, **options)


def test_an_unpartitioned_frame_is_one_object_and_reads_back(run: Any, lake: Lake) -> None:
    result = run(whole)
    assert [found.key for found in lake.store.list()] == ["whole/data.parquet"]
    (event,) = result.asset_materializations_for_node("whole")
    assert event.metadata["dagster/uri"].value == lake.uri("whole")
    for annotation in (pl.DataFrame, pl.LazyFrame):
        seen: list[Any] = []
        run(whole, reader_of("whole", annotation, seen))
        assert_frame_equal(seen[0], rows("whole"))


@pytest.mark.parametrize("days", [DAYS[:1], DAYS], ids=["one", "several"])
def test_partitions_are_written_an_object_each(run: Any, lake: Lake, days: list[str]) -> None:
    run(surveys, days=days)
    assert sorted(found.key for found in lake.store.list()) == [
        f"surveys/survey_day={day}/data.parquet" for day in days
    ]
    for day in days:
        frame = pl.read_parquet(lake.uri("surveys", day), hive_partitioning=False)
        assert_frame_equal(frame, rows(day))


def test_a_mapping_of_one_partition_is_written_too(run: Any, lake: Lake) -> None:
    # Whether a single partition comes with its dict differs in Dagster: dagster-io/dagster#28942.
    @dg.asset(name="surveys", partitions_def=DAILY, io_manager_key="parquet")
    def mapping(context: dg.AssetExecutionContext) -> Any:
        return {context.partition_key: rows(context.partition_key)}

    run(mapping, days=DAYS[1:2])
    assert [found.key for found in lake.store.list()] == [
        f"surveys/survey_day={DAYS[1]}/data.parquet"
    ]


@pytest.mark.parametrize("annotation", [pl.DataFrame, pl.LazyFrame])
@pytest.mark.parametrize("days", [DAYS[:1], DAYS], ids=["one", "several"])
def test_partitions_are_read_as_the_rows_of_all_of_them(
    run: Any, days: list[str], annotation: Any
) -> None:
    run(surveys, days=DAYS)
    seen: list[Any] = []
    run(surveys, reader_of("surveys", annotation, seen, **PER_DAY), days=days)
    assert_frame_equal(seen[0], rows(*days))


@pytest.mark.parametrize("days", [DAYS[:1], DAYS], ids=["one", "several"])
def test_partitions_are_read_as_a_frame_each(run: Any, days: list[str]) -> None:
    run(surveys, days=DAYS)
    seen: list[Any] = []
    run(surveys, reader_of("surveys", dict[str, pl.LazyFrame], seen, **PER_DAY), days=days)
    (frames,) = seen
    assert list(frames) == days
    for day, frame in frames.items():
        assert_frame_equal(frame.collect(), rows(day))


def test_partitions_that_were_never_written_are_left_out(run: Any) -> None:
    run(surveys, days=DAYS[:1])
    run(surveys, days=DAYS[2:])
    seen: list[Any] = []
    everything = dg.AllPartitionMapping()
    run(surveys, reader_of("surveys", pl.DataFrame, seen, mapping=everything))
    run(surveys, reader_of("surveys", dict[str, pl.LazyFrame], seen, mapping=everything))
    assert_frame_equal(seen[0], rows(DAYS[0], DAYS[2]))
    assert list(seen[1]) == [DAYS[0], DAYS[2]]


def test_of_partitions_none_of_which_was_written_a_dict_is_empty_and_a_frame_is_an_error(
    run: Any,
) -> None:
    seen: list[Any] = []
    run(surveys, reader_of("surveys", dict[str, pl.LazyFrame], seen, **PER_DAY), days=DAYS)
    assert seen == [{}]
    with pytest.raises(StorageError, match=r"surveys: nothing there yet; materialize surveys"):
        run(surveys, reader_of("surveys", pl.DataFrame, seen, **PER_DAY), days=DAYS)


@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
def test_no_partition_at_all_is_an_empty_dict(run: Any) -> None:
    run(surveys, days=DAYS)
    seen: list[Any] = []
    day_before = dg.TimeWindowPartitionMapping(
        start_offset=-1, end_offset=-1, allow_nonexistent_upstream_partitions=True
    )
    reader = reader_of("surveys", dict[str, pl.LazyFrame], seen, mapping=day_before, **PER_DAY)
    run(surveys, reader, days=DAYS[:1])
    assert seen == [{}]


def test_a_missing_unpartitioned_asset_is_one_clear_error(run: Any) -> None:
    with pytest.raises(StorageError, match=r"/whole: nothing there yet; materialize whole first"):
        run(whole, reader_of("whole", pl.LazyFrame, []))


@pytest.mark.parametrize("annotation", [pl.DataFrame, dict[str, pl.LazyFrame]])
def test_a_missing_bucket_is_not_taken_for_one_that_nothing_was_written_to_yet(
    s3: str, instance: dg.DagsterInstance, annotation: Any
) -> None:
    lake = LakeResource(uri="s3://no-bucket/lake")
    with pytest.raises(StorageError, match=r"^s3://no-bucket/lake.*: there is no such bucket"):
        dg.materialize(
            [surveys, reader_of("surveys", annotation, [], **PER_DAY)],
            instance=instance,
            partition_key=DAYS[0],
            selection=["reader"],
            resources={"parquet": ParquetIOManager(lake=lake)},
        )


@pytest.mark.parametrize(
    "frames",
    [
        rows("all"),
        *(
            {key: rows(key) for key in keys}
            for keys in ([], DAYS[:2], [*DAYS, "2025-03-04"], ["other", *DAYS[1:]])
        ),
    ],
    ids=["one for all", "none", "too few", "too many", "others"],
)
def test_frames_for_other_partitions_than_the_runs_are_refused_and_none_is_written(
    run: Any, lake: Lake, frames: Any
) -> None:
    @daily
    def wrong() -> Any:
        return frames

    with pytest.raises(StorageError, match=r"wrong: got frames for the partitions .*2025-03-03"):
        run(wrong, days=DAYS)
    assert list(lake.store.list()) == []


def test_what_is_no_frame_is_refused_and_never_pickled(run: Any, lake: Lake) -> None:
    @dg.asset(io_manager_key="parquet")
    def no_frame() -> Any:
        return object()

    with pytest.raises(StorageError, match=r"no_frame: .*polars\.DataFrame"):
        run(no_frame)
    assert list(lake.store.list()) == []


def test_a_pickle_in_the_place_of_a_document_or_frame_is_never_loaded(run: Any, lake: Lake) -> None:
    bomb = b"cbuiltins\nexec\n(S'raise SystemExit(3)'\ntR."
    lake.store.write("whole/data.parquet", bomb)
    lake.store.write("document/data.json", bomb)
    with pytest.raises(StorageError, match=r"/whole: cannot read these Parquet objects: "):
        run(whole, reader_of("whole", pl.DataFrame, []))
    with pytest.raises(StorageError, match="not a JSON document"):
        run(document, document_reader)


def test_the_lake_may_lie_in_a_folder_whose_name_looks_like_a_pattern(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    lake = LakeResource(uri=str(tmp_path / "a [b] *?"))
    seen: list[Any] = []
    assets = [whole, reader_of("whole", pl.DataFrame, seen)]
    dg.materialize(assets, instance=instance, resources={"parquet": ParquetIOManager(lake=lake)})
    assert_frame_equal(seen[0], rows("whole"))


def test_a_second_run_replaces_the_partition(run: Any, lake: Lake) -> None:
    run(surveys, days=DAYS[:1])
    lake.store.write(lake.key("surveys", DAYS[0]), b"damaged")
    run(surveys, days=DAYS)
    assert_frame_equal(
        pl.read_parquet(lake.uri("surveys", DAYS[0]), hive_partitioning=False), rows(DAYS[0])
    )


# JSON ------------------------------------------------------------------------------------------

DOCUMENT = {"z": [1, 2.5, None], "a": {"é": True}}


@dg.asset(io_manager_key="json")
def document() -> dict[str, Any]:
    return DOCUMENT


@dg.asset(io_manager_key="json")
def document_reader(document: dict[str, Any]) -> dict[str, Any]:
    return {"read": document}


def test_a_document_reads_back_as_it_was_written(run: Any, lake: Lake) -> None:
    result = run(document)
    (event,) = result.asset_materializations_for_node("document")
    assert event.metadata["dagster/uri"].value == lake.uri("document", suffix="json")
    assert run(document, document_reader).output_for_node("document_reader") == {"read": DOCUMENT}
    assert json.loads(lake.store.read("document/data.json")) == DOCUMENT


def test_a_missing_document_is_one_clear_error(run: Any) -> None:
    with pytest.raises(StorageError, match=r"data\.json: not there yet; materialize document"):
        run(document, document_reader)


def test_what_json_cannot_say_is_refused_and_the_old_document_stays(run: Any, lake: Lake) -> None:
    run(document)

    @dg.asset(name="document", io_manager_key="json")
    def unsayable() -> dict[str, Any]:
        return {"rmse": float("nan")}

    with pytest.raises(ValueError, match="not JSON compliant"):
        run(unsayable)
    assert lake.store.read_json("document/data.json") == DOCUMENT
