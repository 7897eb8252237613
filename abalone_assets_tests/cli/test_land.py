"""`abalone land`."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from abalone_assets.cli import output
from abalone_assets.ingest.marked_survey import marked_survey
from abalone_assets.survey import COLUMNS, parse_survey, survey_file_name
from abalone_assets_tests.cli.landing_support import NAME, landed, survey
from abalone_assets_tests.cli.support import GOOD_ROW, abalone, abalone_json

if TYPE_CHECKING:
    from pathlib import Path

# At noon: every worker of pytest-xdist must collect tests of the same names.
_NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0)
FUTURE = survey_file_name(_NOON + timedelta(days=2))


def test_a_survey_lands_and_its_rows_are_counted(home: Path, tmp_path: Path) -> None:
    content = GOOD_ROW + GOOD_ROW.replace("0.455", "0") + GOOD_ROW
    document = abalone_json("land", survey(tmp_path, content=content))
    assert landed(home) == {NAME: content}
    assert document["files"] == [
        {
            "file": NAME,
            "given": str(tmp_path / NAME),
            "bytes": len(content),
            "rows": 2,
            "quarantined": 1,
            "problem": None,
            "waits": False,
            "change": "landed",
            "converted": False,
            "looks_like": "millimetres / 200 and grams / 200",
            "mended": {},
            "notes": [],
            "held": None,
        }
    ]
    assert not document["dry_run"]


def test_rows_for_the_quarantine_are_shown_with_their_place(home: Path, tmp_path: Path) -> None:
    result = abalone("land", survey(tmp_path, content=GOOD_ROW * 40 + "M,0,1\n" * 7))
    assert result.exit_code == 0
    assert "To be quarantined: 7 rows" in result.stderr
    assert f"{NAME}:41 field_count: found 3 fields" in result.stderr
    assert "and 2 more" in result.stderr


@pytest.mark.parametrize("forced", [[], ["--force"]])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("survey.csv", "call it abalone.YYYYMMDDHHMMSS"),
        ("abalone.20250230061500", "names a time that does not exist"),
        ("abalone.20200314061500", "set ABALONE_FIRST_SURVEY_DAY"),
    ],
)
def test_a_name_that_ingestion_never_takes_in_is_refused(
    home: Path, tmp_path: Path, name: str, message: str, forced: list[str]
) -> None:
    result = abalone("land", *forced, survey(tmp_path, name))
    assert result.exit_code == 1
    assert message in result.stderr
    assert landed(home) == {}


def test_none_lands_beside_refused_files_which_are_listed_with_their_reasons(
    home: Path, tmp_path: Path
) -> None:
    abalone_json("land", survey(tmp_path / "first"))
    good = survey(tmp_path, "abalone.20250320061500")
    bad = [survey(tmp_path, f"abalone.2025031{day}061500", b"\0") for day in (5, 6)]
    others = [survey(tmp_path, "one.csv"), survey(tmp_path, content=GOOD_ROW * 2)]
    said = abalone("land", good, *others, *bad, survey(tmp_path, FUTURE)).stderr
    for name in ("one.csv", NAME, FUTURE, *(path.name for path in bad)):
        assert f"{name}: " in said
    assert good.name not in said
    assert said.count("NUL byte") == 2
    assert "is in the future (--force lands it" in said
    assert landed(home) == {NAME: GOOD_ROW}


def test_force_lands_a_file_of_a_future_day_which_waits(home: Path, tmp_path: Path) -> None:
    document = abalone_json("land", "--force", survey(tmp_path, FUTURE))
    assert document["files"][0]["waits"]
    assert landed(home) == {FUTURE: GOOD_ROW}
    status = abalone_json("status")
    assert (status["waiting_files"], status["stray_files"]) == ([FUTURE], {})
    assert "1 file of a future day, which waits" in abalone("status").output


def test_force_lands_a_file_that_is_no_survey(home: Path, tmp_path: Path) -> None:
    document = abalone_json("land", "--force", survey(tmp_path, content=b"\0"))
    assert "NUL byte" in document["files"][0]["problem"]
    assert landed(home) == {NAME: "\0"}


def test_identical_bytes_are_left_alone(home: Path, tmp_path: Path) -> None:
    abalone_json("land", survey(tmp_path))
    before = (home / "landing_zone" / NAME).stat().st_ctime_ns
    result = abalone("land", tmp_path / NAME)
    assert "Nothing to do" in result.output
    assert (home / "landing_zone" / NAME).stat().st_ctime_ns == before


def test_other_bytes_need_force(home: Path, tmp_path: Path) -> None:
    abalone_json("land", survey(tmp_path))
    changed = survey(tmp_path, content=GOOD_ROW.replace(",15\n", ",14\n"))
    result = abalone("land", changed)
    assert result.exit_code == 1
    assert "with another content (--force replaces it" in result.stderr
    assert landed(home) == {NAME: GOOD_ROW}
    assert abalone_json("land", changed, "--force")["files"][0]["change"] == "replaced"
    assert landed(home) == {NAME: changed.read_text()}


def test_one_name_given_twice_is_refused(home: Path, tmp_path: Path) -> None:
    result = abalone("land", survey(tmp_path / "a"), survey(tmp_path / "b"))
    assert result.exit_code == 1
    assert "given twice" in result.stderr


@pytest.mark.parametrize("terminal", [True, False])
def test_slow_work_shows_a_bar_on_a_terminal_only(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, terminal: bool
) -> None:
    monkeypatch.setattr(output, "BAR_DELAY_SECONDS", 0.0)
    monkeypatch.setenv("FORCE_COLOR" if terminal else "NO_COLOR", "1")
    result = abalone("land", survey(tmp_path), "--json")
    assert json.loads(result.stdout)["files"][0]["change"] == "landed"
    assert ("checking" in result.stderr) is terminal
    assert bool(result.stderr) is terminal


def test_the_homes_own_landing_zone_is_made_when_it_is_missing(home: Path, tmp_path: Path) -> None:
    (home / "landing_zone").rmdir()
    assert abalone_json("land", survey(tmp_path))["files"][0]["change"] == "landed"
    assert landed(home) == {NAME: GOOD_ROW}


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ("", "cannot make the landing zone"),
        ("unmounted", "cannot read the landing zone"),
    ],
)
def test_a_landing_zone_that_is_none_is_one_clear_error(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: str, message: str
) -> None:
    (home / "landing_zone").rmdir()
    (home / "landing_zone").touch()
    monkeypatch.setenv("ABALONE_LANDING_ZONE_URI", chosen and str(tmp_path / chosen))
    result = abalone("land", survey(tmp_path / "survey"))
    assert result.exit_code == 1
    assert message in result.stderr
    assert not (tmp_path / "unmounted").exists()


def test_what_is_said_of_a_file_names_the_given_one(home: Path, tmp_path: Path) -> None:
    given = survey(tmp_path, "crew 3.csv", "\0")
    said = abalone("land", "--date", "2025-03-14T06:15:00", given)
    assert f"{given} (as {NAME}): " in said.stderr
    plain = survey(tmp_path, content="\0")
    assert f"{plain}: " in abalone("land", plain).stderr
    assert landed(home) == {}


def test_lines_are_those_of_the_given_file_and_those_that_it_gets(
    home: Path, tmp_path: Path
) -> None:
    bad = GOOD_ROW.replace("M", "Q", 1)
    header = ",".join(column.name for column in COLUMNS)
    lines = f"{header}\n\n{GOOD_ROW}{bad}"
    content = lines.replace(",", ";").replace("\n", "\r\n")
    given = survey(tmp_path, "crew.csv", content)
    document = abalone_json("land", "--date", "2025-03-14T06:15:00", given)
    assert document["files"][0]["given"] == str(given)
    assert landed(home)[NAME].splitlines()[1].startswith("Q")
    said = abalone("land", "--date", "2025-03-14T06:15:01", "--dry-run", given)
    assert f"{given}:4 (line 2 as it lands) sex:" in said.stderr
    same = survey(tmp_path, content=GOOD_ROW + bad)
    assert f"{same}:2 sex:" in abalone("land", "--dry-run", "--force", same).stderr


def test_a_download_with_marks_replaces_its_file_when_all_rows_are_mended(
    home: Path, tmp_path: Path
) -> None:
    bad = GOOD_ROW.replace("M", "Q", 1)
    content = (GOOD_ROW + bad + bad).encode()
    abalone("land", survey(tmp_path, content=content))
    marked = marked_survey(content, NAME, parse_survey(content, NAME).quarantined).decode()
    first = survey(tmp_path / "half", f"{NAME}.marked.csv", _mended(marked, 1))
    said = abalone("land", first)
    assert said.exit_code == 1
    assert "rows are still bad: line 4 (" in said.stderr
    assert "line 3" not in said.stderr
    assert landed(home)[NAME] == content.decode()
    whole = survey(tmp_path / "whole", f"{NAME}.marked.csv", _mended(marked, 2))
    (file,) = abalone_json("land", whole)["files"]
    assert (file["file"], file["change"], file["rows"]) == (NAME, "replaced", 3)
    assert [row[0] for row in landed(home)[NAME].splitlines()] == ["M", "F", "F"]
    forced = abalone("land", "--force", first)
    assert forced.exit_code == 0, forced.stderr


def _mended(marked: str, rows: int) -> str:
    """The first bad rows mended, with their marks left as they are."""
    lines = marked.splitlines()
    bad = [at for at, line in enumerate(lines) if ",Q," in line][:rows]
    mended = (line.replace(",Q,", ",F,") if at in bad else line for at, line in enumerate(lines))
    return "\n".join(mended) + "\n"
