"""What tests of `abalone land` share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abalone_assets_tests.cli.support import GOOD_ROW

if TYPE_CHECKING:
    from pathlib import Path

NAME = "abalone.20250314061500"


def survey(folder: Path, name: str = NAME, content: str | bytes = GOOD_ROW) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def landed(home: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (home / "landing_zone").iterdir()}
