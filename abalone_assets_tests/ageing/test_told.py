"""Files of animals without rings, as commands, alerts and pages tell of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl
import pytest

from abalone_assets.alerts.models import lake_situation
from abalone_assets.alerts.surveys import zone_situation
from abalone_assets.ingest.memory import ANIMALS_MEMORY_KEY, Memory, write_memory
from abalone_assets.lake.lake import Lake
from abalone_assets.pages.surveys.downloads import with_decimal_commas
from abalone_assets.restore.animals import animals_told
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.ageing.shore import Shore, shore_at
from abalone_assets_tests.ageing.support import MONDAY, TUESDAY, animals, animals_name
from abalone_assets_tests.cli.support import abalone, abalone_json
from abalone_assets_tests.pages.support import Site
from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    from pathlib import Path

NAME, OTHER = animals_name(MONDAY), animals_name(TUESDAY)
BAD = "M,0.4,<b>wide</b>,0.1,0.5,0.2,0.1,0.15\n"


@pytest.fixture
def shore(home: Path, tmp_path: Path) -> Shore:
    """A home with a file of twenty animals and a bad row, which is taken in."""
    shore = shore_at(str(home / "landing_zone"), str(home / "lake"), tmp_path)
    shore.zone.land(NAME, animals(20) + BAD.encode())
    shore.take_in([MONDAY])
    return shore


def test_status_says_what_waits_for_a_model_and_what_is_aged(shore: Shore) -> None:
    shore.zone.land(OTHER, survey_rows(9))
    told = abalone_json("status")["animals"]
    assert (told["files"], told["rows"], told["quarantined"], told["aged"]) == (1, 20, 1, 0)
    assert (told["due_days"], told["days_to_age"]) == ([TUESDAY], [MONDAY])
    assert told["waiting_for_model"]
    said = " ".join(abalone("status").output.split())
    assert "1 day (2025-03-03) waits for a model: none is live yet" in said
    shore.settle()
    told = abalone_json("status")
    assert told["animals"]["aged"] == 20
    assert not told["animals"]["waiting_for_model"]
    assert "nine columns" in told["animals"]["refused_files"][OTHER]
    assert told["stray_files"] == {}
    said = " ".join(abalone("status").output.split())
    assert "20 animals in 2 files (1 refused), 1 row quarantined, 20 aged" in said


def test_status_tells_of_one_file(shore: Shore) -> None:
    before = abalone_json("status", NAME)
    assert (before["state"], before["rows"], before["quarantined"]) == ("ingested", 20, 1)
    assert before["quarantined_rows"][0]["raw"] == BAD.rstrip()
    assert "wait for a model" in before["ages"]
    shore.settle()
    assert f"aged/{NAME}.csv" in abalone_json("status", NAME)["ages"]
    assert f"aged/{NAME}.csv" in abalone("status", NAME).output.replace("\n", "")
    assert "no such file" in abalone("status", OTHER).output
    shore.zone.land(OTHER, animals(3))
    assert abalone_json("status", OTHER)["state"] == "to_ingest"


def test_status_of_a_day_lists_its_animals_too(shore: Shore) -> None:
    shore.zone.land("abalone.20250303080000", survey_rows(9))
    (survey, unaged) = abalone_json("status", MONDAY)["files"]
    assert (survey["file"], survey["state"]) == ("abalone.20250303080000", "to_ingest")
    assert (unaged["file"], unaged["rows"]) == (NAME, 20)
    assert NAME in abalone("status", MONDAY).output


def test_status_sends_nobody_to_land_animals_as_a_survey(shore: Shore) -> None:
    shore.zone.land(OTHER, survey_rows(9))
    assert abalone_json("status", OTHER)["ages"] == "none"
    shore.settle()
    refused = abalone_json("status", OTHER)
    assert (refused["state"], refused["ages"]) == ("refused", "none")
    assert "put it into the landing zone again" in refused["next"]
    assert "abalone land" not in refused["next"]
    shore.zone.land("animals.csv", animals(3))
    assert (
        "call animals.csv animals.YYYYMMDDHHMMSS" in abalone_json("status", "animals.csv")["next"]
    )


def test_the_page_lists_animals_with_a_download_of_their_ages(shore: Shore, home: Path) -> None:
    site = Site.of(home)
    text = site.text("/surveys")
    assert "Animals without rings" in text
    assert "waits for a model" in text
    assert site.get(f"/surveys/{NAME}/ages").status_code == 404
    shore.settle()
    assert f'href="/surveys/{NAME}/ages"' in site.text("/surveys")
    answer = site.get(f"/surveys/{NAME}/ages")
    assert answer.content == shore.csv(NAME)
    assert f"{NAME}.csv" in answer.headers["content-disposition"]
    page = site.text(f"/surveys/{NAME}")
    assert "&lt;b&gt;wide&lt;/b&gt;" in page
    assert "by version 1" in page
    (home / "landing_zone/animals.foo").write_bytes(animals(1))
    assert "<dt>survey day" in page
    assert "<dt>survey day" not in site.text("/surveys/animals.foo")
    unknown = site.get(f"/surveys/{OTHER}")
    assert unknown.status_code == 404
    assert "animals.YYYYMMDDHHMMSS" in unknown.text
    assert str(home) not in unknown.text
    assert site.get("/surveys/abalone.20250303120000/ages").status_code == 404
    assert f"/surveys/{NAME}#bad-rows" in site.text("/surveys?show=remarkable")


def test_the_page_of_a_day_lists_its_animals_and_no_others(shore: Shore, home: Path) -> None:
    shore.zone.land(OTHER, animals(3))
    site = Site.of(home)
    text = site.text(f"/surveys?day={TUESDAY}")
    assert f"Animals without rings of {TUESDAY}" in text
    assert OTHER in text
    assert NAME not in text
    assert f"There is no survey of {TUESDAY}." in text
    assert "Animals without rings" not in site.text("/surveys?day=2025-03-05")


def test_ages_are_downloaded_with_decimal_commas(shore: Shore, home: Path) -> None:
    shore.zone.land(NAME, "".join(f"M,0.4,0.3,0.1,0.5,0.2,0.1,{0.1 + at / 1e4:.4f}\n"
                                  for at in range(9000)).encode())  # fmt: skip
    shore.settle()
    site = Site.of(home)
    assert f'href="/surveys/{NAME}/ages?decimal=comma"' in site.text(f"/surveys/{NAME}")
    told = site.get(f"/surveys/{NAME}/ages?decimal=comma").content
    assert told.startswith(b"\xef\xbb\xbfline;sex;length;")
    assert told.splitlines()[1].startswith(b"1;M;0,4;0,3;0,1;0,5;")
    frame = pl.read_csv(told, separator=";", decimal_comma=True)
    assert frame.equals(pl.read_csv(shore.csv(NAME) or b""))


def test_doubts_with_a_separator_in_them_stay_one_field() -> None:
    pieces = [b"rings,doubts\n9.", b"5,old; outside:length\n10,\n"]
    assert b"".join(with_decimal_commas(iter(pieces))).decode("utf-8-sig") == (
        'rings;doubts\n9,5;"old; outside:length"\n10;\n'
    )


def test_a_home_without_animals_says_nothing_of_them(home: Path) -> None:
    assert "Without rings" not in abalone("status").output
    assert "Animals without rings" not in Site.of(home).text("/surveys")


def test_verify_finds_objects_that_are_not_as_recorded(shore: Shore) -> None:
    shore.settle()
    found = {each["subject"]: each for each in abalone_json_of("verify")}
    assert found["animals without rings"]["outcome"] == "ok"
    assert found["ages of animals"]["outcome"] == "ok"
    lake = shore.animals.lake
    aged, unaged = (lake.key(asset, MONDAY) for asset in ("aged_animals", "unaged_animals"))
    lake.store.write(aged, lake.store.read(lake.key("quarantined_animals", MONDAY)))
    found = {each["subject"]: each for each in abalone_json_of("verify")}
    assert "has 1 of 20 rows" in found["ages of animals"]["found"]
    lake.store.write(unaged, b"no Parquet")
    found = {each["subject"]: each for each in abalone_json_of("verify")}
    assert found["animals without rings"]["outcome"] == "failed"
    assert "cannot be read" in found["animals without rings"]["found"]


def abalone_json_of(command: str) -> list[dict[str, str]]:
    findings: list[dict[str, str]] = json.loads(abalone(command, "--json").stdout)["findings"]
    return findings


def test_forget_lets_go_of_days_whose_files_were_deleted(shore: Shore, home: Path) -> None:
    shore.settle()
    (home / "landing_zone" / NAME).unlink()
    assert abalone_json("status")["animals"]["vanished_days"] == [MONDAY]
    assert "no survey day" in abalone("forget", MONDAY).output
    assert abalone_json("forget", "--animals", "--missing", "--yes") == {
        "days": [MONDAY],
        "rows": 20,
    }
    assert abalone("forget", "--animals", "--missing").output.strip() == (
        "Nothing to do: no day of animals without rings is missing."
    )
    shore.settle()
    assert shore.csv(NAME) is None
    assert shore.ages(MONDAY).height == 0


@pytest.mark.parametrize("missing", [(), (MONDAY,)], ids=["no look since", "a sensor looked"])
def test_a_missing_file_says_how_its_day_is_let_go(
    shore: Shore, home: Path, missing: tuple[str, ...]
) -> None:
    shore.settle()
    (home / "landing_zone" / NAME).unlink()
    write_memory(shore.animals.lake.store, Memory(missing=missing), ANIMALS_MEMORY_KEY)
    found = abalone_json("status", NAME)
    assert found["state"] == "missing"
    assert "somebody says `abalone forget --animals`" in found["why"]
    assert f"`abalone forget --animals {MONDAY}`" in found["next"]


def test_forgotten_animals_are_said_to_be_in_no_release(shore: Shore, home: Path) -> None:
    shore.settle()
    (home / "landing_zone" / NAME).unlink()
    told = abalone("forget", "--animals", MONDAY).output
    assert "Forgot 1 day of animals without rings with 20 rows. Their ages go with them." in told


def test_a_refused_file_is_a_matter_to_tell_people(shore: Shore, home: Path) -> None:
    today = datetime.now(UTC).date().isoformat()
    name = animals_name(today, "000000")
    shore.zone.land(name, survey_rows(9))
    shore.take_in([today])
    (matter,) = lake_situation(Lake(str(home / "lake")), load_settings()).matters
    assert name in matter.title
    assert "cannot be aged" in matter.title
    assert "nine columns" in matter.text


def test_files_that_are_gone_at_once_are_a_matter_beside_that_of_surveys(home: Path) -> None:
    lake, settings = Lake(str(home / "lake")), load_settings()
    write_memory(lake.store, Memory(missing=(MONDAY, TUESDAY)), ANIMALS_MEMORY_KEY)
    (matter,) = zone_situation(settings, lake, 0)[0].matters
    assert matter.title == "files of animals without rings are gone from the landing zone"
    assert f"of 2 days, {MONDAY} to {TUESDAY}, are gone" in matter.text
    assert "`abalone forget --animals DAY…`" in matter.text
    write_memory(lake.store, Memory(missing=(MONDAY,)))
    matters = zone_situation(settings, lake, 0)[0].matters
    assert len({each.key for each in matters}) == 2
    assert f"Survey files of {MONDAY} are gone" in matters[0].text
    assert "`abalone forget DAY…`" in matters[0].text


def test_the_doctor_misses_a_landing_zone_in_which_nothing_but_animals_lay(
    shore: Shore, home: Path
) -> None:
    (home / "landing_zone").rename(home / "unmounted")
    findings = {each["subject"]: each for each in abalone_json_of("doctor")}
    assert "the lake has the rows of 1 file that lay there" in findings["landing zone"]["found"]


def test_restore_knows_what_was_taken_in_and_aged(shore: Shore) -> None:
    shore.settle()
    told = {
        (each.asset, each.partition): each.metadata["dagster/row_count"]
        for each in animals_told(shore.animals.lake)
        if hasattr(each, "partition")
    }
    assert told == {
        ("unaged_animals", MONDAY): 20,
        ("quarantined_animals", MONDAY): 1,
        ("aged_animals", MONDAY): 20,
    }
