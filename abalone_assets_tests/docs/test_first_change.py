"""docs/first-change.md is done, word for word, in a copy of the project."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from abalone_assets_tests.docs.walkthrough import (
    bash,
    changed_files,
    contents,
    copied_project,
    walk,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.service

CODE_VERSION = """.venv/bin/python -c '
from abalone_assets.defs.training.trained_model import trained_model
print(trained_model.code_versions_by_key)'"""


def test_the_first_change_goes_as_the_page_tells(tmp_path: Path) -> None:
    copy = copied_project(tmp_path)
    before = bash(copy, CODE_VERSION)
    files = contents(copy)
    walk("first-change.md", copy)
    evaluation = json.loads((copy / "test-output/report/evaluation.json").read_text())
    assert next(iter(evaluation["feature_importance"])) == "log_shell_per_length"
    assert changed_files(copy, files) == {
        "abalone_assets/modeling/features.py",
        "abalone_assets_tests/modeling/test_features.py",
    }
    assert bash(copy, CODE_VERSION) != before
