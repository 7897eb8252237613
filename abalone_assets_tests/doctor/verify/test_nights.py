"""Each night reads its share, and a round of nights everything."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from abalone_assets.doctor.verify import inputs
from abalone_assets.doctor.verify.run import DAYS_A_NIGHT, days_of_night
from abalone_assets.lake import kept_inputs
from abalone_assets_tests.provenance.support import Little

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.lake.lake import Lake


def test_a_night_reads_its_share_of_what_old_releases_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All days of all versions were read every night, however many these are."""
    little, days = Little(tmp_path), ("2025-03-14", "2025-03-15", "2025-04-02")
    little.base()
    for seed, each in enumerate(days):
        little.ingest(each, seed)
    little.release()
    little.ingest(days[0], 7)  # so that what the version was made from lies in what is kept
    monkeypatch.setattr("abalone_assets.doctor.verify.run.DAYS_A_NIGHT", 1)
    looked = list[str]()
    read = kept_inputs.rows_of

    def rows_of(lake: Lake, place: str, sha256: str) -> bytes | None:
        looked.append(place)
        return read(lake, place, sha256)

    monkeypatch.setattr(inputs, "rows_of", rows_of)
    for night in range(4):
        chosen = partial(days_of_night, night=night)
        (finding,) = inputs.input_findings(little.lake, little.registry, chosen)
        assert finding.outcome == "ok", finding
        assert "1 object read now" in finding.found
    assert sorted(looked) == sorted((*days, "raw_abalone"))
    (kept,) = (tmp_path / "lake/_kept/rows").iterdir()
    kept.unlink()
    chosen = partial(days_of_night, night=0)
    (finding,) = inputs.input_findings(little.lake, little.registry, chosen)
    assert (finding.outcome, days[0] in finding.found) == ("failed", True)


@pytest.mark.parametrize("count", [0, 1, 200, 201, 2000])
def test_each_day_comes_once_in_a_round_of_nights(count: int) -> None:
    days = [f"{number:05}" for number in range(count)]
    nights = -(-count // DAYS_A_NIGHT) or 1
    looked = [days_of_night(days, 739_000 + night) for night in range(nights)]
    assert sorted(day for each in looked for day in each) == days
    assert max(map(len, looked)) <= DAYS_A_NIGHT
