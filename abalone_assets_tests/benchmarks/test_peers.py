"""Environments of peers, without a network: what they are asked for is a local folder."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from benchmarks import peers


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(peers, "HERE", tmp_path / "peers")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (tmp_path / "peers" / "some").mkdir(parents=True)
    return tmp_path / "peers" / "some"


def test_an_environment_is_made_once_and_again_when_requirements_change(folder: Path) -> None:
    (folder / "requirements.txt").write_text("# nothing\n")
    python = peers.python_of("some")
    made = (python.parents[1] / "made").stat().st_mtime_ns
    prefix = subprocess.run(
        [python, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True
    )
    assert python.parents[1].samefile(prefix.stdout.strip())
    assert peers.python_of("some") == python
    assert (python.parents[1] / "made").stat().st_mtime_ns == made
    (folder / "requirements.txt").write_text("# nothing else\n")
    assert peers.python_of("some") != python


def test_a_peer_that_cannot_be_installed_says_so(folder: Path) -> None:
    (folder / "requirements.txt").write_text("abalone-no-such-package==1\n")
    with pytest.raises(peers.PeerUnavailableError, match="abalone-no-such-package"):
        peers.python_of("some")


def test_an_unknown_peer_is_told(folder: Path) -> None:
    (folder / "requirements.txt").write_text("")
    with pytest.raises(peers.PeerUnavailableError, match="no peer 'other': there are some"):
        peers.python_of("other")


def test_every_peer_is_pinned() -> None:
    for name in peers.names():
        for line in (peers.HERE / name / "requirements.txt").read_text().splitlines():
            if line and not line.startswith(("#", "-")):
                assert re.match(r"[\w.\[\],-]+==", line), f"{name}: {line}"
