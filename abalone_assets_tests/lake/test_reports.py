from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from abalone_assets.errors import StorageError
from abalone_assets.lake.reports import Reports
from abalone_assets.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = "a" * 64, "0123456789abcdef" * 4


@pytest.fixture
def reports(tmp_path: Path) -> Reports:
    return Reports(ObjectStore(tmp_path))


def test_a_report_is_kept_under_its_models_digest(reports: Reports, tmp_path: Path) -> None:
    uri = reports.keep(NEW, b"<html>")
    assert uri == str(tmp_path / "evaluation" / "_reports" / f"{NEW}.html")
    assert reports.read(NEW) == b"<html>"
    reports.keep(NEW, b"<html>again")
    assert reports.read(NEW) == b"<html>again"


def test_the_newest_comes_first(reports: Reports, tmp_path: Path) -> None:
    assert reports.newest_first() == []
    for time, digest in ((2_000_000_000, NEW), (1_000_000_000, OLD)):
        uri = reports.keep(digest, b"")
        os.utime(uri, (time, time))
    (tmp_path / "evaluation" / "_reports" / "notes.html").write_text("no report")
    assert [each.model_sha256 for each in reports.newest_first()] == [NEW, OLD]


@pytest.mark.parametrize(
    "name", ["../../release", "a" * 63, "A" * 64, "a" * 64 + "/..", "", f"{'a' * 64}\n"]
)
def test_what_is_no_digest_names_no_report(reports: Reports, tmp_path: Path, name: str) -> None:
    (tmp_path / "release.html").write_text("not for browsers")
    reports.keep(OLD, b"")
    assert reports.read(name) is None
    with pytest.raises(StorageError, match="is no SHA-256"):
        reports.keep(name, b"")


def test_a_report_that_is_not_there_is_none(reports: Reports) -> None:
    assert reports.read(NEW) is None
