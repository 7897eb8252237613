"""One new survey day costs that day: what is written is, byte for byte, what a rebuild writes."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abalone_assets.errors import StorageError
from abalone_assets.etl import (
    extended_file,
    input_rows,
    kept_outputs,
    parquet_output,
    spooled_rows,
)
from abalone_assets.etl.polars_engine import prepare
from abalone_assets.survey.origin import SURVEYED, SYNTHETIC
from abalone_assets_tests.etl.support import SPLITS, request_for
from abalone_assets_tests.etl.test_preparation import Row, frame
from abalone_assets_tests.support.strategies import rows_of_a_survey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abalone_assets.etl.request import PrepareReport, PrepareRequest

OUTPUTS = ("merged_dataset", *SPLITS)
OLD_DAY, DAY, NEXT_DAY = "abalone.20250203", "abalone.20250303", "abalone.20250304"

animals = st.lists(
    st.tuples(rows_of_a_survey, st.sampled_from([SURVEYED, SYNTHETIC])), min_size=1, max_size=3
)


@pytest.fixture(autouse=True, scope="module")
def small_row_groups() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet_output, "ROW_GROUP_ROWS", 7)
        patch.setattr(extended_file, "ROW_GROUP_ROWS", 7)
        yield


class Lake:
    """A folder with inputs and outputs.

    Args:
        folder: Is made.
        older: Frames of surveys of before, by file.
    """

    def __init__(self, folder: Path, older: dict[str, pl.DataFrame]) -> None:
        self.folder = folder
        self._request = replace(request_for(older, str(folder)), older="these")

    def request(self, newest: dict[str, pl.DataFrame], **changes: Any) -> PrepareRequest:
        of_newest = request_for(newest, str(self.folder))
        return replace(self._request, newest=of_newest.inputs, **changes)

    def prepare(self, newest: dict[str, pl.DataFrame], **changes: Any) -> PrepareReport:
        return replace(prepare(self.request(newest, **changes)), seconds=0)

    def hide_older(self) -> None:
        """Let nobody read the inputs of the older surveys."""
        for path in self._request.inputs:
            Path(path).write_bytes(b"not to be read")

    def bytes(self) -> dict[str, bytes]:
        return {name: (self.folder / name / "data.parquet").read_bytes() for name in OUTPUTS}

    def files(self) -> list[str]:
        paths = (path for name in OUTPUTS for path in (self.folder / name).iterdir())
        return sorted(str(path.relative_to(self.folder)) for path in paths)


def rows_from(start: int, count: int = 40) -> list[Row]:
    return [("M", *(round(0.1 + n / 9973, 4),) * 7, 9) for n in range(start, start + count)]


@settings(max_examples=8, deadline=None)
@given(animals, animals, animals, st.randoms(use_true_random=False))
def test_a_day_more_gives_the_bytes_and_the_counts_of_a_rebuild(
    older: list[tuple[list[Row], str]],
    days: list[tuple[list[Row], str]],
    more: list[tuple[list[Row], str]],
    random: Any,
) -> None:
    old = {f"{OLD_DAY}{i}": frame(r, f"{OLD_DAY}{i}", o) for i, (r, o) in enumerate(older)}
    new = {f"{DAY}{i}": frame(r, f"{DAY}{i}", o) for i, (r, o) in enumerate([*days, *more])}
    # What crews send again: rows of before and of this month, from files of any name.
    sent_again = random.choices([row for rows, _ in [*older, *days] for row in rows], k=5)
    name = random.choice(["a", NEXT_DAY])
    whole = {**new, "again": frame(sent_again, name, random.choice([SURVEYED, SYNTHETIC]))}
    with tempfile.TemporaryDirectory() as folder:
        lake, anew = Lake(Path(folder, "a"), old), Lake(Path(folder, "b"), old)
        lake.prepare(dict(list(new.items())[: len(days)]))
        assert lake.prepare(whole) == anew.prepare(whole)
        assert lake.bytes() == anew.bytes()
        assert lake.files() == anew.files()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A month of before, and the first day of the newest one prepared."""
    made = Lake(tmp_path, {OLD_DAY: frame(rows_from(0), OLD_DAY)})
    made.prepare({DAY: frame(rows_from(100), DAY)})
    return made


