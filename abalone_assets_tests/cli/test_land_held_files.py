"""`abalone land` of files that ingestion would hold."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from abalone_assets.ingest.frames import survey_frame, to_parquet
from abalone_assets.ingest.synthetic_files import SyntheticFile, record_synthetic_file
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.manifest import IngestedRaw
from abalone_assets.lake.manifest_store import commit_raw
from abalone_assets.sample_data import base_survey
from abalone_assets.survey import parse_survey
from abalone_assets_tests.cli.landing_support import NAME, landed, survey
from abalone_assets_tests.cli.support import abalone, abalone_json, ingest
from abalone_assets_tests.support.whole_surveys import ERRORS, Animals

if TYPE_CHECKING:
    from pathlib import Path

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
