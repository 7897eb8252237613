"""What may be amiss in a home, and what `abalone verify` tells of each damage."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import dagster as dg
import polars as pl

from abalone_assets.automation.runs import DEPLOY_JOB
from abalone_assets.lake.manifest_store import revoke_days
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.automation.support import RELEASE, name_of, requests
from abalone_assets_tests.cli.support import abalone
from abalone_assets_tests.stories.finished import BAD_ROW, DAYS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from abalone_assets_tests.support.platform import Platform


def day(home: Path, asset: str) -> Path:
    return home / "lake" / asset / f"survey_day={DAYS[0]}" / "data.parquet"


def cut(path: Path) -> None:
    """Take the last row away."""
    rows = pl.read_parquet(path, hive_partitioning=False)
    rows.head(len(rows) - 1).write_parquet(path)


def spoil(path: Path) -> None:
    """Change a byte in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def halve(path: Path) -> None:
    """Leave the first half."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def swap_ages(path: Path) -> None:
    """Give each animal the rings of the one before."""
    rows = pl.read_parquet(path, hive_partitioning=False)
    rows.with_columns(pl.col("rings").reverse()).write_parquet(path)


def revoke(home: Path) -> None:
    revoke_days(ObjectStore(home / "lake"), [DAYS[0]])


def mislead(home: Path) -> None:
    publish_pointer(ObjectStore(home / "registry"), "abalone", 9)


def change_part(home: Path) -> None:
    """Let the files of a day be others than it was committed with."""
    (part,) = (
        path
        for path in (home / "lake/_manifest").iterdir()
        if path.name in (home / "lake/manifest.json").read_text()
    )
    document = json.loads(part.read_text())
    document["days"][DAYS[0]]["files"][0]["sha256"] = "0" * 64
    part.write_text(json.dumps(document))


def archive(home: Path) -> Path:
    return home / "registry/versions/000002/model.tar.gz"


def lose(folder: str) -> Callable[[Path], None]:
    """Lose a folder of the registry."""
    return lambda home: shutil.rmtree(home / "registry" / folder)


def release(platform: Platform) -> None:
    platform.run(RELEASE, dg.RunRequest())


def delete_and_release(platform: Platform) -> None:
    lose("versions/000002")(platform.home)
    release(platform)


def approve_another(platform: Platform) -> None:
    """What it says also where it leads: the next model is held against that version."""
    assert abalone("approve", "1", "--because", "the archive of version 2 is lost").exit_code == 0
    (asked,) = requests(platform, "approval_sensor")
    platform.run(DEPLOY_JOB, asked)
    release(platform)


def write_otherwise(path: Path) -> None:
    """The same rows in other bytes."""
    pl.read_parquet(path).write_parquet(path, compression="lz4")


def kept_document(home: Path) -> Path:
    return min((home / "lake/_kept/days").iterdir())


def remove_outputs(home: Path) -> None:
    for path in home.glob("lake/trained_model/*/output/model.tar.gz"):
        path.unlink()


def remove_reports(home: Path) -> None:
    for path in (home / "lake/evaluation/_reports").iterdir():
        path.unlink()


def remove_parts(home: Path) -> None:
    for path in (home / "lake/_manifest").iterdir():
        path.unlink()


@dataclass(frozen=True)
class Damage:
    """What may be amiss in a home, and what is told of it.

    Attributes:
        id: Its name.
        make: Damages a home.
        subject: The subject of the finding.
        outcome: What the finding comes to.
        told: A pattern of what is found.
        also: Other subjects that may fail of it.
        remedies: What is said to help; each is carried out, and nothing is amiss any more.
    """

    id: str
    make: Callable[[Path], object]
    subject: str
    outcome: str
    told: str
    also: frozenset[str] = frozenset()
    remedies: tuple[Callable[[Platform], None], ...] = ()


DAMAGES: Final = (
    Damage(
        "parts of the manifest are gone",
        remove_parts,
        "manifest",
        "failed",
        "no such part of the manifest",
    ),
    Damage(
        "a part of the manifest is another",
        change_part,
        "survey days",
        "failed",
        "do not have the digest",
        # Its file is another than is listed, until it is put back once.
        also=frozenset({"landing zone"}),
    ),
    Damage(
        "a day's rows are gone",
        lambda home: day(home, "new_surveys").unlink(),
        "survey days",
        "failed",
        "0 of 6 rows of",
    ),
    Damage(
        "a row of a day is gone",
        lambda home: cut(day(home, "new_surveys")),
        "survey days",
        "failed",
        "5 of 6 rows of",
    ),
    Damage(
        "half of a day's object is gone",
        lambda home: halve(day(home, "new_surveys")),
        "survey days",
        "failed",
        "cannot be read",
    ),
    Damage(
        "a day's rows are others",
        lambda home: swap_ages(day(home, "new_surveys")),
        "survey days",
        "failed",
        "other rows of abalone.20250303120000 than its bytes have",
    ),
    Damage(
        "a landed file is written anew",
        lambda home: (home / "landing_zone" / name_of(DAYS[1])).write_bytes(BAD_ROW),
        "landing zone",
        "warning",
        "1 file is written anew since",
    ),
    Damage(
        "a quarantined row is gone",
        lambda home: cut(day(home, "quarantined_rows")),
        "survey days",
        "failed",
        "0 of 1 quarantined rows",
    ),
    Damage(
        "a day is being written",
        revoke,
        "survey days",
        "warning",
        "1 survey day is being written",
    ),
    Damage(
        "a row of the base survey is gone",
        lambda home: cut(home / "lake/raw_abalone/data.parquet"),
        "base survey in the lake",
        "failed",
        "799 rows of 800",
    ),
    Damage(
        "a landed file is gone",
        lambda home: (home / "landing_zone" / name_of(DAYS[1])).unlink(),
        "landing zone",
        "warning",
        name_of(DAYS[1]),
    ),
    Damage(
        "a row of a split is gone",
        lambda home: cut(home / "lake/train_split/data.parquet"),
        "splits",
        "failed",
        "in the splits",
    ),
    Damage(
        "a split's rows are others",
        lambda home: swap_ages(home / "lake/train_split/data.parquet"),
        "splits",
        "failed",
        "train_split: holds other bytes than were prepared",
    ),
    Damage(
        "a split is gone",
        lambda home: (home / "lake/test_split/data.parquet").unlink(),
        "splits",
        "failed",
        "test_split: no such object",
    ),
    Damage(
        "what was prepared is unknown",
        lambda home: (home / "lake/merged_dataset/_preparation.json").unlink(),
        "splits",
        "warning",
        "nothing is prepared",
    ),
    Damage(
        "the trainings' outputs are gone",
        remove_outputs,
        "last model",
        "failed",
        "no such object",
    ),
    Damage("the reports are gone", remove_reports, "last model", "warning", "has no report"),
    Damage(
        "a byte of an archive is another",
        lambda home: spoil(archive(home)),
        "model versions",
        "failed",
        "version 2: .*SHA-256 is",
    ),
    Damage(
        "an archive is gone",
        lambda home: archive(home).unlink(),
        "model versions",
        "failed",
        "version 2: .*is gone",
        remedies=(approve_another, delete_and_release),
    ),
    Damage(
        "the live version is gone",
        lose("versions/000002"),
        "model versions",
        "failed",
        "needed but not in the registry: version 2",
        remedies=(release,),
    ),
    Damage(
        "all versions are gone",
        lose("versions"),
        "model versions",
        "failed",
        "needed but not in the registry: version 1 .*, version 2 ",
        remedies=(release,),
    ),
    Damage("an unknown version is to be live", mislead, "model versions", "failed", "version 9 "),
    Damage(
        "a byte of a kept day is another",
        lambda home: spoil(kept_document(home)),
        "inputs of versions",
        "failed",
        "1 kept object is other than the digest in its name",
    ),
    Damage(
        "a kept day is gone",
        lambda home: kept_document(home).unlink(),
        "inputs of versions",
        "failed",
        "1 input of versions is gone: _kept/days/2025-03.* of version",
    ),
    Damage(
        "the base survey's bytes are others",
        lambda home: write_otherwise(home / "lake/raw_abalone/data.parquet"),
        "inputs of versions",
        "failed",
        "2 inputs of versions are gone: base survey of version 1, base survey of version 2",
    ),
)