def test_only_the_newest_surveys_are_read(lake: Lake) -> None:
    lake.hide_older()
    newest = {DAY: frame(rows_from(100), DAY), NEXT_DAY: frame(rows_from(140, 9), NEXT_DAY)}
    report = lake.prepare(newest)
    assert (report.rows_in, report.repeats, report.rows["merged_dataset"]) == (89, 0, 89)
    merged = pl.read_parquet(lake.folder / "merged_dataset/data.parquet")
    files = merged["source_file"].to_list()
    assert files[:40] == [OLD_DAY] * 40
    assert set(files[40:]) == {DAY, NEXT_DAY}
    assert sum(report.rows[name] for name in SPLITS) == 89


def test_a_row_that_was_surveyed_before_is_no_row_more_and_the_older_file_has_it(
    lake: Lake,
) -> None:
    lake.hide_older()
    report = lake.prepare({DAY: frame([*rows_from(20), *rows_from(25, 5)], DAY)})
    assert (report.rows_in, report.repeats, report.rows["merged_dataset"]) == (85, 25, 60)


@pytest.mark.parametrize(("name", "origin"), [("a", SURVEYED), (DAY, SYNTHETIC)])
def test_a_row_of_before_that_changes_has_all_made_anew_each_time(
    lake: Lake, name: str, origin: str
) -> None:
    newest = {DAY: frame(rows_from(38, 2), name, origin)}
    for _ in range(2):
        lake.prepare(newest)
        merged = pl.read_parquet(lake.folder / "merged_dataset/data.parquet")
        changed = merged.filter((pl.col("source_file") == "a") | (pl.col("origin") == SYNTHETIC))
        assert (len(merged), len(changed)) == (40, 2)
        assert lake.files() == [f"{name}/data.parquet" for name in sorted(OUTPUTS)]
    lake.hide_older()
    with pytest.raises(StorageError, match="cannot read or write"):
        lake.prepare(newest)


@pytest.mark.parametrize(("older", "version"), [("others", 1), ("these", 2)])
def test_what_was_made_of_other_surveys_or_by_another_release_is_not_kept(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, older: str, version: int
) -> None:
    monkeypatch.setattr(kept_outputs, "VERSION", version)
    keys = lake.folder / "merged_dataset"  # as a killed preparation of others may leave them
    shutil.copy(keys / "_keys.1-these.npy", keys / "_keys.1-others.npy")
    lake.hide_older()
    with pytest.raises(StorageError, match="cannot read or write"):
        lake.prepare({DAY: frame(rows_from(100), DAY)}, older=older)


@pytest.mark.parametrize(
    "damage",
    ["a split is gone", "a split of before", "a split of others", "keys are gone", "cut", "pages"],
)
def test_what_is_not_whole_is_made_anew(lake: Lake, tmp_path: Path, damage: str) -> None:
    newest = {DAY: frame([*rows_from(0), *rows_from(110)], DAY)}
    expected = Lake(tmp_path / "anew", {OLD_DAY: frame(rows_from(0), OLD_DAY)})
    counts = expected.prepare(newest)
    split = lake.folder / "test_split/data.parquet"
    if damage == "a split is gone":
        split.unlink()
    elif damage == "a split of before":
        pl.read_parquet(split).write_parquet(split)
    elif damage == "a split of others":
        other = Lake(tmp_path / "other", {OLD_DAY: frame(rows_from(50), OLD_DAY)})
        other.prepare(newest, older="others")
        shutil.copy(other.folder / "test_split/data.parquet", split)
    elif damage == "keys are gone":
        (keys,) = (lake.folder / "merged_dataset").glob("_keys*")
        keys.unlink()
    elif damage == "pages":  # of rows that are compared with new ones
        path = lake.folder / "merged_dataset/data.parquet"
        data = path.read_bytes()
        path.write_bytes(data[:4] + b"\xff" * 400 + data[404:])
    else:
        split.write_bytes(split.read_bytes()[:-5])
    assert lake.prepare(newest) == counts
    assert lake.bytes() == expected.bytes()


def test_a_lake_of_the_release_before_goes_on(lake: Lake, tmp_path: Path) -> None:
    """Its outputs are Polars' own, with all rows in the order of their hash."""
    for name in OUTPUTS:
        path = lake.folder / name / "data.parquet"
        rows = pl.read_parquet(path)
        path.unlink()
        rows.write_parquet(path)
    for path in (lake.folder / "merged_dataset").glob("_keys*"):
        path.unlink()
    newest = {DAY: frame(rows_from(100, 50), DAY)}
    expected = Lake(tmp_path / "anew", {OLD_DAY: frame(rows_from(0), OLD_DAY)})
    assert lake.prepare(newest) == expected.prepare(newest)
    assert lake.bytes() == expected.bytes()


