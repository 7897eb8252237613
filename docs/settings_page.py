"""Write `docs/settings.md` from the settings' classes: ``make docs``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args, get_origin
from unittest.mock import patch

from abalone_assets.settings.aws import AwsSettings
from abalone_assets.settings.environment import PREFIX, EnvironmentSettings, variable
from abalone_assets.settings.platform import Settings

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

PAGE: Final = Path(__file__).with_name("settings.md")

INTRODUCTION: Final = """\
<!-- Written by `make docs` from abalone_assets/settings/: edit there. -->

# Settings

Every setting is an environment variable.
Variables are read when the definitions load.
A misspelt variable is an error that names the right one.
An empty variable counts as not set.
"""

GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "General": ("profile", "home", "log_format", "code_commit"),
    "Data": (
        "lake_uri",
        "landing_zone_uri",
        "registry_uri",
        "raw_uri",
        "raw_sha256",
        "raw_fallback",
        "first_survey_day",
        "etl_engine",
        "max_quarantined_share",
    ),
    "Automation": (
        "sensor_seconds",
        "watch_seconds",
        "reconcile_seconds",
        "settle_seconds",
        "retry_seconds",
    ),
    "Alerts": ("notify",),
    "MLflow": ("mlflow_uri",),
    "Training": ("framework", "hyperparameters", "max_synthetic_share"),
    "Gate": (
        "gate_max_rmse",
        "gate_champion_tolerance",
        "gate_slice_tolerance",
        "gate_min_rows",
        "gate_min_slice_rows",
    ),
    "Endpoint": (
        "endpoint_name",
        "endpoint_host",
        "endpoint_port",
        "endpoint_timeout_seconds",
        "upload_token",
    ),
    "Retention": (
        "capture_days",
        "keep_versions",
        "keep_version_days",
        "keep_runs",
        "keep_run_days",
        "keep_request_days",
    ),
}
"""The fields of `Settings`, each under its heading."""

AWS_INTRODUCTION: Final = """\
The profile `aws` alone reads these.
A value `ssm:/path/name` names an SSM parameter, which is looked up when it is used.
Set such a variable to a literal, or to another parameter, to override it.
Region and credentials are those of the standard AWS variables, files and roles.
"""


def page() -> str:
    """The page's text.

    Raises:
        LookupError: A field has no group, no description or is none any more.
    """
    grouped = {name for names in GROUPS.values() for name in names}
    if astray := grouped ^ set(Settings.model_fields):
        raise LookupError(f"docs/settings_page.py: GROUPS and Settings differ in {sorted(astray)}")
    with patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith(PREFIX)]:
            del os.environ[name]
        local, aws, aws_alone = Settings(), Settings(profile="aws"), AwsSettings()
    parts = [INTRODUCTION]
    for heading, names in GROUPS.items():
        parts.append(f"## {heading}\n\n{_table(names, local, aws)}")
    parts.append(f"## AWS\n\n{AWS_INTRODUCTION}\n{_table(AwsSettings.model_fields, aws_alone)}")
    return "\n".join(parts)


def _table(names: Any, settings: EnvironmentSettings, aws: Settings | None = None) -> str:  # noqa: ANN401
    rows = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for name in names:
        default = _shown(name, settings)
        on_aws = _shown(name, aws) if aws and name != "profile" else default
        if on_aws != default:
            default += f"; on AWS {on_aws}"
        meaning = _meaning(name, type(settings).model_fields[name])
        rows.append(f"| `{variable(name)}` | {default} | {meaning} |")
    return "\n".join(rows) + "\n"


def _shown(name: str, settings: EnvironmentSettings) -> str:
    """A default as one would write it into the environment."""
    value = getattr(settings, name)
    if isinstance(settings, Settings):
        if name == "home":
            return f"`{value.relative_to(Path.cwd())}`"
        if str(value).startswith(f"{settings.home}/"):
            return f"`{Path(value).relative_to(settings.home)}` in the home"
    if name == "raw_sha256":
        return f"`{value[:8]}…`"
    text = json.dumps(value) if isinstance(value, bool | dict) else str(value)
    return f"`{text}`" if text else ""


def _meaning(name: str, field: FieldInfo) -> str:
    if not field.description:
        raise LookupError(f"the setting {name} has no description")
    if get_origin(field.annotation) is not Literal:
        return field.description
    choices = ", ".join(f"`{choice}`" for choice in get_args(field.annotation))
    return f"{field.description} One of {choices}."


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
