"""The folder of ages beside the files of animals."""

from __future__ import annotations

from pathlib import Path

import pytest

from abalone_assets.errors import StorageError
from abalone_assets.ingest.folder_landing_zone import FolderLandingZone


def test_a_folder_of_ages_that_may_not_be_entered_is_one_clear_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    zone = FolderLandingZone(folder)
    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(StorageError, match=f"Permission denied; let the platform read {folder}/ag"):
        zone.has_aged("animals.20250303120000")


def test_no_ages_lie_where_a_file_is_called_as_their_folder_would_be(folder: Path) -> None:
    zone = FolderLandingZone(folder)
    zone.land("aged", b"x")
    zone.remove_aged("animals.20250303120000")
    assert zone.read("aged") == b"x"
