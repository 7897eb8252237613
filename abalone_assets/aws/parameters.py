"""Settings that the stack wrote to the SSM Parameter Store, looked up when they are needed."""

from __future__ import annotations

from threading import Lock

from abalone_assets.aws.clients import client, environment_key, region, told_as
from abalone_assets.aws.settings import NO_ALARMS, PARAMETERS, SSM_SCHEME, is_reference
from abalone_assets.environment import variable
from abalone_assets.errors import SettingsError

_looking_up = Lock()
_found: dict[object, dict[str, str]] = {}


def resolve(value: str) -> str:
    """A setting's value: a literal as it is, a reference looked up.

    All parameters below the reference's path are read at once and kept for the process, so that
    twelve settings cost one look. Nothing is kept of a look that found no such parameter.

    Args:
        value: A literal, or ``ssm:/path/name``.

    Raises:
        SettingsError: There is no such parameter, or it cannot be read.
    """
    if not value.startswith(SSM_SCHEME):
        return value
    if not is_reference(value):
        raise SettingsError(f"{value}: no reference to a parameter; expected ssm:/path/name")
    folder, _, name = value.removeprefix(SSM_SCHEME).rpartition("/")
    with _looking_up:
        key = (folder, environment_key())
        if name not in _found.get(key, {}):
            _found[key] = _parameters_below(folder)
        found = _found[key].get(name)
    if found is None:
        raise SettingsError(
            f"the SSM parameter {folder}/{name} is missing in {region()}: run `make deploy`, which "
            f"writes it{_override(name)}"
        )
    return found


def resolve_list(value: str) -> list[str]:
    """A setting of names separated by commas; ``none`` is an empty list.

    Raises:
        SettingsError: As `resolve`.
    """
    resolved = resolve(value)
    if resolved.strip().lower() == NO_ALARMS:
        return []
    return [name.strip() for name in resolved.split(",") if name.strip()]


def forget() -> None:
    """Look every parameter up again."""
    with _looking_up:
        _found.clear()


def _parameters_below(folder: str) -> dict[str, str]:
    ssm = client("ssm")
    with told_as(SettingsError, f"the SSM parameters below {folder}"):
        pages = ssm.get_paginator("get_parameters_by_path").paginate(
            Path=folder, WithDecryption=True
        )
        return {
            parameter["Name"].removeprefix(f"{folder}/"): parameter["Value"]
            for page in pages
            for parameter in page["Parameters"]
        }


def _override(name: str) -> str:
    return f", or set {variable(name.replace('-', '_'))}" if name in PARAMETERS else ""
