import json
import os
import subprocess
import sys
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from abalone_assets.defs.resources import profile_resources
from abalone_assets.errors import SettingsError
from abalone_assets.modeling.evaluation.gate import GateLimits
from abalone_assets.settings.platform import UCI_SHA256, UCI_URI, load_settings

PLACES = ("ABALONE_LAKE_URI", "ABALONE_LANDING_ZONE_URI", "ABALONE_REGISTRY_URI")
AWS = {"ABALONE_PROFILE": "aws", **dict.fromkeys(PLACES, "s3://bucket/prefix")}
IN_SSM = {"ABALONE_PROFILE": "aws"}


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


@pytest.mark.parametrize(
    ("given", "lake"),
    [
        ("here/../there", "{cwd}/there/lake"),
        ("~/abalone", "/home/somebody/abalone/lake"),
        ("", "{cwd}/.abalone/lake"),
    ],
)
def test_the_home_is_absolute_and_its_tilde_expanded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: str, lake: str
) -> None:
    monkeypatch.chdir(tmp_path)
    set_all(monkeypatch, {"HOME": "/home/somebody", "ABALONE_HOME": given, "ABALONE_PROFILE": ""})
    assert load_settings().lake_uri == lake.format(cwd=tmp_path)


@pytest.mark.parametrize("place", ["lake_uri", "landing_zone_uri", "registry_uri"])
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("~/share", "/home/somebody/share"),
        ("~", "/home/somebody"),
        ("/srv/~/share", "/srv/~/share"),
        ("file:///srv/~", "file:///srv/~"),
        ("s3://bucket/~", "s3://bucket/~"),
    ],
)
def test_the_tilde_of_a_folder_is_expanded(
    home: Path, monkeypatch: pytest.MonkeyPatch, place: str, given: str, expected: str
) -> None:
    set_all(monkeypatch, {"HOME": "/home/somebody", f"ABALONE_{place.upper()}": given})
    assert getattr(load_settings(), place) == expected


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"ABALONE_LAKE_URI": "s3://bucket/lake"}, {"lake_uri": "s3://bucket/lake"}),
        ({}, {"raw_uri": UCI_URI, "raw_sha256": UCI_SHA256, "raw_fallback": True}),
        ({"ABALONE_RAW_URI": "/data/mine.csv"}, {"raw_sha256": "", "raw_fallback": False}),
        ({"ABALONE_RAW_URI": ""}, {"raw_uri": UCI_URI, "raw_sha256": UCI_SHA256}),
        ({"ABALONE_RAW_FALLBACK": "true"}, {"raw_fallback": True}),
        ({"ABALONE_RAW_FALLBACK": "0"}, {"raw_fallback": False}),
        ({"ABALONE_ENDPOINT_PORT": ""}, {"endpoint_port": 8080}),
        ({}, {"reconcile_seconds": 0}),
        (AWS, {"reconcile_seconds": 600, "raw_sha256": UCI_SHA256, "raw_fallback": False}),
        (AWS | {"ABALONE_RECONCILE_SECONDS": "60"}, {"reconcile_seconds": 60}),
        (
            IN_SSM,
            {
                "lake_uri": "ssm:/abalone/lake-uri",
                "landing_zone_uri": "ssm:/abalone/landing-zone-uri",
                "registry_uri": "ssm:/abalone/registry-uri",
            },
        ),
        (
            IN_SSM | {"ABALONE_SSM_PREFIX": "/team/abalone", "ABALONE_REGISTRY_URI": "s3://b/r"},
            {"lake_uri": "ssm:/team/abalone/lake-uri", "registry_uri": "s3://b/r"},
        ),
        ({"ABALONE_JOB_ROLE_ARN": "of the profile aws"}, {"profile": "local"}),
        (
            {"ABALONE_FRAMEWORK": "tensorflow", "ABALONE_HYPERPARAMETERS": '{"epochs": 9}'},
            {"hyperparameters": {"epochs": 9}},
        ),
        ({"ABALONE_TEST_ANYTHING": "1", "ABALONES": "1", "HOME_ABALONE_X": "1"}, {}),
    ],
)
def test_what_is_set_is_kept_and_the_rest_follows_from_it(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: dict[str, Any]
) -> None:
    set_all(monkeypatch, variables)
    settings = load_settings()
    assert {name: getattr(settings, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ABALONE_LAKE_URI", "gs://bucket"),
        ("ABALONE_LAKE_URI", "ssm:lake-uri"),
        ("ABALONE_RAW_URI", "ftp://host/abalone.data"),
        ("ABALONE_PROFILE", "azure"),
        ("ABALONE_FIRST_SURVEY_DAY", "2023-02-30"),
        ("ABALONE_FIRST_SURVEY_DAY", "20230301"),
        ("ABALONE_FIRST_SURVEY_DAY", "2023-03-01T00:00:00"),
        ("ABALONE_FIRST_SURVEY_DAY", "1677628800"),
        ("ABALONE_SENSOR_SECONDS", "0"),
        ("ABALONE_SENSOR_SECONDS", "often"),
        ("ABALONE_RECONCILE_SECONDS", "-1"),
        ("ABALONE_RETRY_SECONDS", "1.5"),
        ("ABALONE_RETRY_SECONDS", "86401"),
        ("ABALONE_CAPTURE_DAYS", "999999"),
        ("ABALONE_KEEP_RUN_DAYS", "999999"),
        ("ABALONE_KEEP_REQUEST_DAYS", "36501"),
        ("ABALONE_KEEP_VERSION_DAYS", "36501"),
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
    ("variables", "message"),
    [
        *(
            (AWS | {name: "/data"}, rf"the profile aws needs s3:// URIs .* in {name}$")
            for name in PLACES
        ),
        (AWS | dict.fromkeys(PLACES, "/data"), f"the profile aws .* in {', '.join(PLACES)}$"),
        (IN_SSM | {"ABALONE_CANARY_PERCENT": "80"}, "ABALONE_CANARY_PERCENT='80': "),
        (
            {"ABALONE_LAKE_URL": "/data"},
            r"ABALONE_LAKE_URL: no such setting; did you mean ABALONE_LAKE_URI\?$",
        ),
        (
            {"ABALONE_XYZZY_QQQ": "1"},
            "ABALONE_XYZZY_QQQ: .*known are ABALONE_CANARY_PERCENT, .*ABALONE_HOME",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str
) -> None:
    set_all(monkeypatch, variables)
    with pytest.raises(SettingsError, match=f"^{message}"):
        load_settings()


def test_a_malformed_secret_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABALONE_UPLOAD_TOKEN", "hunter2")
    with pytest.raises(SettingsError, match=r"^ABALONE_UPLOAD_TOKEN: a token of 16") as refused:
        load_settings()
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"epochs": 9}', "blend has no hyperparameter epochs"),
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


def test_settings_are_read_again_only_when_the_environment_has_changed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ABALONE_HOME", "here")
    monkeypatch.chdir(tmp_path)
    first = load_settings()
    assert load_settings() is first
    monkeypatch.setenv("ABALONE_GATE_MAX_RMSE", "3")
    assert load_settings().gate_max_rmse == 3
    monkeypatch.delenv("ABALONE_GATE_MAX_RMSE")
    assert load_settings().gate_max_rmse == 2.5
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert load_settings().home == tmp_path / "below" / "here"
    monkeypatch.setenv("ABALONE_HOME", "~/there")
    for user in ("ana", "ben"):
        monkeypatch.setenv("HOME", str(tmp_path / user))
        assert load_settings().home == tmp_path / user / "there"


def test_a_working_folder_that_is_gone_is_missed_by_no_absolute_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ABALONE_HOME", str(tmp_path / "home"))
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert load_settings().home == tmp_path / "home"
    monkeypatch.chdir(tmp_path)


def test_a_variable_in_other_letters_is_read_again_when_it_has_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for seconds in (7, 8):
        monkeypatch.setenv("abalone_settle_seconds", str(seconds))
        assert load_settings().settle_seconds == seconds
