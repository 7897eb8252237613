"""`abalone synthesize`."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

import polars as pl
import pytest

from abalone_assets.ingest.frames import survey_frame, to_parquet
from abalone_assets.ingest.synthetic_files import synthetic_files
from abalone_assets.lake.lake import Lake
from abalone_assets.survey import parse_survey
from abalone_assets.survey.origin import SURVEYED
from abalone_assets.synthesis.latents import WhiteNoise
from abalone_assets.synthesis.survey_file import survey_text
from abalone_assets_tests.cli.support import abalone, abalone_json, ingest
from abalone_assets_tests.synthesis.support import animal, animals, real, teach_nothing

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.synthesis.networks import Training

NAME = "abalone.20250901061500"
DATED = ("synthesize", "--date", "2025-09-01T06:15:00", "--rows", "30")


@pytest.fixture
def untaught(monkeypatch: pytest.MonkeyPatch) -> None:
    teach_nothing(monkeypatch)


@pytest.fixture
def lake(home: Path) -> Lake:
    """Of a home that has ingested a small base survey."""
    lake = Lake(str(home / "lake"))
    base = parse_survey(survey_text(real().all), "base.csv")
    lake.store.write(lake.key("raw_abalone"), to_parquet(survey_frame([base])))
    return lake


def test_the_command_that_lands_it_can_be_pasted(
    lake: Lake, tmp_path: Path, untaught: None
) -> None:
    folder = tmp_path / "Ana's surveys"
    said = abalone(*DATED, "--output", folder).stdout
    typed = said.rpartition("Next: `")[2].rstrip("`\n")
    assert shlex.split(typed) == ["abalone", "land", str(folder / NAME)]


def test_a_survey_is_written_to_a_folder_and_keeps_its_origin_when_it_lands(
    lake: Lake, home: Path, tmp_path: Path, untaught: None
) -> None:
    folder = tmp_path / "surveys"
    document = abalone_json(*DATED, "--output", folder)
    assert document["outcome"] == "landed"
    assert document["source"] == lake.uri("raw_abalone")
    assert document["broken"] == []
    assert os.listdir(folder) == [NAME]  # noqa: PTH208 - hidden leftovers count
    assert list(synthetic_files(lake.store)) == [document["sha256"]]
    renamed = folder / "abalone.20250902061500"
    (folder / NAME).rename(renamed)
    assert abalone("land", renamed).exit_code == 0
    ingest(home, "2025-09-02")
    ((entry,),) = [day.files for day in lake.manifest().days.values()]
    assert entry.sha256 == document["sha256"]


def test_a_survey_lands_once(lake: Lake, home: Path, untaught: None) -> None:
    first, again = abalone_json(*DATED, "--land"), abalone_json(*DATED, "--land")
    assert [each["outcome"] for each in (first, again)] == ["landed", "identical"]
    assert [each["synthesizer"]["taken_from_the_lake"] for each in (first, again)] == [False, True]
    assert first["sha256"] == again["sha256"]
    assert parse_survey((home / "landing_zone" / NAME).read_bytes(), NAME).row_count == 30


def test_what_it_learnt_from_and_how_good_it_is_are_shown(lake: Lake, tmp_path: Path) -> None:
    result = abalone(*DATED, "--output", tmp_path)
    assert result.exit_code == 0, result.output
    assert re.search(
        r"Recipe copula \([0-9.]+ s\), learnt from \d+ rows of .*raw_abalone", result.stdout
    )
    assert re.search(r"tstr_ratio +[01]\.\d+ +≤ 1.1 +✓", result.stdout)
    assert re.search(r"\d+ rows drawn, \d+ rejected.*, 0 repaired", result.stdout)
    assert f"30 rows, written: {tmp_path / NAME}" in result.stdout


def test_without_a_lake_it_learns_from_the_bundled_survey(
    home: Path, tmp_path: Path, untaught: None
) -> None:
    document = abalone_json(*DATED, "--output", tmp_path)
    assert document["source"] == "the bundled base_survey.csv (the lake has none yet)"


def test_another_simulation_is_replaced_by_force_only(
    lake: Lake, tmp_path: Path, untaught: None
) -> None:
    first = abalone_json(*DATED, "--output", tmp_path, "--seed", "7")
    before = (tmp_path / NAME).read_bytes()
    result = abalone(*DATED, "--output", tmp_path)
    assert result.exit_code == 1
    assert "with another content" in result.stderr
    assert (tmp_path / NAME).read_bytes() == before
    document = abalone_json(*DATED, "--output", tmp_path, "--force")
    assert document["outcome"] == "replaced"
    assert document["sha256"] != first["sha256"]


@pytest.fixture
def unfitted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where fitting would come too early."""

    def fit(*_: object) -> None:
        raise AssertionError("fitted before all else was judged")

    monkeypatch.setattr("abalone_assets.synthesis.recipes.fit_once", fit)


