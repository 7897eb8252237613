"""Simulated survey files: as crews write them, and never to be taken for theirs."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.ingest.synthetic_files import synthetic_files
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.survey import parse_survey
from abalone_assets.synthesis import SynthesisError
from abalone_assets.synthesis.survey_file import (
    SimulatedSurvey,
    land,
    refuse_day,
    simulate_survey,
    survey_moment,
    survey_text,
)
from abalone_assets_tests.synthesis.support import animal, animals, copula, real

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TIME = datetime(2025, 9, 1, 6, 15, tzinfo=UTC)
NAME = "abalone.20250901061500"


def made(time: datetime = TIME, seed: int | None = None, rows: int = 20) -> SimulatedSurvey:
    return simulate_survey(copula(), rows, time, seed, real().all)


def test_numbers_are_written_as_crews_write_them() -> None:
    rows = animals(animal(), animal(sex="F", length=0.5, whole_weight=1.0, viscera_weight=0.0005))
    assert survey_text(rows) == (
        b"M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15\n"
        b"F,0.5,0.365,0.095,1,0.2245,0.0005,0.15,15\n"
    )


def test_a_survey_is_named_by_its_time_and_read_back_as_it_was_drawn() -> None:
    survey = made()
    assert survey.name == NAME
    parsed = parse_survey(survey.data, survey.name)
    assert (parsed.row_count, parsed.header_line, parsed.quarantined) == (20, False, [])


def test_the_same_time_or_seed_draws_the_same_animals_and_another_one_others() -> None:
    later = TIME + timedelta(seconds=1)
    assert made().data == made().data
    assert made(seed=7).data == made(later, seed=7).data
    for other in (made(later), made(seed=8)):
        assert not set(made().data.splitlines()) & set(other.data.splitlines())


@pytest.mark.parametrize("rows", [0, -1, 100_001])
def test_a_number_of_rows_out_of_range_is_refused(rows: int) -> None:
    with pytest.raises(SynthesisError, match="ask for 1 to 100,000"):
        made(rows=rows)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-09-01", datetime(2025, 9, 1, tzinfo=UTC)),
        ("2025-09-01T06:15:00", TIME),
        ("2025-09-01T08:15+02:00", TIME),
    ],
)
def test_a_time_without_a_zone_is_utc(text: str, moment: datetime) -> None:
    assert survey_moment(text) == moment


@pytest.mark.parametrize(
    "text",
    ["tomorrow", "20250901", "2025-W36-1", "9999-12-31T23:59:59-12:00", "0001-01-01T00+12:00"],
)
def test_what_is_no_time_in_utc_is_refused(text: str) -> None:
    with pytest.raises(SynthesisError, match="is no date or time: write 2025-09-01 or") as refused:
        survey_moment(text)
    assert text in str(refused.value)


def test_a_day_that_is_never_ingested_is_refused() -> None:
    first = date(2025, 9, 1)
    refuse_day(TIME, first)
    for time in (TIME - timedelta(days=1), datetime.now(UTC) + timedelta(days=2)):
        with pytest.raises(SynthesisError, match="cannot land: choose a day from 2025-09-01"):
            refuse_day(time, first)


class Watched(FolderLandingZone):
    """Sees whether the ledger knows a file when it becomes visible."""

    def __init__(self, folder: Path, store: ObjectStore) -> None:
        super().__init__(folder)
        self.store = store
        self.known: list[bool] = []
        self.just_before: Callable[[], object] = bool

    def land(self, name: str, data: bytes, *, replace: bool = True) -> None:
        self.known.append(name in {file.name for file in synthetic_files(self.store).values()})
        self.just_before()
        super().land(name, data, replace=replace)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "lake")


@pytest.fixture
def zone(tmp_path: Path, store: ObjectStore) -> Watched:
    (tmp_path / "zone").mkdir()
    return Watched(tmp_path / "zone", store)


def test_a_file_is_known_as_simulated_before_it_is_seen(zone: Watched, store: ObjectStore) -> None:
    assert land(made(), zone, store) == "landed"
    assert zone.known == [True]
    assert (zone.folder / NAME).read_bytes() == made().data
    ((sha256, entry),) = synthetic_files(store).items()
    assert sha256 == made().sha256
    assert (entry.name, entry.rows) == (NAME, 20)
    assert (entry.recipe, entry.seed) == ("copula", 20250901061500)
    assert entry.data_version == real().sha256


def test_the_same_file_again_changes_nothing(zone: Watched, store: ObjectStore) -> None:
    land(made(), zone, store)
    before = (zone.folder / NAME).stat()  # reading it changes its time of access
    assert land(made(), zone, store) == "identical"
    after = (zone.folder / NAME).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_another_content_is_neither_replaced_nor_recorded_unasked(
    zone: Watched, store: ObjectStore
) -> None:
    land(made(seed=1), zone, store)
    with pytest.raises(SynthesisError, match=r"with another content: choose another time"):
        land(made(), zone, store)
    assert (zone.folder / NAME).read_bytes() == made(seed=1).data
    assert list(synthetic_files(store)) == [made(seed=1).sha256]
    assert land(made(), zone, store, replace=True) == "replaced"
    assert (zone.folder / NAME).read_bytes() == made().data


def test_nor_is_one_that_lands_meanwhile(zone: Watched, store: ObjectStore) -> None:
    zone.just_before = lambda: (zone.folder / NAME).write_text("of a crew\n")
    with pytest.raises(SynthesisError, match=r"has just landed.*choose another time"):
        land(made(), zone, store, replace=True)
    assert (zone.folder / NAME).read_text() == "of a crew\n"


@pytest.mark.parametrize("replace", [False, True])
def test_a_surveyed_file_is_never_replaced(
    zone: Watched, store: ObjectStore, *, replace: bool
) -> None:
    (zone.folder / NAME).write_text("of a crew\n")
    with pytest.raises(SynthesisError, match=r"not known as simulated.*`abalone land --force`"):
        land(made(), zone, store, replace=replace)
    assert (zone.folder / NAME).read_text() == "of a crew\n"
    assert synthetic_files(store) == {}
