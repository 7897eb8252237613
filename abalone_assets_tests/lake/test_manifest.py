from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from abalone_assets.lake.manifest import (
    IngestedDay,
    IngestedFile,
    IngestedRaw,
    Manifest,
    day_digest,
)

FILE = IngestedFile("abalone.20250303120000", 45, "tag", "5ha", rows=2, quarantined=1)
RAW = IngestedRaw("d1gest", "file:///abalone.data", simulated=False, rows=4175, quarantined=2)


def day(*files: IngestedFile) -> IngestedDay:
    return IngestedDay(day_digest(files), files)


def test_a_days_digest_depends_on_names_sizes_and_bytes_only() -> None:
    other = replace(FILE, name="other")
    digest = day_digest([FILE, other])
    assert digest == day_digest([other, FILE])
    assert digest == day_digest([replace(FILE, e_tag="written again", rows=7), other])
    for changed in (
        replace(FILE, name="renamed"),
        replace(FILE, size=46),
        replace(FILE, sha256="other bytes"),
    ):
        assert day_digest([changed, other]) != digest
    assert day_digest([FILE]) != digest


def test_a_file_that_turns_out_to_be_a_simulation_is_another_content() -> None:
    simulated = replace(FILE, origin="synthetic")
    assert day_digest([simulated]) != day_digest([FILE])
    manifest = Manifest(RAW, {"2025-03-03": day(FILE)})
    assert replace(manifest, days={"2025-03-03": day(simulated)}).digest != manifest.digest
    assert replace(manifest, raw=replace(RAW, origin="synthetic")).digest != manifest.digest


def test_a_day_counts_its_files_rows() -> None:
    simulated = replace(FILE, name="other", rows=40, quarantined=9, origin="synthetic")
    entry = day(FILE, simulated)
    assert (entry.rows, entry.quarantined, entry.synthetic_rows) == (42, 10, 40)
    assert Manifest(RAW, {"2025-03-03": entry, "2025-03-04": day(FILE)}).rows == 4175 + 44


def test_the_manifests_digest_changes_with_its_content_only() -> None:
    manifest = Manifest(RAW, {"2025-03-03": day(FILE)})
    assert replace(manifest, raw=replace(RAW, digest="other")).digest != manifest.digest
    assert replace(manifest, raw=None).digest != manifest.digest
    assert replace(manifest, raw=replace(RAW, uri="elsewhere")).digest == manifest.digest
    assert Manifest(RAW, {"2025-03-04": day(FILE)}).digest != manifest.digest
    assert Manifest(RAW, {"2025-03-03": day(replace(FILE, size=9))}).digest != manifest.digest
    assert Manifest(RAW, {**manifest.days, "2025-03-04": day()}).digest == manifest.digest


@settings(max_examples=30, deadline=None)
@given(st.permutations(["2025-03-01", "2025-03-02", "2024-12-31", "2025-10-01"]))
def test_the_manifests_digest_does_not_depend_on_the_order_of_ingestion(days: list[str]) -> None:
    ordered = Manifest(RAW, {name: day(FILE) for name in sorted(days)})
    assert Manifest(RAW, {name: day(FILE) for name in days}).digest == ordered.digest


def test_days_with_rows_are_in_order_and_leave_out_the_others() -> None:
    quarantined = day(replace(FILE, rows=0))
    manifest = Manifest(
        None,
        {"2025-03-04": day(FILE), "2025-03-03": quarantined, "2025-03-02": day(FILE)},
    )
    assert manifest.days_with_rows == ["2025-03-02", "2025-03-04"]
