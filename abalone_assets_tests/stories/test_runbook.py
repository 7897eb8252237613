"""Symptoms of the runbook that no other test makes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from abalone_assets.errors import StorageError
from abalone_assets.lake.leftovers import KEPT_SECONDS
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.automation.support import ingest, name_of, requests
from abalone_assets_tests.cli.support import abalone, abalone_json
from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    import pytest

    from abalone_assets_tests.support.platform import Platform

DAY = "2025-03-14"


def test_a_full_disk_loses_nothing_and_the_next_tick_after_it_goes_on(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABALONE_ENDPOINT_PORT", "0")
    monkeypatch.setenv("ABALONE_RETRY_SECONDS", "1")
    platform.land(name_of(DAY), survey_rows(6))
    write, root = ObjectStore.write, platform.lake.store.root
    assert root is not None

    def full(store: ObjectStore, key: str, data: bytes, **options: object) -> None:
        """As obstore ends on a full disk: a part stays behind under a name of its own."""
        if key.endswith(".parquet"):
            left = root / f"{key}#1"
            left.parent.mkdir(parents=True, exist_ok=True)
            left.write_bytes(data[:10])
            os.utime(left, (left.stat().st_mtime - KEPT_SECONDS - 1,) * 2)
            raise StorageError(f"{store.uri_of(key)}: No space left on device")
        write(store, key, data, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(ObjectStore, "write", full)
        assert ingest(platform) == [False]
    (run,) = platform.instance.get_runs()
    assert run.is_failure
    assert DAY in abalone("status").output
    assert list(root.rglob("*#1"))

    assert "leftovers repaired" in {
        each["subject"] for each in abalone_json("doctor", "--repair")["findings"]
    }
    assert list(root.rglob("*#1")) == []
    while not (asked := requests(platform)):
        pass
    assert [platform.run("ingest_surveys", each).success for each in asked] == [True]
    assert platform.lake.manifest().days[DAY].rows == 6
