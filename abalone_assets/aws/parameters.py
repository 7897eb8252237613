"""Settings that the stack wrote to the SSM Parameter Store, looked up when they are needed."""

from __future__ import annotations

import time
from threading import Lock
from typing import Final

from abalone_assets.aws.clients import client, environment_key, region
from abalone_assets.aws.failures import translate_errors
from abalone_assets.errors import SettingsError
from abalone_assets.settings.aws import NO_ALARMS, PARAMETERS, SSM_SCHEME, is_reference
from abalone_assets.settings.environment import variable

KEPT_SECONDS: Final = 300.0
"""How long a look is believed: a code server lives for weeks, and the stack may change."""

_looking_up = Lock()
_found: dict[object, tuple[float, dict[str, str]]] = {}


def resolve(value: str) -> str:
    """A setting's value: a literal as it is, a reference (``ssm:/path/name``) looked up.

    All parameters below the reference's path are read at once and kept for five minutes, so that
    twelve settings cost one look. Nothing is kept of a look that found no such parameter.

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
        looked_at, parameters = _found.get(key, (0.0, {}))
        if name not in parameters or time.monotonic() - looked_at > KEPT_SECONDS:
            parameters = _parameters_below(folder)
            _found[key] = (time.monotonic(), parameters)
        found = parameters.get(name)
    if found is None:
        override = f", or set {variable(name.replace('-', '_'))}" if name in PARAMETERS else ""
        raise SettingsError(
            f"the SSM parameter {folder}/{name} is missing in {region()}: run `make deploy`, which "
            f"writes it{override}"
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
    with translate_errors(SettingsError, f"the SSM parameters below {folder}"):
        pages = ssm.get_paginator("get_parameters_by_path").paginate(
            Path=folder, WithDecryption=True
        )
        return {
            parameter["Name"].removeprefix(f"{folder}/"): parameter["Value"]
            for page in pages
            for parameter in page["Parameters"]
        }
