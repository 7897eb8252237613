"""A release that began is due until one comes to its end, whatever the surveys are by then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abalone_assets.lake.lake import Lake
from abalone_assets.lake.manifest import Manifest
from abalone_assets.lake.preparation import Preparation
from abalone_assets.lake.releases import Release

if TYPE_CHECKING:
    from pathlib import Path

NOW = Manifest()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake whose last release was of what it holds."""
    lake = Lake(str(tmp_path / "lake"))
    end(lake, NOW.digest)
    assert not lake.release_due(NOW)
    return lake


def end(lake: Lake, digest: str) -> None:
    lake.record_release(Release(digest, "deployed", "good", 1, "run", "2025-03-03T10:00:00+00:00"))


def test_what_another_release_began_is_due_though_the_surveys_are_as_before(lake: Lake) -> None:
    lake.begin_preparation("others", "run 2")
    assert lake.release_due(NOW)
    lake.begin_preparation(NOW.digest, "run 3")
    assert lake.release_due(NOW)
    end(lake, NOW.digest)
    assert not lake.release_due(NOW)
    assert lake.begun_release() is None


def test_a_registration_begins_a_release_too(lake: Lake) -> None:
    lake.begin_release("others", "run 2")
    assert lake.release_due(NOW)


def test_the_end_of_one_release_is_not_that_of_another(lake: Lake) -> None:
    lake.begin_release("others", "run 2")
    end(lake, NOW.digest)
    begun = lake.begun_release()
    assert begun is not None
    assert (begun.digest, begun.run_id) == ("others", "run 2")


def test_the_same_content_prepared_again_begins_nothing(lake: Lake) -> None:
    lake.record_preparation(Preparation(NOW.digest, 1, 1, 0))
    lake.begin_preparation(NOW.digest, "run 2")
    assert not lake.release_due(NOW)
    assert not lake.is_prepared_from(NOW.digest)
