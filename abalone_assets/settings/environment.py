"""How settings are read from ``ABALONE_…`` variables, and what is said of one that is wrong."""

from __future__ import annotations

import os
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from abalone_assets.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection

PREFIX: Final = "ABALONE_"
TEST_PREFIX: Final = "ABALONE_TEST_"
REMEMBERED: Final = 16
"""Environments whose settings are kept: a tick asks for them ten times, for 2 ms each."""


class EnvironmentSettings(BaseSettings):
    """Settings of which each field is the environment variable ``ABALONE_<FIELD>``."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, env_ignore_empty=True)


_Settings = TypeVar("_Settings", bound=EnvironmentSettings)


def variable(field: str) -> str:
    """The environment variable of a settings' field."""
    return f"{PREFIX}{field.upper()}"


def read_environment(kind: type[_Settings]) -> _Settings:
    """The settings that the environment holds; they are read once, as long as it stays as it is.

    Raises:
        SettingsError: A variable is malformed or missing; the message names it.
    """
    ours = {name: value for name, value in os.environ.items() if name.upper().startswith(PREFIX)}
    # Where `~` and a relative path lead to counts too.
    place = os.environ.get("HOME", ""), _working_folder()
    read: _Settings = _read(kind, (*place, *sorted(ours.items())))
    return read


def _working_folder() -> str:
    try:
        return str(Path.cwd())
    except OSError:  # deleted meanwhile, which an absolute path does not mind
        return ""


@lru_cache(maxsize=REMEMBERED)
def _read(kind: type[_Settings], _: tuple[object, ...]) -> _Settings:
    try:
        return kind()
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        if first["loc"]:
            field = str(first["loc"][0])
            secret = kind.model_fields[field].annotation is SecretStr
            shown = "" if secret else f"={first['input']!r}"
            message = f"{variable(field)}{shown}: {message}"
            if first["type"] == "missing":
                needed = kind.model_fields[field].description
                message = f"{variable(field)} is not set: {needed}"
        raise SettingsError(message) from error


def refuse_unknown_variables(known: Collection[str]) -> None:
    """Make sure that every ``ABALONE_…`` variable is one that somebody reads.

    Raises:
        SettingsError: One is not among them; the message suggests what was meant.
    """
    for name in os.environ:
        if name.startswith(TEST_PREFIX) or not name.startswith(PREFIX) or name in known:
            continue
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}"
        raise SettingsError(f"{name}: no such setting; {hint}")
