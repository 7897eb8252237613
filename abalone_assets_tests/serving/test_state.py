from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from abalone_assets.serving.state import ServerState, read_state, remove_state, write_state

if TYPE_CHECKING:
    from pathlib import Path

STATE = ServerState("http://127.0.0.1:8080", 42, "abalone-rings", "2025-03-01T00:00:00+00:00")


def test_the_state_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "server.json"
    assert read_state(path) is None
    write_state(path, STATE)
    assert read_state(path) == STATE


def test_a_server_removes_its_own_file_but_not_its_successors(tmp_path: Path) -> None:
    path = tmp_path / "server.json"
    write_state(path, STATE)
    successor = replace(STATE, pid=43)
    write_state(path, successor)

    remove_state(path, STATE.pid)
    assert read_state(path) == successor
    remove_state(path, successor.pid)
    assert not path.exists()
    remove_state(path, successor.pid)
