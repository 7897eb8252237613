"""Animals that are corrected while others work on them, over folder and S3 alike."""

from __future__ import annotations

import errno
from io import BytesIO
from pathlib import Path
from tempfile import mkdtemp

import polars as pl
import pytest

from abalone_assets.ageing.rows_file import note_of, on_this_machine
from abalone_assets.errors import StorageError
from abalone_assets.lake.manifest_store import commit_days, revoke_days
from abalone_assets_tests.ageing.shore import EARLY, LATE, Shore
from abalone_assets_tests.ageing.support import MONDAY, TUESDAY, animals, animals_name


def test_ages_of_another_content_than_the_manifest_lists_are_refused(shore: Shore) -> None:
    shore.zone.land(EARLY, animals(20))
    shore.take_in([MONDAY])
    entry = shore.animals.manifest().days[MONDAY]
    shore.zone.land(EARLY, animals(10))
    shore.take_in([MONDAY])
    commit_days(shore.animals.records, {MONDAY: entry})
    with pytest.raises(StorageError, match=f"animals of {EARLY} are of another content"):
        shore.age([MONDAY])
    store, key = shore.animals.store, shore.animals.lake.key("unaged_animals", MONDAY)
    without_note = BytesIO()
    pl.read_parquet(BytesIO(store.read(key))).write_parquet(without_note)
    store.write(key, without_note.getvalue())  # as earlier releases wrote it
    with pytest.raises(StorageError, match="10 of 20 animals"):
        shore.age([MONDAY])
    assert not shore.animals.aged()


@pytest.mark.parametrize("links", [True, False])
def test_animals_that_are_corrected_and_put_back_while_they_are_scored_keep_no_other_ages(
    shore: Shore, monkeypatch: pytest.MonkeyPatch, *, links: bool
) -> None:
    """The object of before, the correction and the object of after have as many rows."""
    if not links:
        monkeypatch.setattr(Path, "hardlink_to", _refuse_links)
    shore.zone.land(EARLY, animals(20))
    shore.take_in([MONDAY])
    contents = [animals(20), animals(20, seed=1)]

    def correct() -> None:
        shore.zone.land(EARLY, contents.pop())
        shore.take_in([MONDAY])

    shore.meanwhile = correct
    shore.age([MONDAY])
    assert not contents
    lengths = pl.read_csv(BytesIO(animals(20)), has_header=False)[:, 1]
    assert shore.ages(MONDAY)["length"].to_list() == lengths.to_list()
    assert shore.animals.days_to_age(shore.animals.manifest()) == []


def test_a_days_animals_say_of_which_content_of_each_file_they_are(
    shore: Shore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said() -> object:
        path = on_this_machine(
            shore.animals.store, shore.animals.lake.key("unaged_animals", MONDAY), scratch()
        )
        assert path is not None
        return note_of(path)

    def scratch() -> Path:
        return Path(mkdtemp(dir=shore.folder))

    def in_manifest() -> object:
        files = shore.animals.manifest().days[MONDAY].files
        return {"files": {file.name: file.sha256 for file in files}}

    def unreadable(*_: object) -> str:
        raise StorageError("no access")

    shore.zone.land(EARLY, animals(20))
    shore.take_in([MONDAY])
    assert said() == in_manifest()
    with monkeypatch.context() as patch:
        patch.setattr(type(shore.zone), "download", unreadable)
        shore.take_in([MONDAY])
    assert said() == in_manifest()
    shore.zone.land(LATE, animals(5, seed=1))
    shore.take_in([MONDAY])
    assert said() == in_manifest()


def test_a_revoked_day_keeps_the_animals_of_a_file_that_cannot_be_read(
    shore: Shore, monkeypatch: pytest.MonkeyPatch
) -> None:
    shore.zone.land(EARLY, animals(20))
    shore.take_in([MONDAY])
    revoke_days(shore.animals.records, [MONDAY])

    def unreadable(*_: object) -> str:
        raise StorageError("no access")

    with monkeypatch.context() as patch:
        patch.setattr(type(shore.zone), "download", unreadable)
        shore.take_in([MONDAY])
    (file,) = shore.animals.manifest().days[MONDAY].files
    assert (file.rows, file.is_out_of_reach) == (20, True)
    assert shore.due() == [MONDAY], "it is read when it can be"


def _refuse_links(_: Path, target: Path) -> None:
    raise OSError(errno.EXDEV, "another file system", str(target))


def test_ages_of_animals_that_were_corrected_while_they_were_scored_replace_none(
    shore: Shore,
) -> None:
    shore.zone.land(EARLY, animals(20))
    shore.zone.land(animals_name(TUESDAY), animals(5))
    for day in (MONDAY, TUESDAY):
        shore.take_in([day])
    corrections = [animals(30, seed=1)]

    def correct() -> None:
        shore.meanwhile = lambda: None
        shore.zone.land(EARLY, corrections.pop())
        shore.take_in([MONDAY])
        shore.age([MONDAY])  # as another run does

    shore.meanwhile = correct
    shore.age([MONDAY, TUESDAY])
    assert not corrections
    assert shore.ages(MONDAY).height == 30
    told = shore.csv(EARLY)
    assert told is not None
    assert pl.read_csv(BytesIO(told)).height == 30
    assert shore.animals.aged().keys() == {MONDAY, TUESDAY}
    assert shore.animals.days_to_age(shore.animals.manifest()) == []


def test_ages_of_animals_that_are_taken_in_now_are_put_off(shore: Shore) -> None:
    shore.zone.land(EARLY, animals(20))
    shore.take_in([MONDAY])
    entry = shore.animals.manifest().days[MONDAY]
    shore.meanwhile = lambda: revoke_days(shore.animals.records, [MONDAY])
    shore.age([MONDAY])
    assert shore.csv(EARLY) is None
    assert not shore.animals.aged()
    shore.meanwhile = lambda: None
    commit_days(shore.animals.records, {MONDAY: entry})
    shore.settle()
    assert shore.ages(MONDAY).height == 20
