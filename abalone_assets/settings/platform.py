"""Everything read from the environment, typed, in one place; read lazily, never at import."""

from __future__ import annotations

import json
import os
import re
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from abalone_assets.errors import SurveyError
from abalone_assets.modeling.evaluation.gate import GateLimits
from abalone_assets.modeling.hyperparameters import (
    DEFAULT_FRAMEWORK,
    MAX_SYNTHETIC_SHARE,
    Framework,
    HyperparameterError,
    chosen_hyperparameters,
)
from abalone_assets.settings.aws import (
    ZONES,
    AwsSettings,
    is_reference,
    load_aws_settings,
    reference,
)
from abalone_assets.settings.environment import (
    EnvironmentSettings,
    read_environment,
    refuse_unknown_variables,
    variable,
)
from abalone_assets.survey import parse_day

UCI_URI: Final = "https://archive.ics.uci.edu/static/public/1/abalone.zip"
UCI_SHA256: Final = "de37cdcdcaaa50c309d514f248f7c2302a5f1f88c168905eba23fe2fbc78449f"
"""SHA-256 of ``abalone.data``, the one member of the archive that is a survey."""

ENDPOINT_NAME_PATTERN: Final = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
"""SageMaker's, for an endpoint's name: it is also safe as a part of a key."""

COMMIT_PATTERN: Final = r"([0-9a-f]{40}(-dirty)?)?"

MOST_DAYS: Final = 36_500
"""A century; so many days before now is still a date."""

MIN_TOKEN_CHARACTERS: Final = 16

MLFLOW_PATTERN: Final = (
    r"|https?://[^\s/]+\S*|arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:\d{12}:"
    r"mlflow-(app|tracking-server)/[\w-]+"
)

Profile = Literal["local", "aws"]
Seconds = Annotated[int, Field(ge=1, le=86_400)]


