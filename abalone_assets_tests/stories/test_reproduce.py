"""A version can be explained and made again from the lake alone, for as long as it is kept."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from abalone_assets.cli import main
from abalone_assets.doctor.verify.run import verify
from abalone_assets.lake.kept_inputs import DAYS, ROWS
from abalone_assets.registry.open import open_registry
from abalone_assets.registry.provenance import provenance_of
from abalone_assets.retention.collect import stored_kinds
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.automation.support import files_below, platform_in
from abalone_assets_tests.support.many_releases import bring, empty_landing_zone, file_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abalone_assets_tests.support.platform import Platform

pytestmark = pytest.mark.xdist_group("reproduce_story")  # one story for all

RELEASES = 6


@dataclass(frozen=True)
class Story:
    """Six releases, of which one rewrites a file and one deletes one; nothing is landed any more.

    Attributes:
        platform: Where they ran.
        versions: The versions that they registered.
    """

    platform: Platform
    versions: list[int]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with platform_in(tmp_path_factory.mktemp("reproduced")) as platform:
        for number in range(1, RELEASES + 1):
            bring(platform, number)
        empty_landing_zone(platform)
        versions = [each.version for each in open_registry(load_settings()).versions()]
        assert len(versions) == RELEASES
        yield Story(platform, versions)


def told(*arguments: str, exit_code: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(main, [*arguments, "--json"])
    assert result.exit_code == exit_code, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_every_version_comes_out_byte_for_byte_and_nothing_is_written(
    story: Story, tmp_path: Path
) -> None:
    before = files_below(story.platform.home)

    for version in story.versions:
        found = told("reproduce", str(version), "--output", str(tmp_path / str(version)))
        assert found["verdict"] == "identical"
        assert found["rebuilt_sha256"] == found["registered_sha256"]
        archive = (tmp_path / str(version) / "model.tar.gz").read_bytes()
        assert archive == open_registry(load_settings()).read_model(version)

    assert files_below(story.platform.home) == before


def test_a_record_says_which_data_code_settings_libraries_and_machine_made_it(story: Story) -> None:
    provenance = provenance_of(open_registry(load_settings()).get(story.versions[-1]))

    assert provenance is not None
    assert provenance.inputs is not None
    assert provenance.code.package
    assert len(provenance.code.sha256) == 64
    assert provenance.framework == "blend"
    assert provenance.hyperparameters["seed"] == 0
    assert {"python", "numpy", "xgboost"} <= provenance.libraries.keys()
    assert provenance.machine["architecture"]
    assert provenance.engine.startswith("polars")
    assert story.platform.instance.get_run_by_id(provenance.run_id)


def test_what_differs_between_two_versions_is_told_by_file(story: Story) -> None:
    found = told("diff", str(story.versions[0]), str(story.versions[-1]))

    files = {each["name"]: each["kind"] for each in found["data"]["files"]}
    assert files == {file_of(number): "added" for number in (2, 4, 5, 6)}
    assert found["data"]["rows"][1] - found["data"]["rows"][0] == 4 * 50
    assert found["code"] == found["settings"] == found["libraries"] == found["machine"] == {}
    assert found["scores"]["rows"] > 0
    assert found["unknown"] == []


def test_a_file_that_was_rewritten_and_one_that_was_deleted_are_told(story: Story) -> None:
    rewritten = told("diff", str(story.versions[2]), str(story.versions[3]))
    deleted = told("diff", str(story.versions[5]), str(story.versions[4]))

    kinds = {each["name"]: each["kind"] for each in rewritten["data"]["files"]}
    assert kinds == {file_of(4): "added", file_of(2): "changed"}
    kinds = {each["name"]: each["kind"] for each in deleted["data"]["files"]}
    assert kinds == {file_of(3): "added", file_of(6): "removed"}


def test_verify_reads_what_is_kept(story: Story) -> None:
    findings = {each.subject: each for each in verify(load_settings())}

    assert findings["inputs of versions"].outcome == "ok"
    assert findings["inputs of versions"].found.startswith("all that 6 versions learnt from")


def test_gc_keeps_what_versions_need_and_verify_and_reproduce_tell_what_is_gone(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = story.platform.lake.store
    kept = {each.key for prefix in (ROWS, DAYS) for each in store.list(prefix)}
    later = datetime.now(UTC) + timedelta(days=2)
    assert [thing for kind in stored_kinds(load_settings(), later) for thing in kind.free()
            if thing.name in kept] == []  # fmt: skip

    monkeypatch.setenv("ABALONE_KEEP_VERSIONS", "2")
    monkeypatch.setenv("ABALONE_KEEP_VERSION_DAYS", "1")
    later = datetime.now(UTC) + timedelta(days=9)
    freed = {thing.name for kind in stored_kinds(load_settings(), later) for thing in kind.free()}

    assert kept & freed
    archived = open_registry(load_settings()).archives()
    for version in story.versions:
        if version in archived:
            assert told("reproduce", str(version))["verdict"] == "identical"
    # One whose rows a kept version has too comes out all the same.
    results = [
        CliRunner().invoke(main, ["reproduce", str(each), "--json"])
        for each in story.versions
        if each not in archived
    ]
    impossible = [json.loads(result.stdout) for result in results if result.exit_code]
    assert {each["verdict"] for each in impossible} == {"impossible"}
    assert all("are gone" in str(each["problems"]) for each in impossible)
