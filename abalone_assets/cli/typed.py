"""How our commands are typed: in this shell, from this folder, for this home."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from abalone_assets.cli.home import default_home
from abalone_assets.settings.environment import variable

if TYPE_CHECKING:
    from typing import Self

NAME: Final = "abalone"


@dataclass(frozen=True)
class Typed:
    """What to type, to be pasted as it is.

    Attributes:
        prefix: Names the home, where the commands would not find it from here; else empty.
        program: Calls `abalone`.
    """

    prefix: str
    program: str

    @classmethod
    def on(cls, home: Path) -> Self:
        """For commands on a home, typed in the current folder."""
        found = default_home().resolve() == home.resolve()
        prefix = "" if found else f"{variable('home')}={shlex.quote(str(home))} "
        return cls(prefix, _program())

    @property
    def dev(self) -> str:
        """Starts the UI, the sensors and the endpoint: by `make` for whom `make` has called."""
        if "MAKELEVEL" in os.environ and Path("Makefile").exists():
            return f"{self.prefix}make dev"
        return self.command("dev")

    def command(self, arguments: str) -> str:
        """`abalone` with these arguments."""
        return f"{self.prefix}{self.program} {arguments}"


def _program() -> str:
    """The script by its name where the shell finds that, by its path elsewhere."""
    called = Path(sys.argv[0])
    script = called if called.name == NAME else Path(sys.executable).with_name(NAME)
    if not script.exists():
        return f"{shlex.quote(sys.executable)} -m abalone_assets.cli"
    on_path = shutil.which(NAME)
    if on_path is not None and script.samefile(on_path):
        return NAME
    here = Path.cwd()
    path = here / script  # not resolved: a link is what was typed
    return shlex.quote(f"./{path.relative_to(here)}" if path.parent == here else _shortest(path))


def _shortest(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
