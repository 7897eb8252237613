"""What a process that is killed leaves of intake and ageing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.ageing.support import TUESDAY, animals, animals_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


from abalone_assets_tests.ageing.shore import EARLY, LATE, KilledError, Shore, shore_at

WRITES = {
    "zone": (FolderLandingZone, ("write_aged", "remove_aged")),
    "store": (ObjectStore, ("write", "update_json")),
    "object": (Path, ("replace",)),
}


def killing(patch: pytest.MonkeyPatch, at: int, *, after: bool) -> list[int]:
    """Have the process end at its write of this number, before or after it is done."""
    count = [0]

    def deadly(real: Callable[..., Any]) -> Callable[..., Any]:
        def write(*args: Any, **kwargs: Any) -> Any:
            count[0] += 1
            mine = count[0]
            if mine == at and not after:
                raise KilledError
            done = real(*args, **kwargs)
            if mine == at:
                raise KilledError
            return done

        return write

    for owner, names in WRITES.values():
        for name in names:
            patch.setattr(owner, name, deadly(getattr(owner, name)))
    return count


@pytest.mark.parametrize("after", [False, True])
def test_a_process_that_is_killed_at_any_write_loses_and_doubles_nothing(
    home: Path, tmp_path: Path, *, after: bool
) -> None:
    assert home.exists()

    def story(shore: Shore) -> Iterator[None]:
        shore.zone.land(EARLY, animals(30))
        shore.zone.land(LATE, animals(20, seed=1))
        shore.zone.land(animals_name(TUESDAY), animals(4))
        yield
        shore.version = 2
        shore.zone.land(EARLY, animals(25, seed=2))
        assert isinstance(shore.zone, FolderLandingZone)
        (shore.zone.folder / LATE).unlink()
        yield

    def new(name: str) -> Shore:
        (tmp_path / name / "zone").mkdir(parents=True)
        return shore_at(
            str(tmp_path / name / "zone"), str(tmp_path / name / "lake"), tmp_path / name
        )

    expected, right = [], new("right")
    for _ in story(right):
        right.settle()
        expected.append(right.everything())
    for chapter in range(2):
        at = 0
        while True:
            at += 1
            shore = new(f"{chapter}-{at}")
            told = story(shore)
            for _ in range(chapter):
                next(told)
                shore.settle()
            next(told)
            with pytest.MonkeyPatch.context() as patch:
                killing(patch, at, after=after)
                try:
                    shore.settle()
                except KilledError:
                    pass
                else:
                    break
            shore.settle()
            assert shore.everything() == expected[chapter], f"killed at write {at}"
        assert at > 8
