"""Where a version comes from is in its record, in every registry; old records do not say."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import abalone_assets
from abalone_assets import __version__
from abalone_assets.errors import StorageError
from abalone_assets.lake.kept_inputs import Inputs, KeptMonth
from abalone_assets.lake.manifest import IngestedRaw
from abalone_assets.registry.code_version import SHAPING, CodeVersion, code_version
from abalone_assets.registry.provenance import (
    PROVENANCE,
    Provenance,
    known_provenance,
    provenance_of,
)
from abalone_assets.registry.version_facts import VersionFacts
from abalone_assets_tests.registry.support import add

if TYPE_CHECKING:
    from abalone_assets.registry.registry import ModelRegistry

INPUTS = Inputs(
    "digest",
    IngestedRaw("r", "u", simulated=False, rows=9, quarantined=0, rows_sha256="a" * 64),
    {"2025-03": KeptMonth("_kept/days/2025-03.x.json", "m")},
)
MADE = Provenance(
    run_id="run",
    code=CodeVersion("0.1.0", "c" * 64, "1a2b3c4d5e6f", dirty=True),
    framework="blend",
    hyperparameters={"seed": 7, "eta": 0.1},
    libraries={"numpy": "2.1.0", "python": "3.11.2"},
    machine={"architecture": "x86_64"},
    created_at="2026-03-01T12:00:00+00:00",
    engine="polars 2.1.0",
    inputs=INPUTS,
)


def test_a_version_keeps_where_it_comes_from(registry: ModelRegistry) -> None:
    assert PROVENANCE == "provenance"
    version = add(registry, "m", provenance=MADE.to_document())

    assert provenance_of(registry.get(version.version)) == MADE
    assert MADE.born == 1772366400
    facts = VersionFacts.of(registry.get(version.version))
    assert facts.framework == "blend"
    assert facts.code == "0.1.0, commit 1a2b3c4d5e with changes"
    assert facts.libraries == MADE.libraries
    assert facts.hyperparameters == MADE.hyperparameters
    assert (facts.run_id, facts.base_survey, facts.base_survey_sha256) == ("run", "u", "r")


def test_an_old_record_says_nothing_and_a_damaged_one_what_is_wrong(
    registry: ModelRegistry,
) -> None:
    assert provenance_of(add(registry, "old")) is None
    assert VersionFacts.of(registry.get(1)).code is None
    damaged: dict[str, Any] = {**MADE.to_document(), "run_id": 7}
    version = add(registry, "damaged", provenance=damaged)
    with pytest.raises(StorageError, match="the record of version 2: run_id"):
        provenance_of(version)
    assert VersionFacts.of(version).code is None


@pytest.mark.parametrize("time", ["2026-03-01T12:00:00", "the first of March", ""])
def test_a_damaged_time_of_birth_is_named(registry: ModelRegistry, time: str) -> None:
    version = add(registry, "m", provenance={**MADE.to_document(), "created_at": time})
    with pytest.raises(StorageError, match=r"the record of version 1: created_at: .*; restore it"):
        provenance_of(version)
    assert known_provenance(version) is None


def test_its_facts_are_text_for_tools_that_hold_no_more_than_that() -> None:
    assert MADE.facts() == {
        "dagster_run_id": "run",
        "trained_at": "2026-03-01T12:00:00+00:00",
        "framework": "blend",
        "code": "0.1.0, commit 1a2b3c4d5e with changes",
        "code_sha256": "c" * 64,
        "code_commit": "1a2b3c4d5e6f",
        "libraries": "numpy 2.1.0, python 3.11.2",
        "machine": "architecture x86_64",
        "prepared_by": "polars 2.1.0",
        "base_survey": "u",
        "base_survey_sha256": "r",
    }
    raw = replace(INPUTS.raw, simulated=True) if INPUTS.raw else None
    stood_in = replace(MADE, inputs=replace(INPUTS, raw=raw))
    assert stood_in.facts()["base_survey"] == "the bundled simulated survey, instead of u"
    unknown = replace(MADE, inputs=None, engine="", code=CodeVersion("0.1.0", "c" * 64))
    assert MADE.facts().keys() - unknown.facts().keys() == {
        "code_commit",
        "prepared_by",
        "base_survey",
        "base_survey_sha256",
    }


class TestTheCode:
    @pytest.fixture
    def package(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A copy of what the digest is of, in a folder of its own."""
        folder = tmp_path / "project" / "abalone_assets"
        for name in ("__init__.py", "errors.py"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(f'"""{name}"""\n')
        monkeypatch.setattr(abalone_assets, "__file__", str(folder / "__init__.py"))
        return folder

    def git(self, folder: Path, *arguments: str) -> str:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        return subprocess.run(
            ["git", "-C", str(folder), *who, *arguments],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    def test_is_known_by_its_version_and_its_content(self, package: Path) -> None:
        found = code_version()
        assert found.package == __version__
        assert (found.commit, found.dirty) == (None, None)
        assert str(found) == __version__
        (package / "errors.py").write_text("changed\n")
        assert code_version().sha256 != found.sha256

    @pytest.mark.skipif(shutil.which("git") is None, reason="there is no Git")
    def test_is_known_by_its_commit_in_a_repository_and_by_whether_it_was_changed(
        self, package: Path
    ) -> None:
        project = package.parent
        self.git(project, "init", "-q")
        assert code_version().commit is None  # somebody else's repository
        self.git(project, "add", ".")
        self.git(project, "commit", "-q", "-m", "first")
        found = code_version()
        assert (found.commit, found.dirty) == (self.git(project, "rev-parse", "HEAD"), False)
        (project / "README.md").write_text("no code\n")
        assert code_version().dirty is False
        (package / "errors.py").write_text("changed\n")
        changed = code_version()
        assert (changed.commit, changed.dirty) == (found.commit, True)

    def test_is_known_by_its_content_where_there_is_no_git(
        self, package: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(package))
        assert code_version().commit is None
        assert len(code_version().sha256) == 64

    @pytest.mark.parametrize("dirty", [False, True])
    def test_is_known_by_the_commit_that_an_image_was_built_from(
        self, package: Path, monkeypatch: pytest.MonkeyPatch, *, dirty: bool
    ) -> None:
        commit = "1a" * 20
        monkeypatch.setenv("ABALONE_CODE_COMMIT", commit + ("-dirty" if dirty else ""))
        found = code_version()
        assert (found.commit, found.dirty) == (commit, dirty)
        assert str(found) == f"{__version__}, commit {commit[:10]}{' with changes' * dirty}"

    @pytest.mark.skipif(shutil.which("git") is None, reason="there is no Git")
    def test_a_repository_knows_better_than_a_variable(
        self, package: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ABALONE_CODE_COMMIT", "1a" * 20)
        self.git(package.parent, "init", "-q")
        self.git(package.parent, "add", ".")
        self.git(package.parent, "commit", "-q", "-m", "first")
        assert code_version().commit == self.git(package.parent, "rev-parse", "HEAD")

    def test_that_makes_a_model_is_all_there(self) -> None:
        folder = Path(abalone_assets.__file__).parent
        assert all(list(folder.glob(pattern)) for pattern in SHAPING)
