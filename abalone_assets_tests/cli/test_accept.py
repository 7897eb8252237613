"""`abalone accept`, and what `abalone status` says of held files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abalone_assets.local.driver_lock import driver_lock
from abalone_assets.sample_data import base_survey
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.cli.support import GOOD_ROW, abalone, abalone_json, ingest
from abalone_assets_tests.support.whole_surveys import ERRORS, Animals

if TYPE_CHECKING:
    from pathlib import Path

DAY, NAME = "2025-03-14", "abalone.20250314061500"
WHY = ("--because", "weighed again")


@pytest.fixture
def held(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that holds a file of 60 rows in kilograms."""
    monkeypatch.setenv("USER", "ana")
    kilograms = Animals.of(base_survey())[:60].with_error(ERRORS["weights * 0.2"])
    (home / "landing_zone" / NAME).write_bytes(kilograms.file())
    ingest(home, DAY)
    return home


@pytest.mark.usefixtures("held")
def test_status_says_what_is_held_and_why() -> None:
    document = abalone_json("status")
    assert "as if weights were in kilograms" in document["held_files"][NAME]
    totals = document["totals"]
    assert (totals["held_files"], totals["held_rows"], totals["rows"]) == (1, 60, 0)
    output = " ".join(abalone("status").output.split())
    assert "1 file of 60 rows, off as a whole" in output
    assert NAME in output
    assert "as if weights were in kilograms" in output


@pytest.mark.usefixtures("held")
def test_status_says_what_to_do_about_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("abalone_assets.lake.lake.Lake.release_due", lambda _: False)
    following = abalone_json("status")["next"]
    assert following.startswith(f"land {NAME} again in mm / 200 and g / 200")
    assert f"`abalone accept {NAME} --because" in following


def test_an_acceptance_is_kept_with_who_and_why_and_lets_the_rows_in(held: Path) -> None:
    document = abalone_json("accept", f"landing_zone/{NAME}", *WHY)
    assert (document["name"], document["by"], document["because"]) == (NAME, "ana", WHY[1])
    assert "as if weights were in kilograms" in document["held"]
    assert document["next"].startswith("`abalone dev` ingests")
    assert abalone_json("status")["due_days"] == [DAY]
    ingest(held, DAY)
    after = abalone_json("status")
    assert (after["held_files"], after["totals"]["rows"], after["due_days"]) == ({}, 60, [])


@pytest.mark.usefixtures("held")
def test_it_says_what_happens_next_while_dev_runs() -> None:
    with driver_lock(load_settings(), "abalone dev"):
        output = " ".join(abalone("accept", NAME, *WHY).output.split())
    assert f"{NAME} accepted by ana: weighed again" in output
    assert "Next: survey_sensor has its day ingested within" in output


@pytest.mark.usefixtures("held")
def test_a_file_that_is_not_held_and_an_empty_reason_are_one_clear_error() -> None:
    result = abalone("accept", "abalone.20250315061500", *WHY)
    assert result.exit_code == 1
    assert "abalone.20250315061500: no such file is in" in result.stderr
    assert f"; held: {NAME}" in result.stderr
    assert "give a reason" in abalone("accept", NAME, "--because", " ").stderr


def test_of_a_file_that_was_not_taken_in_yet_it_says_so_and_what_to_do(held: Path) -> None:
    """As somebody finds who was told by `abalone land` that it will be held."""
    name = "abalone.20250315061500"
    data = (held / "landing_zone" / NAME).read_bytes()
    (held / "landing_zone" / name).write_bytes(data)
    early = abalone("accept", name, *WHY)
    assert early.exit_code == 1
    assert f"{name} was not taken in yet, so nobody knows whether it will be held: " in early.stderr
    assert f"Accept it when `abalone status {name}` says that it is held." in early.stderr
    assert "`abalone dev` goes on with it" in early.stderr
    assert NAME not in early.stderr  # which is another matter
    ingest(held, "2025-03-15")
    assert abalone_json("accept", name, *WHY)["name"] == name


def test_of_a_file_with_which_nothing_is_wrong_it_says_so(home: Path) -> None:
    (home / "landing_zone" / NAME).write_text(GOOD_ROW)
    ingest(home, DAY)
    result = abalone("accept", NAME, *WHY)
    assert result.exit_code == 1
    assert f"{NAME} is not held, so there is nothing to accept: its rows are in" in result.stderr


def test_a_file_of_animals_is_never_held(home: Path) -> None:
    name = "animals.20250314061500"
    (home / "landing_zone" / name).write_text(GOOD_ROW)
    result = abalone("accept", name, *WHY)
    assert result.exit_code == 1
    assert f"Error: {name}: a file of animals is never held, so there is nothing" in result.stderr


@pytest.mark.parametrize("subject", ["notes.txt", DAY])
def test_what_is_no_survey_has_nothing_to_accept(held: Path, subject: str) -> None:
    (held / "landing_zone" / "notes.txt").write_text("hello")
    result = abalone("accept", subject, *WHY)
    assert result.exit_code == 1
    expected = "is not held, so there is nothing" if subject != DAY else f"is held (held: {NAME})"
    assert f"{subject}{'' if subject != DAY else ': no such file'} {expected}" in result.stderr