def test_a_crews_file_is_not_replaced_even_by_force_and_that_is_told_before_the_fit(
    lake: Lake, home: Path, unfitted: None
) -> None:
    landed = home / "landing_zone" / NAME
    landed.write_text("of a crew\n")
    result = abalone(*DATED, "--land", "--force")
    assert result.exit_code == 1
    assert "`abalone land --force`" in result.stderr
    assert landed.read_text() == "of a crew\n"


def test_a_place_that_takes_no_file_is_told_before_the_fit(
    lake: Lake, tmp_path: Path, unfitted: None
) -> None:
    (tmp_path / "file").touch()
    result = abalone(*DATED, "--output", tmp_path / "file" / "below")
    assert result.exit_code == 1
    assert "cannot make this folder" in result.stderr


def test_a_row_of_the_last_release_is_not_repeated(
    lake: Lake, tmp_path: Path, untaught: None
) -> None:
    abalone_json(*DATED, "--output", tmp_path / "first")
    data = (tmp_path / "first" / NAME).read_bytes()
    released = survey_frame([parse_survey(data, NAME)]).with_columns(origin=pl.lit(SURVEYED))
    lake.store.write(lake.key("merged_dataset"), to_parquet(released))
    abalone_json(*DATED, "--output", tmp_path / "second")
    again = (tmp_path / "second" / NAME).read_bytes()
    assert set(data.splitlines()).isdisjoint(again.splitlines())


def test_a_log_is_told_once_that_networks_take_their_time(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, untaught: None
) -> None:
    def train(white: object, sexes: object, training: Training) -> WhiteNoise:
        for epoch in range(training.epochs):
            training.on_epoch(epoch + 1)
        return WhiteNoise()

    monkeypatch.setattr("abalone_assets.synthesis.networks.train_ctgan", train)
    fast = ("--recipe", "ctgan", "--epochs", "3", "--seeds", "1")
    result = abalone(*DATED, *fast, "--output", tmp_path)
    assert result.exit_code == 0, result.output
    told = "fitting ctgan: 1 seed of 3 epochs"
    assert [line for line in result.stderr.splitlines() if told in line] == [
        f"{told}; by default, that takes some minutes"
    ]


def test_a_simulation_that_is_not_good_enough_is_taken_by_force_only(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("abalone_assets.synthesis.quality.transfer_rmse", lambda *_: float("nan"))
    result = abalone(*DATED, "--output", tmp_path / "new")
    assert result.exit_code == 1
    assert "nothing was written, as the simulation is not good enough: tstr_ratio" in result.stderr
    assert list((tmp_path / "new").iterdir()) == []
    assert synthetic_files(lake.store) == {}
    forced = abalone(*DATED, "--output", tmp_path / "new", "--force")
    assert forced.exit_code == 0
    assert "Fails the quality check: tstr_ratio is nan" in forced.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["--land", "--output", "x"], 2, "--land and --output exclude each other"),
        (["--land", "--date", "2019-09-01"], 1, "cannot land: choose a day from 2023-01-01"),
        (["--date", "soon"], 1, "'soon' is no date or time"),
        (["--date", "9999-12-31T23:59:59-12:00"], 1, "is no date or time"),
        (["--rows", "0"], 2, "0 is not in the range 1<=x<=100000"),
        (["--rows", "100001"], 2, "100001 is not in the range"),
        (["--epochs", "-1"], 2, "-1 is not in the range 0<=x<=10000"),
        (["--seeds", "21"], 2, "21 is not in the range 0<=x<=20"),
        (["--recipe", "gan"], 2, "'gan' is not one of"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    lake: Lake, unfitted: None, arguments: list[str], exit_code: int, message: str
) -> None:
    result = abalone("synthesize", *arguments)
    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert message in result.stderr


def test_too_small_a_base_survey_is_one_error(home: Path) -> None:
    lake = Lake(str(home / "lake"))
    base = parse_survey(survey_text(animals(animal())), "base.csv")
    lake.store.write(lake.key("raw_abalone"), to_parquet(survey_frame([base])))
    result = abalone(*DATED, "--land")
    assert result.exit_code == 1
    assert "1 real rows are too few to simulate from" in result.stderr
