"""A release as Dagster runs it, worker process included, against the same functions in a script."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from abalone_assets.sample_data import base_survey, surveys
from benchmarks.timing import compare, python_seconds


def main() -> None:
    """Both start from the same ingested surveys and end with a published version."""
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder) / "template"
        environ = _environ(template)
        _prepare(template)
        python_seconds(["-m", "benchmarks.plain_ingestion"], environ)

        def orchestrated() -> float:
            return _on_a_copy(template, ["-m", "dagster", "job", "execute", *_JOB])

        def plain() -> float:
            return _on_a_copy(template, ["-m", "benchmarks.plain_release"])

        compare(orchestrated, plain, runs=5)


_JOB = ["-m", "abalone_assets.definitions", "-j", "release"]


def _environ(home: Path) -> dict[str, str]:
    return {
        "ABALONE_HOME": str(home),
        "DAGSTER_HOME": str(home / "dagster"),
        "ABALONE_RAW_URI": str(base_survey()),
    }


def _prepare(home: Path) -> None:
    (home / "landing_zone").mkdir(parents=True)
    (home / "dagster").mkdir()
    (home / "dagster" / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    for survey in surveys():
        shutil.copy(survey, home / "landing_zone")


def _on_a_copy(template: Path, arguments: list[str]) -> float:
    home = template.with_name(f"run-{os.urandom(4).hex()}")
    shutil.copytree(template, home)
    try:
        return python_seconds(arguments, _environ(home))
    finally:
        shutil.rmtree(home)
