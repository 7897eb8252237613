"""`abalone land`."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from abalone_assets.cli import output
from abalone_assets.ingest.bad_rows import marked_survey
from abalone_assets.ingest.frames import survey_frame, to_parquet
from abalone_assets.ingest.synthetic_files import SyntheticFile, record_synthetic_file
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.manifest import IngestedRaw
from abalone_assets.lake.manifest_store import commit_raw
from abalone_assets.sample_data import base_survey
from abalone_assets.survey import COLUMNS, parse_survey, survey_file_name
from abalone_assets_tests.cli.support import GOOD_ROW, abalone, abalone_json, ingest
from abalone_assets_tests.support.whole_surveys import ERRORS, Animals
from abalone_assets_tests.survey.found import (
    ANIMALS,
    SWAPPED,
    UCI,
    each,
    in_units,
    named_units,
    numbered,
    ordered,
    text,
    with_commas,
)

if TYPE_CHECKING:
    from pathlib import Path

NAME = "abalone.20250314061500"
# At noon: every worker of pytest-xdist must collect tests of the same names.
_NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0)
FUTURE = survey_file_name(_NOON + timedelta(days=2))


def survey(folder: Path, name: str = NAME, content: str | bytes = GOOD_ROW) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def landed(home: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (home / "landing_zone").iterdir()}


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


CANONICAL = text().decode()
ORDER = ",".join(UCI[at] for at in SWAPPED)


@pytest.mark.parametrize(
    ("content", "options", "note"),
    [
        (text(in_units(1, 1)), ["--units", "mm-g"], "converted from mm and g"),
        (text(in_units(10, 200), UCI), ["--units", "cm-scaled"], "converted from cm and g / 200"),
        (text(in_units(1000, 1000)), ["--units", "m-kg"], "converted from m and kg"),
        (text(in_units(1, 1), named_units("mm", "g")), [], "converted from mm and g"),
        (text([ordered(f) for f in ANIMALS], ordered(UCI)), [], "in the order"),
        (text([ordered(f) for f in ANIMALS]), ["--columns", ORDER], "in the order"),
        (text(numbered(ANIMALS)), ["--columns", "id," + ",".join(UCI)], "without id"),
        (text(numbered(ANIMALS), UCI), ["--columns", "id," + ",".join(UCI)], "without id"),
        (
            text(in_units(1, 1)),
            ["--columns", ",".join(named_units("mm", "g"))],
            "converted from mm and g",
        ),
        (
            text(
                header=[
                    "sexo",
                    "talla",
                    "ancho",
                    "alto",
                    "peso",
                    "carne",
                    "tripa",
                    "concha",
                    "anillos",
                ]
            ),
            ["--columns", ",".join(UCI)],
            None,
        ),
        (text(delimiter=";"), [], "separated by semicolons"),
        (b"sep=;\r\n" + text(delimiter=";"), [], "separated by semicolons"),
        (text(delimiter="\t"), [], "separated by tabs"),
        (text(delimiter="\t").decode().encode("utf-16"), [], "it was written in UTF-16"),
        (text(each(with_commas), with_commas(UCI), delimiter=";"), [], "have decimal commas"),
        (text(each(lambda f: [f'"{value}"' for value in with_commas(f)])), [], "decimal commas"),
        (
            text([with_commas(f) for f in in_units(1, 1)], delimiter=";"),
            ["--units", "mm-g"],
            "converted from mm and g",
        ),
        (text(each(lambda f: [f[0].lower(), *f[1:], ""])), [], "40 rows with the sex in lower"),
    ],
)
def test_what_lands_is_canonical_and_what_was_converted_is_told(
    home: Path, tmp_path: Path, content: bytes, options: list[str], note: str | None
) -> None:
    path = survey(tmp_path, content=content)
    planned = abalone_json("land", path, *options, "--dry-run")
    assert (planned["dry_run"], landed(home)) == (True, {})
    (file,) = abalone_json("land", path, *options)["files"]
    assert planned["files"] == [file]
    assert landed(home) == {NAME: CANONICAL}
    assert (file["rows"], file["quarantined"], file["converted"]) == (40, 0, True)
    assert note is None or note in "; ".join(file["notes"])
    assert abalone_json("land", path, *options)["files"][0]["change"] == "identical"


@pytest.mark.parametrize(
    ("content", "options", "reason"),
    [
        (text(in_units(1, 1)), [], "look like millimetres and grams: land it with --units mm-g"),
        (text(in_units(1000, 1000)), [], "look like metres and kilograms, .* --units m-kg"),
        (text(in_units(200, 1000)), [], "look like millimetres / 200 and kilograms"),
        (
            text(),
            ["--units", "mm-g"],
            "said to be in mm and g, but the .* look like millimetres / 200",
        ),
        (text(in_units(1, 1), named_units("mm", "g")), ["--units", "cm-g"], "leave out --units"),
        (text(header=UCI), ["--columns", ORDER], "leave out --columns"),
        (text(each(with_commas, 2), delimiter=";"), [], "decimal comma .* and others a point"),
        (
            text([[f[0], *["1,028"] * 7, f[8]] for f in ANIMALS], delimiter=";"),
            [],
            "say --decimal comma",
        ),
        (text(each(lambda f: [";".join(f)], 2)), [], "part of the file is separated by semicolons"),
        (b"M,0.4,0.3,0,0.5,0.2,0.1,0.15,9\n" * 3, [], "ingestion would use none of it: height"),
    ],
)
def test_what_is_not_certain_is_refused_with_what_would_read_it(
    home: Path, tmp_path: Path, content: bytes, options: list[str], reason: str
) -> None:
    result = abalone("land", survey(tmp_path, content=content), *options)
    assert result.exit_code == 1
    assert re.search(reason, result.stderr), result.stderr
    assert "landed" not in result.stdout
    assert landed(home) == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--units", "furlongs-stone"], "such as mm-g"),
        (["--columns", "sex,length"], "there is no diameter"),
        (["--date", "yesterday"], "no date or time"),
        (["--delimiter", "%"], "is not one of"),
    ],
)
def test_an_option_that_says_nothing_is_refused(
    home: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    result = abalone("land", survey(tmp_path), *options)
    assert result.exit_code in {1, 2}
    assert message in result.stderr
    assert landed(home) == {}


@pytest.mark.parametrize("date", ["2025-03-14T06:15:00", "2025-03-14T16:15+10:00"])
def test_a_file_of_any_name_lands_under_the_name_of_its_time(
    home: Path, tmp_path: Path, date: str
) -> None:
    path = survey(tmp_path, "crew four.csv")
    assert "--date" in abalone("land", path).stderr
    assert abalone_json("land", path, "--date", date)["files"][0]["file"] == NAME
    assert landed(home) == {NAME: GOOD_ROW}
    other = survey(tmp_path, "other.csv")
    assert abalone("land", path, other, "--date", date).exit_code == 2


def test_a_bad_row_of_a_converted_file_stays_for_the_quarantine(home: Path, tmp_path: Path) -> None:
    rows = in_units(1, 1)
    rows[3][1], rows[5][2] = "999", "wide"
    rows[7] = rows[7][:4]
    content = text(rows, named_units("mm", "g"))
    (file,) = abalone_json("land", survey(tmp_path, content=content))["files"]
    assert (file["rows"], file["quarantined"]) == (37, 3)
    lines = landed(home)[NAME].splitlines()
    assert lines[3].split(",")[1] == "4.995"
    assert lines[5].split(",")[2] == "wide"
    assert lines[7] == f'"{",".join(rows[7])}"'


def test_a_file_without_a_final_newline_is_told_and_keeps_its_bytes(
    home: Path, tmp_path: Path
) -> None:
    result = abalone("land", survey(tmp_path, content=text(end="")))
    assert result.exit_code == 0
    assert "if the file was cut short, its last number may be too" in result.stderr
    assert landed(home) == {NAME: CANONICAL.rstrip()}


def test_a_file_that_lies_there_as_it_was_given_is_the_same_survey(
    home: Path, tmp_path: Path
) -> None:
    content = text(header=UCI)
    survey(home / "landing_zone", content=content)
    (file,) = abalone_json("land", survey(tmp_path, content=content))["files"]
    assert file["change"] == "identical"
    semicolons = text(delimiter=";")
    survey(home / "landing_zone", content=semicolons)
    assert "with another content" in abalone("land", survey(tmp_path, content=semicolons)).stderr


WRONG = "weights * 2.2"


def animals(error: str | None = None) -> bytes:
    """A survey of sixty animals, perhaps with an error in each row that no rule of a row sees."""
    found = Animals.of(base_survey())[:60]
    return (found.with_error(ERRORS[error]) if error else found).file()


def make_base(home: Path, error: str | None = None) -> Lake:
    """Let the lake hold a base survey."""
    lake, found = Lake(str(home / "lake")), Animals.of(base_survey())
    base = parse_survey((found.with_error(ERRORS[error]) if error else found).file(), "base.csv")
    lake.store.write(lake.key("raw_abalone"), to_parquet(survey_frame([base])))
    raw = IngestedRaw("of them", "base.csv", simulated=False, rows=base.row_count, quarantined=0)
    commit_raw(lake.store, raw)
    return lake


class TestAFileThatWillBeHeld:
    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            ("weights * 2.2", "as if weights were in pounds, converted from"),
            ("weights * 5", "as if weights were multiplied by 5.00"),
            ("length * 0.1", "as if the decimal point of length had slipped"),
            ("whole_weight and shucked_weight swapped", "stood in each other's columns"),
            ("ages, rounded up, for rings", "as if rings were ages in years"),
            ("weights * 0.2 in every second row", "do not go together"),
        ],
    )
    @pytest.mark.parametrize("options", [[], ["--dry-run"]])
    def test_is_refused_with_the_reason_before_there_is_a_lake(
        self, home: Path, tmp_path: Path, error: str, reason: str, options: list[str]
    ) -> None:
        result = abalone("land", survey(tmp_path, content=animals(error)), *options)
        assert result.exit_code == 1
        assert f"nothing was landed: {tmp_path / NAME}: it would be held: " in result.stderr
        assert reason in result.stderr
        assert "--force lands it all the same; its rows stay out until" in result.stderr
        assert landed(home) == {}
        assert not (home / "lake").exists()

    def test_is_refused_with_its_units_when_they_would_mend_it(
        self, home: Path, tmp_path: Path
    ) -> None:
        path = survey(tmp_path, content=animals("weights * 0.2"))
        assert "say --units scaled-kg (--force" in abalone("land", path).stderr
        (file,) = abalone_json("land", path, "--units", "scaled-kg")["files"]
        assert (file["held"], file["converted"]) == (None, True)
        ingest(home, "2025-03-14")
        assert abalone_json("status")["held_files"] == {}

    def test_lands_by_force_and_is_held_for_that_reason(self, home: Path, tmp_path: Path) -> None:
        path = survey(tmp_path, content=animals(WRONG))
        (planned,) = abalone_json("land", path, "--force", "--dry-run")["files"]
        assert landed(home) == {}
        result = abalone("land", path, "--force")
        assert "landed; it will be held until" in " ".join(result.stdout.split())
        assert f"abalone accept {NAME}" in " ".join(result.stderr.split())
        ingest(home, "2025-03-14")
        assert abalone_json("status")["held_files"] == {NAME: planned["held"]}

    @pytest.mark.parametrize("error", [WRONG, "weights * 0.45"])
    def test_that_lies_there_already_is_told_until_it_is_accepted(
        self, home: Path, tmp_path: Path, error: str
    ) -> None:
        path = survey(tmp_path, content=animals(error))
        abalone_json("land", path, "--force")
        ingest(home, "2025-03-14")
        again = abalone("land", path, "--force")
        assert "Nothing to do" in again.stdout
        assert "ingestion holds it" in again.stderr
        abalone_json("accept", NAME, "--because", "a bay of giants")
        (file,) = abalone_json("land", path)["files"]
        assert (file["change"], file["held"], file["notes"]) == ("identical", None, [])
        other = survey(tmp_path, "abalone.20250315061500", animals(error))
        assert abalone_json("land", other)["files"][0]["held"] is None, "the very bytes accepted"

    def test_is_judged_against_the_base_survey_of_the_lake(
        self, home: Path, tmp_path: Path
    ) -> None:
        make_base(home, "lengths * 2.2")
        light, heavy = survey(tmp_path, content=animals("lengths * 2.2")), tmp_path / "heavy"
        assert abalone_json("land", light)["files"][0]["held"] is None
        refused = abalone("land", survey(heavy, "abalone.20250315061500", animals()))
        assert "it would be held: whole_weight is 9.83 times" in refused.stderr

    def test_is_not_one_that_is_known_as_simulated(self, home: Path, tmp_path: Path) -> None:
        data = animals(WRONG)
        simulated = SyntheticFile(NAME, 60, "copula", seed=0, data_version="v1")
        store = make_base(home).store
        record_synthetic_file(store, hashlib.sha256(data).hexdigest(), simulated)
        assert abalone_json("land", survey(tmp_path, content=data))["files"][0]["held"] is None

    def test_is_judged_by_the_shipped_profile_when_the_lake_cannot_be_read(
        self, home: Path, tmp_path: Path
    ) -> None:
        make_base(home).store.write("manifest.json", b"no manifest")
        assert abalone("land", survey(tmp_path, content=animals())).exit_code == 0
        result = abalone("land", survey(tmp_path, content=animals(WRONG)))
        assert "the lake cannot be read" in result.stderr
        assert "it would be held: " in result.stderr

    def test_a_few_animals_are_never_refused_for_it(self, home: Path, tmp_path: Path) -> None:
        few = b"".join(animals(WRONG).splitlines(keepends=True)[:2])
        assert abalone("land", survey(tmp_path, content=few)).exit_code == 0


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
