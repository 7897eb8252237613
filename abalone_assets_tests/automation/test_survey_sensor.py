"""The survey sensor: every way in which a file comes, changes and goes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from abalone_assets_tests.automation.support import (
    DAY,
    FILE,
    INGEST,
    RELEASE_SENSOR,
    SURVEY_SENSOR,
    Clock,
    ingest,
    ingested,
    name_of,
    ranges,
    requests,
    today,
)
from abalone_assets_tests.support.platform import Platform, survey_rows

if TYPE_CHECKING:
    from collections.abc import Callable


def _land_within_the_second(platform: Platform, name: str) -> None:
    """Land a file whose time of writing is that of the first one, to the second."""
    second = (platform.home / "landing_zone" / FILE).stat().st_mtime_ns // 10**9 * 10**9
    platform.land(name, survey_rows(4, seed=1))
    os.utime(platform.home / "landing_zone" / name, ns=(second, second))


OTHER = name_of(DAY, "115959")
CHANGES: dict[str, tuple[Callable[[Platform], None], dict[str, int]]] = {
    "rewritten": (lambda platform: platform.land(FILE, survey_rows(5, seed=1)), {FILE: 5}),
    "rewritten with its size unchanged": (
        lambda platform: platform.land(FILE, survey_rows(3).replace(b",15\n", b",16\n")),
        {FILE: 3},
    ),
    "rewritten within the second": (lambda p: _land_within_the_second(p, FILE), {FILE: 4}),
    # A watermark on the time of the last file once seen would skip it.
    "followed by one of the same second": (
        lambda platform: _land_within_the_second(platform, OTHER),
        {FILE: 3, OTHER: 4},
    ),
}
"""What may become of a file of three rows, and the rows of its day then."""


class TestADayIsDue:
    @pytest.mark.parametrize("late", [False, True], ids=["of today", "late for a day long past"])
    def test_when_a_new_file_arrives(self, platform: Platform, *, late: bool) -> None:
        platform.land(name_of("2025-06-01"), survey_rows(3))
        assert ingest(platform) == [True]
        day = "2023-01-01" if late else today()
        platform.land(name_of(day, "000000"), survey_rows(4))
        asked = requests(platform)
        assert ranges(asked) == [(day, day)]
        platform.run(INGEST, asked[0])
        assert ingested(platform, day) == {name_of(day, "000000"): 4}

    @pytest.mark.parametrize("change", list(CHANGES))
    def test_when_a_file_is(self, platform: Platform, change: str) -> None:
        platform.land(FILE, survey_rows(3))
        assert ingest(platform) == [True]
        digest = platform.lake.manifest().days[DAY].digest
        make, rows = CHANGES[change]
        make(platform)
        assert ingest(platform) == [True]
        assert ingested(platform) == rows
        assert platform.lake.manifest().days[DAY].digest != digest

    def test_when_a_file_is_deleted(self, platform: Platform) -> None:
        other = name_of(DAY, "120001")
        platform.land(FILE, survey_rows(3))
        platform.land(other, survey_rows(4, seed=1))
        assert ingest(platform) == [True]
        (platform.home / "landing_zone" / other).unlink()
        assert ingest(platform) == [True]
        assert ingested(platform) == {FILE: 3}
        platform.land(name_of("2025-03-02"), survey_rows(3, seed=2))
        assert ingest(platform) == [True]
        (platform.home / "landing_zone" / FILE).unlink()
        assert ingest(platform) == [True]
        assert ingested(platform) == {}

    def test_but_not_when_identical_bytes_land_again(self, platform: Platform) -> None:
        platform.land(FILE, survey_rows(3))
        assert ingest(platform) == [True]
        platform.land(FILE, survey_rows(3))
        assert requests(platform) == []

    def test_but_not_while_an_upload_is_under_way(self, platform: Platform) -> None:
        (platform.home / "landing_zone" / f".{FILE}.part").write_bytes(survey_rows(3))
        assert requests(platform) == []


class TestAFileThatGrows:
    def append(self, platform: Platform, name: str, data: bytes) -> None:
        with (platform.home / "landing_zone" / name).open("ab") as file:
            file.write(data)

    def test_is_ingested_when_it_comes_to_rest_and_the_days_other_file_at_once(
        self, platform: Platform, clock: Clock
    ) -> None:
        rows = survey_rows(6, seed=1).splitlines(keepends=True)
        platform.land(OTHER, survey_rows(4))
        for number, row in enumerate(rows):
            self.append(platform, FILE, row)
            assert ingest(platform) == ([True] if number == 0 else [])
            clock.advance(seconds=5)
        assert f"1 file still being written ({FILE})" in str(platform.reasons[SURVEY_SENSOR])
        assert {file.name for file in platform.lake.manifest().days[DAY].files} == {OTHER}
        asked = requests(platform)
        assert ranges(asked) == [(DAY, DAY)]
        clock.reset()
        platform.run(INGEST, asked[0])
        assert ingested(platform) == {OTHER: 4, FILE: 6}

    def test_holds_no_release_back(self, platform: Platform) -> None:
        platform.land(OTHER, survey_rows(4))
        assert ingest(platform) == [True]
        self.append(platform, FILE, survey_rows(1, seed=1))
        assert requests(platform) == []
        assert len(requests(platform, RELEASE_SENSOR)) == 1

    def test_is_taken_as_it_is_without_a_rest_to_wait_for(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ABALONE_SETTLE_SECONDS", "0")
        self.append(platform, FILE, survey_rows(2))
        assert ingest(platform) == [True]
        assert ingested(platform) == {FILE: 2}
