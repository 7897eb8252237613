"""A version comes out byte for byte, or it is said what differs, or why it cannot be made."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from abalone_assets.cli import main
from abalone_assets.lake.kept_inputs import kept_key
from abalone_assets.lake.lake import Lake
from abalone_assets.provenance.rebuild import Rebuilt, rebuild
from abalone_assets.registry.code_version import code_version
from abalone_assets.registry.versions import UnknownVersionError
from abalone_assets_tests.automation.support import files_below
from abalone_assets_tests.lake.test_kept_inputs import sha256
from abalone_assets_tests.provenance.support import DAY, NEXT, Little
from abalone_assets_tests.registry.support import archive

if TYPE_CHECKING:
    from pathlib import Path

LONG_AGO = "2020-01-01T00:00:00+00:00"


@pytest.fixture
def little(home: Path) -> Little:
    little = Little(home)
    little.base()
    little.ingest(DAY, 1, 2)
    return little


def again(little: Little, version: int = 1) -> Rebuilt:
    return rebuild(little.registry, little.lake, version, lambda _: None)


@pytest.mark.parametrize(
    ("framework", "hyperparameters"),
    [
        ("xgboost", {"seed": 7, "eta": 0.123456789}),
        ("blend", {"landmarks": 20, "folds": 2}),
    ],
)
def test_a_version_is_made_again_after_everything_has_changed(
    little: Little, home: Path, framework: Any, hyperparameters: dict[str, Any]
) -> None:
    little.release(framework, hyperparameters)
    little.ingest(DAY, 3)
    little.ingest(NEXT, 4)
    little.base(200, seed=91)
    little.release()
    before = files_below(home)
    steps = list[str]()

    rebuilt = rebuild(little.registry, little.lake, 1, steps.append)

    assert rebuilt.verdict == "identical"
    assert rebuilt.archive == little.registry.read_model(1)
    assert rebuilt.rebuilt_sha256 == rebuilt.registered_sha256 == sha256(rebuilt.archive)
    assert files_below(home) == before
    assert [step.split()[0].rstrip(":") for step in steps] == [
        *("collecting", "preparing", "training", "comparing"),
    ]


@pytest.mark.xdist_group("keras")
def test_a_network_is_made_again(little: Little) -> None:
    version = little.release("tensorflow", {"hidden_units": 4, "epochs": 2})

    rebuilt = again(little, version)

    assert rebuilt.same_model, rebuilt.to_document()
    assert rebuilt.verdict == "identical", rebuilt.to_document()


def test_rows_that_are_gone_are_named(little: Little) -> None:
    little.release()
    rows = little.lake.store.read(little.lake.key("new_surveys", DAY))
    raw = little.lake.store.read(little.lake.key("raw_abalone"))
    little.ingest(DAY, 3)
    little.base(200, seed=91)
    for data in (rows, raw):
        little.lake.store.delete(kept_key(sha256(data)))

    rebuilt = again(little)

    assert rebuilt.verdict == "impossible"
    assert rebuilt.problems == (
        f"the rows of the base survey are gone as they were (SHA-256 {sha256(raw)})",
        f"the rows of survey day {DAY} are gone as they were (SHA-256 {sha256(rows)})",
    )
    assert rebuilt.rebuilt_sha256 is None


def test_days_that_nobody_knows_any_more_are_said_so(little: Little) -> None:
    little.release()
    little.lake.store.delete_folder("_kept/days")

    assert "its survey days are not known any more" in again(little).problems[0]


def test_a_version_of_an_earlier_release_is_not_recorded(little: Little) -> None:
    little.registry.register(
        archive("old"), evaluation={}, decision={"approved": True}, release_digest="r"
    )
    little.release(untrue={"inputs": None})

    for version in (1, 2):
        rebuilt = again(little, version)
        assert rebuilt.verdict == "impossible"
        assert "is not recorded" in rebuilt.problems[0]
    with pytest.raises(UnknownVersionError):
        again(little, 3)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"framework": "forest"}, "no framework 'forest'"),
        ({"hyperparameters": {"depths": 3}}, "unrecognized arguments: --depths 3"),
    ],
)
def test_what_this_release_cannot_train_is_said(
    little: Little, changes: dict[str, Any], told: str
) -> None:
    little.release(untrue=changes)

    rebuilt = again(little)

    assert rebuilt.verdict == "impossible"
    assert told in rebuilt.problems[0]


def test_other_libraries_machine_and_code_are_named(little: Little) -> None:
    code = replace(code_version(), sha256="0" * 64, commit="a" * 40)
    then = {"numpy": "1.0", "python": "2.7", "lost": "3"}
    machine = {"architecture": "arm64"}
    untrue = {"code": code, "libraries": then, "machine": machine, "created_at": LONG_AGO}
    little.release("xgboost", {"seed": 7}, untrue)

    rebuilt = again(little)

    assert rebuilt.verdict == "differs"
    assert rebuilt.same_model
    assert rebuilt.members == ("model_card.json",)  # its time of birth
    assert rebuilt.libraries is not None
    assert rebuilt.libraries["lost"] == ("3", None)
    assert rebuilt.libraries["numpy"][0] == "1.0"
    assert rebuilt.machine is not None
    assert rebuilt.machine["architecture"][0] == "arm64"
    assert rebuilt.code is not None
    assert rebuilt.code[0] == code
    assert rebuilt.to_document()["code"]["then"]["commit"] == "a" * 40


def test_another_model_is_told_from_another_paper(little: Little) -> None:
    little.release("xgboost", {"seed": 7}, {"hyperparameters": {"seed": 8, "folds": 0}})

    rebuilt = again(little)

    assert rebuilt.verdict == "differs"
    assert rebuilt.same_model is False
    assert rebuilt.members[0] == "model.ubj"
    assert (rebuilt.libraries, rebuilt.machine, rebuilt.code) == ({}, {}, None)


def test_changed_modules_that_the_archive_carries_are_one_line(
    little: Little, monkeypatch: pytest.MonkeyPatch
) -> None:
    little.release()
    monkeypatch.setattr("abalone_assets.modeling.archive._ENTRY_POINT", "# another entry point\n")

    assert again(little).members == ("code/",)


def test_without_the_registered_archive_digests_are_compared(little: Little) -> None:
    little.release()
    little.release("xgboost", {"seed": 8}, {"created_at": LONG_AGO})
    for version in (1, 2):
        little.registry.remove_archive(version)

    assert again(little, 1).verdict == "identical"
    differs = again(little, 2)
    assert differs.verdict == "differs"
    assert differs.members == ()
    assert "the registered archive is gone" in differs.problems[0]


def test_an_archive_that_another_has_packed_has_the_same_files(little: Little) -> None:
    packed_by_another(little)

    rebuilt = again(little)

    assert (rebuilt.verdict, rebuilt.reproduced) == ("same_files", True)
    assert (rebuilt.members, rebuilt.same_model) == ((), True)
    assert rebuilt.rebuilt_sha256 != rebuilt.registered_sha256


def packed_by_another(little: Little) -> None:
    """A version whose archive SageMaker packed: with a time, and by another compressor."""
    little.release(repack=lambda archive: gzip.compress(gzip.decompress(archive), 1, mtime=1))


class TestTheCommand:
    def run(self, *arguments: str) -> Any:
        return CliRunner().invoke(main, ["reproduce", *arguments])

    def test_says_what_came_of_it_and_exits_with_0_only_for_the_same_bytes(
        self, little: Little, tmp_path: Path
    ) -> None:
        little.release()
        untrue = {"libraries": {"numpy": "1.0"}, "created_at": LONG_AGO}
        little.release("xgboost", {"seed": 8}, untrue)
        little.release("xgboost", {"seed": 9}, {"inputs": None})

        same = self.run("1", "--output", str(tmp_path / "new" / "folder"))
        assert same.exit_code == 0, same.output
        assert "Identical: version 1 was made again, byte for byte" in same.stdout
        left = tmp_path / "new" / "folder"
        assert (left / "model.tar.gz").read_bytes() == little.registry.read_model(1)
        assert json.loads((left / "reproduced.json").read_text())["verdict"] == "identical"

        differs = self.run("2")
        assert differs.exit_code == 1
        assert "The file that answers requests is the same" in differs.stdout
        assert "Files that differ: model_card.json" in differs.stdout
        assert "1.0" in differs.stdout

        impossible = self.run("3", "--json")
        assert impossible.exit_code == 1
        assert json.loads(impossible.stdout)["verdict"] == "impossible"
        assert "version 3 cannot be made again" in self.run("3").stdout

    def test_says_that_only_the_packing_differs_and_exits_with_0(self, little: Little) -> None:
        packed_by_another(little)
        told = self.run("1")
        assert told.exit_code == 0, told.output
        assert "The same files: version 1 was made again" in told.stdout
        assert "Only the packing differs" in told.stdout
        assert json.loads(self.run("1", "--json").stdout)["verdict"] == "same_files"

    def test_refuses_a_folder_that_cannot_be_written(self, little: Little, tmp_path: Path) -> None:
        little.release()
        (tmp_path / "file").write_text("in the way")
        refused = self.run("1", "--output", str(tmp_path / "file" / "folder"))
        assert refused.exit_code == 1
        assert "cannot be written" in refused.output


def test_a_lake_on_s3_is_read_as_well(little: Little, s3: str) -> None:
    little.release()
    remote = Lake(f"{s3}/lake")
    for stored in little.lake.store.list():
        remote.store.write(stored.key, little.lake.store.read(stored.key))

    assert rebuild(little.registry, remote, 1, lambda _: None).verdict == "identical"
