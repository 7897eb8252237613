"""The look at known weaknesses of dependencies: what fails it and what does not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]


def audited(folder: Path, answer: str) -> subprocess.CompletedProcess[str]:
    """What `make audit` does where pip-audit answers so."""
    tool = folder / "pip-audit"
    tool.write_text(f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\necho no route to host >&2\nexit 1\n")
    tool.chmod(0o700)
    return subprocess.run(
        [sys.executable, PROJECT / ".ci/audit.py", tool, sys.executable],
        capture_output=True,
        text=True,
        check=False,
    )


def dependency(**more: Any) -> dict[str, Any]:
    return {"name": "some", "version": "1.0", **more}


def test_a_known_weakness_fails_and_says_what_mends_it(tmp_path: Path) -> None:
    weakness = {"id": "PYSEC-1", "fix_versions": ["1.1"], "aliases": [], "description": ""}
    found = [dependency(vulns=[weakness]), dependency(skip_reason="not found on PyPI")]
    told = audited(tmp_path, json.dumps({"dependencies": found}))
    assert told.returncode == 1
    assert "1 of 2 dependencies have been asked about" in told.stdout
    assert "some 1.0: PYSEC-1, mended in 1.1" in told.stdout


def test_none_does_not(tmp_path: Path) -> None:
    told = audited(tmp_path, json.dumps({"dependencies": [dependency(vulns=[])]}))
    assert told.returncode == 0, told.stderr


@pytest.mark.parametrize("answer", ["", "nonsense", "{}"])
def test_where_nobody_can_be_asked_that_is_said_and_nothing_fails(
    tmp_path: Path, answer: str
) -> None:
    """CI runs where there are package registries and no advisories, too."""
    told = audited(tmp_path, answer)
    assert told.returncode == 0
    assert "nothing is known: no route to host" in told.stdout
