"""What killed processes left is removed, and nothing that may be a living one's."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import dagster as dg

from abalone_assets.automation.runs import RELEASE_JOB
from abalone_assets.doctor.local import repair_local
from abalone_assets.lake.leftovers import remove_leftovers
from abalone_assets.settings.platform import load_settings
from abalone_assets.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets_tests.support.platform import Platform

HEX = "0123456789abcdef" * 2
KILLED = """
import os, sys, threading
from abalone_assets.storage.object_store import ObjectStore
store, data = ObjectStore(sys.argv[1]), os.urandom(1 << 26)
store.write("asset/data.parquet", data)
threading.Timer(0.05, lambda: os.kill(os.getpid(), 9)).start()
while True:
    store.write("asset/data.parquet", data)
"""


def age(path: Path, seconds: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))
    os.utime(path.parent, (then, then))
    return path


def test_old_staged_files_go_and_objects_stay(tmp_path: Path) -> None:
    gone = [
        age(tmp_path / "train_split" / f".data.parquet.{HEX}.staged", 4000),
        age(tmp_path / "approved_model" / "data.json#1", 4000),
        age(tmp_path / "_staged" / HEX / "part-0.parquet", 4000),
    ]
    kept = [
        age(tmp_path / "train_split" / "data.parquet", 4000),
        age(tmp_path / "train_split" / f".data.parquet.{HEX[::-1]}.staged", 10),
        age(tmp_path / "approved_model" / "data.json#2", 10),
        age(tmp_path / "_staged" / HEX[::-1] / "part-0.parquet", 10),
        age(tmp_path / ".manifest.json.lock", 4000),
        age(tmp_path / "endpoint" / "C# 7", 4000),
    ]
    removed = remove_leftovers(tmp_path)
    assert {gone[0], gone[1], gone[2].parent} == set(removed)
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in kept)


def test_what_obstore_leaves_of_a_killed_write_is_known(tmp_path: Path) -> None:
    for _ in range(20):
        subprocess.run([sys.executable, "-c", KILLED, tmp_path / "lake"], check=False)
        names = {path.name for path in tmp_path.rglob("*") if path.is_file()}
        if names - {"data.parquet"}:
            break
    assert names - {"data.parquet"}, "no kill came while an object was written"
    remove_leftovers(tmp_path, kept_seconds=-60)
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} <= {"data.parquet"}
    assert {found.key for found in ObjectStore(tmp_path / "lake").list()} <= {"asset/data.parquet"}


def test_a_repair_and_a_release_remove_them(platform: Platform) -> None:
    """`abalone dev` repairs what it can when it starts."""

    def left() -> list[Path]:
        name = f".data.parquet.{HEX}.staged"
        return [age(platform.home / zone / "asset" / name, 4000) for zone in ("lake", "registry")]

    in_lake, in_registry = left()
    list(repair_local(load_settings()))
    assert not in_lake.exists()
    assert not in_registry.exists()
    in_lake, _ = left()
    assert platform.run(RELEASE_JOB, dg.RunRequest()).success
    assert not in_lake.exists()
