"""GitHub's workflows, read: they run only what the project has, with no more rights than needed."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest
from dagster_shared.yaml_utils import load_yaml_from_path

PROJECT: Final = Path(__file__).parents[2]
WORKFLOWS: Final = sorted((PROJECT / ".github/workflows").glob("*.yml"))
PINNED: Final = re.compile(r"[\w-]+/[\w./-]+@v\d+\.\d+\.\d+")
EVERY_WORKFLOW: Final = pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)


def read(file: Path) -> dict[str, Any]:
    document = load_yaml_from_path(str(file))
    assert isinstance(document, dict)
    return document


def steps(file: Path) -> list[dict[str, Any]]:
    return [step for job in read(file)["jobs"].values() for step in job.get("steps", [])]


def scripts(file: Path) -> list[str]:
    return [step["run"] for step in steps(file) if "run" in step]


def uses(file: Path) -> list[str]:
    called = [job["uses"] for job in read(file)["jobs"].values() if "uses" in job]
    return called + [step["uses"] for step in steps(file) if "uses" in step]


def test_there_are_the_three() -> None:
    assert [file.stem for file in WORKFLOWS] == ["deploy", "newest", "test"]


@EVERY_WORKFLOW
def test_it_may_only_read_unless_a_job_needs_more(file: Path) -> None:
    assert read(file)["permissions"] == {"contents": "read"}
    rights = [job["permissions"] for job in read(file)["jobs"].values() if "permissions" in job]
    assert rights == ([{"contents": "read", "id-token": "write"}] if file.stem == "deploy" else [])


@EVERY_WORKFLOW
def test_its_actions_are_pinned_to_full_version_tags_and_its_calls_exist(file: Path) -> None:
    for used in uses(file):
        if used.startswith("./"):
            assert (PROJECT / used).is_file()
        else:
            assert PINNED.fullmatch(used), used


@EVERY_WORKFLOW
def test_each_job_of_its_own_ends_in_bounded_time(file: Path) -> None:
    jobs = read(file)["jobs"].values()
    assert all("timeout-minutes" in job for job in jobs if "steps" in job)


@EVERY_WORKFLOW
def test_it_runs_what_the_project_has(file: Path) -> None:
    text = "\n".join(scripts(file))
    makefile = (PROJECT / "Makefile").read_text()
    for targets in re.findall(r"^make ([a-z ]+)$", text, re.MULTILINE):
        for target in targets.split():
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for module in re.findall(r"python -m (\w[\w.]*)", text):
        assert find_spec(module) is not None, module
    for script in re.findall(r"^\.[\w/.-]+", text, re.MULTILINE):
        assert (PROJECT / script).stat().st_mode & 0o100, script


@EVERY_WORKFLOW
def test_nothing_that_others_wrote_reaches_a_shell(file: Path) -> None:
    # `${{ … }}` in a script is pasted in before the shell reads it; the environment is not.
    assert not [script for script in scripts(file) if "${{" in script]


def test_the_deployment_has_no_stored_keys_and_waits_for_the_tests() -> None:
    (file,) = [file for file in WORKFLOWS if file.stem == "deploy"]
    text, job = file.read_text(), read(file)["jobs"]["deploy"]
    assert "secrets." not in text
    assert "role-to-assume" in text
    assert job["needs"] == "test"
    assert job["environment"] == "production"
    assert job["if"] == "github.ref == 'refs/heads/main'"
    assert read(file)["concurrency"]["cancel-in-progress"] is False


def test_the_image_is_one_manifest() -> None:
    (file,) = [file for file in WORKFLOWS if file.stem == "deploy"]
    (build,) = [s["with"] for s in steps(file) if "build-push-action" in s.get("uses", "")]
    assert build["provenance"] is False
    assert build["platforms"] == "linux/amd64"
