import json
import os
import subprocess
import sys
from dataclasses import asdict
from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from abalone_assets.defs.resources import profile_resources
from abalone_assets.errors import SettingsError
from abalone_assets.modeling.evaluation.gate import GateLimits
from abalone_assets.settings.platform import UCI_SHA256, UCI_URI, load_settings

AWS = {
    "ABALONE_PROFILE": "aws",
    "ABALONE_LAKE_URI": "s3://bucket/lake",
    "ABALONE_LANDING_ZONE_URI": "s3://bucket/landing_zone",
    "ABALONE_REGISTRY_URI": "s3://bucket/registry",
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, and no other variable of ours."""
    for variable in list(os.environ):
        if variable.startswith("ABALONE_"):
            monkeypatch.delenv(variable)
    monkeypatch.setenv("ABALONE_HOME", str(tmp_path))
    return tmp_path


def set_all(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_without_variables_everything_has_a_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("ABALONE_HOME")
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    assert settings.home == tmp_path / ".abalone"
    assert settings.profile == "local"
    assert (settings.endpoint_name, settings.endpoint_host) == ("abalone", "127.0.0.1")
    assert settings.gate_max_rmse == 2.5
    assert settings.first_survey_day == date(2023, 1, 1)


def test_places_follow_from_the_home(home: Path) -> None:
    settings = load_settings()
    assert settings.lake_uri == str(home / "lake")
    assert settings.landing_zone_uri == str(home / "landing_zone")
    assert settings.registry_uri == str(home / "registry")
    assert settings.dagster_home == home / "dagster"
    assert settings.endpoint_state_file == home / "endpoint" / "server.json"
    assert settings.capture_folder == home / "captured_requests"
    assert settings.catalog_file == home / "catalog.duckdb"


def test_the_home_is_made_absolute_and_its_tilde_expanded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("ABALONE_HOME", "here/../there")
    assert load_settings().home == tmp_path / "there"
    monkeypatch.setenv("ABALONE_HOME", "~/abalone")
    assert load_settings().lake_uri == "/home/somebody/abalone/lake"


def test_a_place_that_is_set_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABALONE_LAKE_URI", "s3://bucket/lake")
    assert load_settings().lake_uri == "s3://bucket/lake"


def test_the_base_survey_is_ucis_with_its_checksum_and_a_fallback_here() -> None:
    settings = load_settings()
    assert settings.raw_uri == UCI_URI
    assert settings.raw_sha256 == UCI_SHA256
    assert settings.raw_fallback


def test_another_base_survey_has_neither_ucis_checksum_nor_a_fallback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ABALONE_RAW_URI", "/data/mine.csv")
    settings = load_settings()
    assert settings.raw_sha256 == ""
    assert not settings.raw_fallback


@pytest.mark.parametrize(("text", "value"), [("true", True), ("0", False)])
def test_a_fallback_that_is_set_is_kept(
    monkeypatch: pytest.MonkeyPatch, *, text: str, value: bool
) -> None:
    monkeypatch.setenv("ABALONE_RAW_FALLBACK", text)
    assert load_settings().raw_fallback is value


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    set_all(
        monkeypatch,
        {"ABALONE_LAKE_URI": "", "ABALONE_ENDPOINT_PORT": "", "ABALONE_RAW_URI": ""},
    )
    settings = load_settings()
    assert (settings.lake_uri, settings.endpoint_port) == (str(home / "lake"), 8080)
    assert settings.raw_sha256 == UCI_SHA256


def test_an_empty_home_or_profile_is_an_unset_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    set_all(monkeypatch, {"ABALONE_HOME": "", "ABALONE_PROFILE": ""})
    assert load_settings().lake_uri == str(tmp_path / ".abalone" / "lake")


def test_aws_looks_at_all_days_less_often_and_never_falls_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load_settings().reconcile_seconds == 0
    set_all(monkeypatch, AWS)
    settings = load_settings()
    assert settings.reconcile_seconds == 600
    assert settings.raw_sha256 == UCI_SHA256
    assert not settings.raw_fallback
    monkeypatch.setenv("ABALONE_RECONCILE_SECONDS", "60")
    assert load_settings().reconcile_seconds == 60


def test_aws_finds_its_places_in_the_stacks_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABALONE_PROFILE", "aws")
    settings = load_settings()
    assert settings.lake_uri == "ssm:/abalone/lake-uri"
    assert settings.landing_zone_uri == "ssm:/abalone/landing-zone-uri"
    assert settings.registry_uri == "ssm:/abalone/registry-uri"
    monkeypatch.setenv("ABALONE_SSM_PREFIX", "/team/abalone")
    assert load_settings().lake_uri == "ssm:/team/abalone/lake-uri"
    monkeypatch.setenv("ABALONE_LAKE_URI", "s3://bucket/lake")
    assert load_settings().lake_uri == "s3://bucket/lake"


def test_aws_reports_its_own_malformed_variables_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {"ABALONE_PROFILE": "aws", "ABALONE_CANARY_PERCENT": "80"})
    with pytest.raises(SettingsError, match=r"^ABALONE_CANARY_PERCENT='80': "):
        load_settings()


def test_the_variables_of_the_profile_aws_are_known_in_every_profile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ABALONE_JOB_ROLE_ARN", "whatever")
    assert load_settings().profile == "local"


@pytest.mark.parametrize("name", [name for name in AWS if name != "ABALONE_PROFILE"])
def test_aws_keeps_its_data_on_s3(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    set_all(monkeypatch, AWS | {name: "/data"})
    with pytest.raises(SettingsError, match=rf"^the profile aws needs s3:// URIs .* in {name}$"):
        load_settings()


def test_aws_names_all_wrong_places_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, AWS | {name: "/data" for name in AWS if name != "ABALONE_PROFILE"})
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert all(name in str(refused.value) for name in AWS if name != "ABALONE_PROFILE")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ABALONE_LAKE_URI", "gs://bucket"),
        ("ABALONE_LAKE_URI", "ssm:lake-uri"),
        ("ABALONE_RAW_URI", "ftp://host/abalone.data"),
        ("ABALONE_PROFILE", "azure"),
        ("ABALONE_FIRST_SURVEY_DAY", "2023-02-30"),
        ("ABALONE_SENSOR_SECONDS", "0"),
        ("ABALONE_SENSOR_SECONDS", "often"),
        ("ABALONE_RECONCILE_SECONDS", "-1"),
        ("ABALONE_RETRY_SECONDS", "1.5"),
        ("ABALONE_RAW_FALLBACK", "perhaps"),
        ("ABALONE_GATE_MAX_RMSE", "0"),
        ("ABALONE_GATE_MAX_RMSE", "nan"),
        ("ABALONE_GATE_CHAMPION_TOLERANCE", "-0.1"),
        ("ABALONE_GATE_SLICE_TOLERANCE", "-0.1"),
        ("ABALONE_GATE_MIN_ROWS", "0"),
        ("ABALONE_GATE_MIN_SLICE_ROWS", "few"),
        ("ABALONE_FRAMEWORK", "catboost"),
        ("ABALONE_HYPERPARAMETERS", "eta"),
        ("ABALONE_MAX_SYNTHETIC_SHARE", "0.995"),
        ("ABALONE_HYPERPARAMETERS", "0.1"),
        ("ABALONE_ENDPOINT_NAME", "-abalone"),
        ("ABALONE_ENDPOINT_NAME", "a" * 64),
        ("ABALONE_ENDPOINT_PORT", "65536"),
        ("ABALONE_ENDPOINT_TIMEOUT_SECONDS", "0"),
    ],
)
def test_a_malformed_variable_is_named_with_its_value(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=rf"^{variable}='{value}': "):
        load_settings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"etta": 0.1}', "blend has no hyperparameter etta"),
        ('{"eta": "fast"}', "eta must be float, not 'fast'"),
        ('{"num_boost_round": 9.5}', "num_boost_round must be int, not 9.5"),
        ('{"eta": 7}', "eta must be 0.0001 to 1.0, not 7"),
        ('{"eta": NaN}', "eta must be 0.0001 to 1.0, not nan"),
        ('{"seed": ' + 400 * "9" + "}", "seed must be 0 to 2147483647, not 9+$"),
        ('{"max_synthetic_share": 0.2}', "set ABALONE_MAX_SYNTHETIC_SHARE instead"),
    ],
)
def test_hyperparameters_that_no_training_would_take_are_refused(
    monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.setenv("ABALONE_HYPERPARAMETERS", text)
    with pytest.raises(SettingsError, match=rf"^ABALONE_HYPERPARAMETERS: {message}"):
        load_settings()


def test_hyperparameters_are_those_of_the_framework_that_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ABALONE_HYPERPARAMETERS", '{"epochs": 9}')
    with pytest.raises(SettingsError, match="blend has no hyperparameter epochs"):
        load_settings()
    monkeypatch.setenv("ABALONE_FRAMEWORK", "tensorflow")
    assert load_settings().hyperparameters == {"epochs": 9}


@pytest.mark.parametrize("profile", [{}, AWS], ids=["local", "aws"])
def test_every_release_trains_with_what_is_set(
    monkeypatch: pytest.MonkeyPatch, profile: dict[str, str]
) -> None:
    set_all(monkeypatch, profile)
    monkeypatch.setenv("ABALONE_FRAMEWORK", "xgboost")
    monkeypatch.setenv("ABALONE_HYPERPARAMETERS", '{"eta": 0.2}')
    monkeypatch.setenv("ABALONE_MAX_SYNTHETIC_SHARE", "0.2")
    platform = profile_resources(load_settings())["ml_platform"]
    assert platform.framework == "xgboost"
    assert platform.hyperparameters_of("xgboost") == {"eta": 0.2, "max_synthetic_share": 0.2}
    assert platform.hyperparameters_of("blend") == {"max_synthetic_share": 0.2}


def test_the_gates_limits_are_settings_with_the_gates_own_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load_settings().gate_limits == GateLimits()
    chosen = GateLimits(2.25, 0.01, 0.05, 50, 20)
    variables = {
        f"ABALONE_GATE_{name.upper()}": str(limit) for name, limit in asdict(chosen).items()
    }
    set_all(monkeypatch, variables)
    assert load_settings().gate_limits == chosen


def test_a_misspelt_variable_is_refused_with_the_name_that_was_meant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ABALONE_LAKE_URL", "/data")
    with pytest.raises(
        SettingsError,
        match=r"^ABALONE_LAKE_URL: no such setting; did you mean ABALONE_LAKE_URI\?$",
    ):
        load_settings()


def test_a_variable_like_none_of_ours_is_refused_with_all_that_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ABALONE_XYZZY_QQQ", "1")
    with pytest.raises(SettingsError, match=r"known are ABALONE_CANARY_PERCENT, .*ABALONE_HOME"):
        load_settings()


def test_variables_of_the_tests_and_of_others_are_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_all(monkeypatch, {"ABALONE_TEST_ANYTHING": "1", "ABALONES": "1", "HOME_ABALONE_X": "1"})
    load_settings()


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(load_settings(), "profile", "aws")  # noqa: B010 - typed code may not even try


def test_nothing_is_read_at_import() -> None:
    malformed = {"ABALONE_PROFILE": "azure", "ABALONE_XYZZY": "1", "PATH": os.environ["PATH"]}
    program = (
        "import json, sys, abalone_assets.settings.platform, abalone_assets.errors\n"
        "print(json.dumps('dagster' in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=malformed, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) is False
