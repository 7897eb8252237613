"""The home that a command works on: found upwards from the current folder, as git does."""

from __future__ import annotations

import functools
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.errors import SettingsError
from abalone_assets.settings.environment import variable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOME_NAME: Final = ".abalone"


def at_home(
    work: Callable[..., Any], *, must_exist: bool, unless: str | None = None
) -> Callable[..., Any]:
    """A command's work, with ``ABALONE_HOME`` set to the home that is found.

    Args:
        work: The command's function.
        must_exist: Whether it needs a home that is there, and so makes none.
        unless: An option with which it needs none all the same.
    """

    @functools.wraps(work)
    def at_found_home(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - as the command's
        with _found_home():
            if must_exist and not (unless and options[unless]):
                _require_home()
            return work(*arguments, **options)

    return at_found_home


@contextmanager
def _found_home() -> Iterator[None]:
    """Name the nearest home of the current folder and those above, unless one is named."""
    name = variable("home")
    before = os.environ.get(name)
    found = None if before else _nearest(Path.cwd())  # an empty variable is one that is not set
    if found is None:
        yield
        return
    os.environ[name] = str(found)
    try:
        yield
    finally:
        os.environ.pop(name, None)
        if before is not None:
            os.environ[name] = before


def default_home() -> Path:
    """The home that commands find from the current folder, or would make there."""
    here = Path.cwd()
    return _nearest(here) or here / HOME_NAME


def _nearest(folder: Path) -> Path | None:
    candidates = (each / HOME_NAME for each in (folder, *folder.parents))
    return next((each for each in candidates if each.is_dir()), None)


def _require_home() -> None:
    """Make sure that a command works on what somebody drives.

    Raises:
        SettingsError: There is no home, and the lake or the landing zone would be in it.
    """
    from abalone_assets.settings.aws import ZONES
    from abalone_assets.settings.platform import load_settings

    settings = load_settings()
    home = settings.home
    in_home = any(Path(getattr(settings, zone)).is_relative_to(home) for zone in ZONES)
    if home.is_dir() or not in_home:
        return
    if os.environ.get(variable("home")):
        raise SettingsError(
            f"{home}: there is no such home: let {variable('home')} name the one that `abalone dev`"
            " works on, or start `abalone dev` (or `abalone demo`) to make it"
        )
    raise SettingsError(
        f"{Path.cwd()}: no home, a folder {HOME_NAME}, is here or above: go to the folder in which"
        f" `abalone dev` was started, set {variable('home')}, or start `abalone dev` (or `abalone"
        " demo`) here to make one"
    )