def test_whoever_may_write_no_more_leaves_what_is_there(lake: Lake) -> None:
    before, files = lake.bytes(), lake.files()

    def lost() -> NoReturn:
        raise PermissionError("another run has the lake")

    for newest in ({DAY: frame(rows_from(120), DAY)}, {DAY: frame(rows_from(0), "a")}):
        with pytest.raises(StorageError, match="another run has the lake"):
            prepare(lake.request(newest), lost)
        assert lake.bytes() == before
        assert lake.files() == files


def test_a_preparation_killed_between_two_outputs_is_made_good_by_the_next(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = {DAY: frame(rows_from(110), DAY)}
    expected = Lake(tmp_path / "anew", {OLD_DAY: frame(rows_from(0), OLD_DAY)})
    counts = expected.prepare(newest)
    put, left = Path.replace, 0

    def dies(path: Path, target: str) -> Path:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return put(path, target)

    as_it_was = tmp_path / "as it was"
    shutil.copytree(lake.folder, as_it_was, ignore=shutil.ignore_patterns("anew", "as it was"))
    for older, done in [("these", 1), ("others", 0), ("others", 1), ("others", 2)]:
        shutil.copytree(as_it_was, lake.folder, dirs_exist_ok=True)
        left = done  # of the replacements, of which the keys' is the first in a rebuild
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", dies)
            with pytest.raises(KeyboardInterrupt):
                lake.prepare(newest, older=older)
        assert lake.prepare(newest) == counts
        assert lake.bytes() == expected.bytes()
        assert lake.files() == expected.files()


@settings(max_examples=5, deadline=None)
@given(animals, animals, st.integers(1, 9))
def test_by_way_of_the_disk_the_bytes_are_those_made_in_memory(
    older: list[tuple[list[Row], str]], days: list[tuple[list[Row], str]], part_rows: int
) -> None:
    old = {f"{OLD_DAY}{i}": frame(r, f"{OLD_DAY}{i}", o) for i, (r, o) in enumerate(older)}
    new = {f"{DAY}{i}": frame(r, f"{DAY}{i}", o) for i, (r, o) in enumerate(days)}
    count = sum(map(len, [*old.values(), *new.values()]))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        lake, spooled = Lake(Path(folder, "a"), old), Lake(Path(folder, "b"), old)
        report = lake.prepare(new, rows=count)
        patch.setattr(input_rows, "IN_MEMORY_ROWS", 0)
        patch.setattr(input_rows, "_BATCH_ROWS", 6)
        patch.setattr(spooled_rows, "PART_ROWS", part_rows)
        assert spooled.prepare(new, rows=count) == report
        assert spooled.bytes() == lake.bytes()
        assert spooled.files() == lake.files()
        assert not (spooled.folder / "_staged").exists()


@pytest.mark.parametrize("column", ["height", "source_file"])
def test_by_way_of_the_disk_a_row_that_lacks_a_value_is_named(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, column: str
) -> None:
    monkeypatch.setattr(input_rows, "IN_MEMORY_ROWS", 0)
    lacking = frame(rows_from(0), OLD_DAY).with_columns(height=float("nan"))
    if column == "source_file":
        lacking = frame(rows_from(0), OLD_DAY).drop(column)
    other = Lake(lake.folder, {OLD_DAY: frame(rows_from(0), OLD_DAY), "lacking": lacking})
    before = lake.bytes()
    with pytest.raises(StorageError, match=rf"lacking\.parquet lacks {column}$"):
        other.prepare({DAY: frame(rows_from(100), DAY)}, rows=80, older="others")
    assert lake.bytes() == before
    assert not (lake.folder / "_staged").exists()


def test_nothing_is_kept_on_s3(s3: str) -> None:
    request = request_for({"old": frame(rows_from(0), OLD_DAY)}, s3)
    newest = request_for({"new": frame(rows_from(30), DAY)}, s3).inputs
    for rows in (0, input_rows.IN_MEMORY_ROWS + 1):
        report = prepare(replace(request, newest=newest, older="these", rows=rows))
        assert (report.rows_in, report.repeats) == (80, 10)
        assert len(pl.read_parquet(request.merged)) == 70
