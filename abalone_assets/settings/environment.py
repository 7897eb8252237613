"""How settings are read from ``ABALONE_…`` variables, and what is said of one that is wrong."""

from __future__ import annotations

import os
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, TypeVar

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from abalone_assets.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection

PREFIX: Final = "ABALONE_"
TEST_PREFIX: Final = "ABALONE_TEST_"


class EnvironmentSettings(BaseSettings):
    """Settings of which each field is the environment variable ``ABALONE_<FIELD>``."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, env_ignore_empty=True)


_Settings = TypeVar("_Settings", bound=EnvironmentSettings)


def variable(field: str) -> str:
    """The environment variable of a settings' field."""
    return f"{PREFIX}{field.upper()}"


def read_environment(kind: type[_Settings]) -> _Settings:
    """The settings that the environment holds.

    Raises:
        SettingsError: A variable is malformed or missing; the message names it.
    """
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