class Settings(EnvironmentSettings):
    """The platform's settings; each field is the environment variable ``ABALONE_<FIELD>``.

    Lake, landing zone and registry lie below the home by default; in the profile aws they are
    found in SSM parameters.
    """

    profile: Profile = Field("local", description="Which backings the resources use.")
    home: Path = Field(description="Folder of everything the local profile keeps.")
    log_format: Literal["text", "json"] = Field(
        "text",
        description="How `abalone dev`, `abalone serve` and runs log: for people, or as JSON Lines "
        "with run, job, step, asset, file and version.",
    )
    lake_uri: str = Field(description="Folder or s3:// prefix of the lake.")
    landing_zone_uri: str = Field(description="Folder or s3:// prefix crews drop surveys into.")
    registry_uri: str = Field(description="Folder or s3:// prefix of the model registry.")
    raw_uri: str = Field(
        UCI_URI, description="Path, file://, s3:// or https:// of the base survey."
    )
    raw_sha256: str = Field(
        "",
        description="SHA-256 of the base survey; known for UCI's. A file that has it is taken "
        "however many rows it has.",
    )
    raw_fallback: bool = Field(
        default=False,
        description="Use the bundled simulated base survey when the network refuses; false for any "
        "base survey but UCI's.",
    )
    first_survey_day: date = Field(
        date(2023, 1, 1), description="First day with a partition (UTC)."
    )
    sensor_seconds: Seconds = Field(5, description="Least time between two ticks of a sensor.")
    watch_seconds: float = Field(
        0,
        ge=0,
        le=30,
        description="How long a tick that finds nothing to do watches for something. `abalone dev` "
        "sets 4, unless it is given: Dagster ticks every 5 seconds.",
    )
    reconcile_seconds: int = Field(
        0,
        ge=0,
        description="Least time between two looks at all survey days, not just recent ones.",
    )
    settle_seconds: int = Field(
        3,
        ge=0,
        description="How long a file in a folder must have been left alone before it is taken in; "
        "one that was moved there whole is taken in at once.",
    )
    retry_seconds: Seconds = Field(10, description="Wait after a first failed run; then doubled.")
    max_quarantined_share: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Share of a survey day's rows that may be quarantined before a check says so.",
    )
    gate_max_rmse: float = Field(
        GateLimits.max_rmse, gt=0, description="Largest RMSE, in rings, that is approved."
    )
    gate_champion_tolerance: float = Field(
        GateLimits.champion_tolerance,
        ge=0,
        description="How much worse than the champion counts as equal, as a share of its RMSE.",
    )
    gate_slice_tolerance: float = Field(
        GateLimits.slice_tolerance, ge=0, description="The same for one sex or one age band."
    )
    gate_min_rows: int = Field(
        GateLimits.min_rows, ge=1, description="Fewest test rows that can approve a model."
    )
    gate_min_slice_rows: int = Field(
        GateLimits.min_slice_rows, ge=1, description="Fewest rows by which a slice is judged."
    )
    framework: Framework = Field(DEFAULT_FRAMEWORK, description="What trains every release.")
    hyperparameters: Annotated[dict[str, Any], NoDecode] = Field(
        {},
        description="Its hyperparameters that are not the defaults: a JSON object, by name.",
    )
    max_synthetic_share: float = Field(
        MAX_SYNTHETIC_SHARE,
        ge=0,
        le=0.99,
        description="Largest share of simulated rows in the weight of training.",
    )
    etl_engine: Literal["polars", "spark"] = Field(
        "polars", description="What prepares the data in the profile local; spark needs its extra."
    )
    endpoint_name: str = Field(
        "abalone", pattern=f"^{ENDPOINT_NAME_PATTERN}$", description="Name of the endpoint."
    )
    endpoint_host: str = Field("127.0.0.1", description="Address that `abalone serve` listens on.")
    endpoint_port: int = Field(8080, ge=0, le=65535, description="Its port; 0 takes a free one.")
    endpoint_timeout_seconds: Seconds = Field(30, description="Longest wait for a new version.")
    capture_days: int = Field(
        90,
        ge=0,
        le=MOST_DAYS,
        description="How long what the endpoint server captured is kept after `captured_requests` "
        "has read it; 0 keeps it. On AWS a rule of the bucket says it.",
    )
    keep_versions: int = Field(
        10,
        ge=2,
        description="Newest model versions whose archive and report are kept, and as many of those "
        "that were approved. Records of versions are always kept.",
    )
    keep_version_days: int = Field(
        30,
        ge=1,
        le=MOST_DAYS,
        description="For as many days, the archive of the last version that was approved on each "
        "day is kept, too.",
    )
    keep_runs: int = Field(
        500,
        ge=100,
        description="Newest runs that are kept in Dagster's database with their events and logs. "
        "The last materialization of an asset, and of each of its partitions, is always kept.",
    )
    keep_run_days: int = Field(
        90,
        ge=2,
        le=MOST_DAYS,
        description="How long they are kept; the newest 20 of each job longer.",
    )
    keep_request_days: int = Field(
        730,
        ge=0,
        le=MOST_DAYS,
        description="How long the rows of `captured_requests` are kept in the lake; 0 keeps them.",
    )
    notify: SecretStr = Field(
        SecretStr(""),
        description="Whom `alert_sensor` tells of failed runs, rejected models, files that need "
        "somebody, a lost landing zone, drift and a silent endpoint: URLs as Apprise takes them "
        "(https://appriseit.com), such as "
        "`mailtos://user:password@example.com`, and ARNs of SNS topics, separated by blanks.",
    )
    mlflow_uri: SecretStr = Field(
        SecretStr(""),
        description="MLflow that gets a run and a registered model of each version, by "
        "`mlflow_sensor` or `abalone mlflow`; needs the extra `mlflow`. The address of a tracking "
        "server, such as `https://user:password@mlflow.example.com`, or the ARN of a SageMaker "
        "MLflow App or tracking server; empty for none.",
    )
    upload_token: SecretStr = Field(
        SecretStr(""),
        description="What whoever uploads a survey on the server's page has to know, 16 characters "
        "at least. Without one, uploads are for this machine alone, and off on a server that "
        "listens beyond it.",
    )

    code_commit: str = Field(
        "",
        pattern=f"^{COMMIT_PATTERN}$",
        description="Git commit of the code, as `git describe --always --dirty --abbrev=40` tells "
        "it, where no repository does: an image has it of its build. Versions record it.",
    )

    @model_validator(mode="before")
    @classmethod
    def _derive_defaults(cls, given: dict[str, Any]) -> dict[str, Any]:
        home = Path(given.get("home", ".abalone")).expanduser().resolve()
        derived: dict[str, Any] = {name: str(home / name.removesuffix("_uri")) for name in ZONES}
        if given.get("profile", "local") == "aws":
            prefix = load_aws_settings().ssm_prefix
            derived = {name: reference(prefix, name) for name in ZONES}
            derived["reconcile_seconds"] = 600
        if given.get("raw_uri", UCI_URI) == UCI_URI:
            derived["raw_sha256"] = UCI_SHA256
            derived["raw_fallback"] = given.get("profile", "local") == "local"
        return derived | given | {"home": home}

    @field_validator("lake_uri", "landing_zone_uri", "registry_uri")
    @classmethod
    def _is_folder_or_s3(cls, uri: str) -> str:
        scheme = urlsplit(uri).scheme
        if scheme not in {"", "file", "s3"} and not is_reference(uri):
            raise ValueError("expected a folder, a file:// or an s3:// URI, or ssm:/path/name")
        return uri if scheme else os.path.expanduser(uri)  # noqa: PTH111 - nothing else is changed

    @field_validator("first_survey_day", mode="before")
    @classmethod
    def _is_written_as_a_day(cls, given: object) -> date:
        if isinstance(given, date):
            return given
        try:
            return parse_day(str(given))
        except SurveyError as error:
            raise ValueError("no day: write it as 2023-01-01") from error

    @field_validator("raw_uri")
    @classmethod
    def _is_readable(cls, uri: str) -> str:
        if urlsplit(uri).scheme not in {"", "file", "s3", "http", "https"}:
            raise ValueError("expected a path, a file://, s3://, http:// or https:// URI")
        return uri

    @field_validator("mlflow_uri")
    @classmethod
    def _is_mlflow(cls, uri: SecretStr) -> SecretStr:
        if not re.fullmatch(MLFLOW_PATTERN, uri.get_secret_value()):
            raise ValueError(
                "expected the http:// or https:// address of an MLflow server, or the ARN of a "
                "SageMaker MLflow App or tracking server"
            )
        return uri

    @field_validator("upload_token")
    @classmethod
    def _is_long_enough(cls, token: SecretStr) -> SecretStr:
        if token and len(token) < MIN_TOKEN_CHARACTERS:
            raise ValueError(
                f"a token of {MIN_TOKEN_CHARACTERS} characters at least, such as `openssl rand -hex"
                " 16` gives"
            )
        return token

    @field_validator("hyperparameters", mode="before")
    @classmethod
    def _is_json_object(cls, given: str | dict[str, Any]) -> dict[str, Any]:
        try:
            values = json.loads(given) if isinstance(given, str) else given
        except (ValueError, RecursionError) as error:
            raise ValueError(f'expected a JSON object such as {{"eta": 0.02}}: {error}') from error
        if not isinstance(values, dict):
            raise ValueError('expected a JSON object such as {"eta": 0.02}')  # noqa: TRY004
        return values

    @model_validator(mode="after")
    def _framework_takes_its_hyperparameters(self) -> Self:
        share = "max_synthetic_share"
        if share in self.hyperparameters:
            raise ValueError(f"{variable('hyperparameters')}: set {variable(share)} instead")
        try:
            chosen_hyperparameters(
                self.framework, {**self.hyperparameters, share: self.max_synthetic_share}
            )
        except HyperparameterError as error:
            raise ValueError(f"{variable('hyperparameters')}: {error}") from error
        return self

    @model_validator(mode="after")
    def _aws_keeps_its_data_on_s3(self) -> Self:
        uris = {variable(name): getattr(self, name) for name in ZONES}
        elsewhere = [name for name, uri in uris.items() if not uri.startswith(("s3://", "ssm:"))]
        if self.profile == "aws" and elsewhere:
            raise ValueError(
                f"the profile aws needs s3:// URIs or ssm: references in {', '.join(elsewhere)}"
            )
        return self

    @property
    def gate_limits(self) -> GateLimits:
        """What the gate asks for."""
        names = (field.name for field in fields(GateLimits))
        return GateLimits(**{name: getattr(self, f"gate_{name}") for name in names})

    @property
    def patience(self) -> dict[str, float]:
        """How long a look at the landing zone waits for a file."""
        return {"settle_seconds": self.settle_seconds, "retry_seconds": self.retry_seconds}

    @property
    def dagster_home(self) -> Path:
        """Folder of the local Dagster instance."""
        return self.home / "dagster"

    @property
    def endpoint_state_file(self) -> Path:
        """Where a running endpoint server says its address."""
        return self.home / "endpoint" / "server.json"

    @property
    def capture_folder(self) -> Path:
        """Where the endpoint server writes what it was asked and answered."""
        return self.home / "captured_requests"

    @property
    def catalog_file(self) -> Path:
        """The DuckDB file with a view for each asset."""
        return self.home / "catalog.duckdb"


def load_settings() -> Settings:
    """Read the environment.

    Raises:
        SettingsError: A variable is malformed, missing, or not one of ours; the message names it.
    """
    names = (*Settings.model_fields, *AwsSettings.model_fields)
    refuse_unknown_variables({variable(name) for name in names})
    return read_environment(Settings)
