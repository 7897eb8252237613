"""The image and the compose file, read: there is no Docker engine where these tests run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

import pytest
from dagster_shared.yaml_utils import load_yaml_from_path

from abalone_assets.local import code_location
from abalone_assets.settings.platform import load_settings

PROJECT: Final = Path(__file__).parents[2]
DEPLOY: Final = PROJECT / "deploy"
PROJECT_FILE: Final = tomllib.loads((PROJECT / "pyproject.toml").read_text())
VARIABLE: Final = re.compile(r"\$\{(\w+)")
SECRET: Final = "DAGSTER_POSTGRES_PASSWORD"


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What the client says; it needs no engine to read a file."""
    program = shutil.which("docker") or "false"
    return subprocess.run([program, *arguments], check=False, capture_output=True, text=True)


def compose() -> dict[str, Any]:
    document = load_yaml_from_path(str(DEPLOY / "compose.yaml"))
    assert isinstance(document, dict)
    return document


def services() -> dict[str, dict[str, Any]]:
    return dict(compose()["services"])


def platform_services() -> dict[str, dict[str, Any]]:
    return {name: service for name, service in services().items() if name != "postgres"}


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions and their arguments, continuation lines joined."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    split = (line.partition(" ") for line in lines if line.strip())
    return [(name, arguments) for name, _, arguments in split]


def of(name: str) -> list[str]:
    return [arguments for instruction, arguments in instructions() if instruction == name]


def image_environment() -> dict[str, str]:
    """The environment of the last stage."""
    return dict(re.findall(r"(\w+)=(\S+)", of("ENV")[-1]))


class TestDockerfile:
    def test_everything_it_copies_exists_and_is_in_the_build_context(self) -> None:
        ignored, *admitted = [
            line for line in (PROJECT / ".dockerignore").read_text().splitlines() if line[:1] != "#"
        ]
        assert ignored == "*"
        copies = [arguments.split() for arguments in of("COPY") if "--from=" not in arguments]
        sources = [source.rstrip("/") for *sources, _ in copies for source in sources]
        assert all((PROJECT / source).exists() for source in sources)
        assert {f"!{source}" for source in sources} == {line for line in admitted if line[0] == "!"}

    @pytest.mark.parametrize("secret", [".env", "deploy/.env", ".git/config", ".abalone/lake/x"])
    def test_secrets_and_data_stay_out_of_the_build_context(self, secret: str) -> None:
        lines = (PROJECT / ".dockerignore").read_text().splitlines()
        admitted = [line[1:] for line in lines if line.startswith("!")]
        assert not [one for one in admitted if fnmatch(secret, one) or secret.startswith(f"{one}/")]

    def test_it_installs_the_tested_versions_with_extras_that_exist(self) -> None:
        (installed,) = [run for run in of("RUN") if "pip install" in run and "--no-deps" not in run]
        assert "--constraint constraints.txt" in installed
        (extras,) = re.findall(r"'\.\[(.+)\]'", installed)
        assert set(extras.split(",")) <= PROJECT_FILE["project"]["optional-dependencies"].keys()

    def test_its_python_is_pinned_and_the_one_that_ci_tests(self) -> None:
        (image,) = re.findall(r"^PYTHON_IMAGE=(.*)", "\n".join(of("ARG")), re.MULTILINE)
        assert re.fullmatch(r"python:3\.11-slim-bookworm", image)
        ci = (PROJECT / ".github/workflows/test.yml").read_text()
        assert 'python-version: "3.11"' in ci

    def test_it_knows_the_commit_that_it_was_built_from(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (name,) = [name for name, value in image_environment().items() if value == "${COMMIT}"]
        assert "COMMIT=" in of("ARG")
        monkeypatch.setenv(name, f"{'1a' * 20}-dirty")
        assert load_settings().code_commit == f"{'1a' * 20}-dirty"
        monkeypatch.setenv(name, "")  # a build that is not told
        assert load_settings().code_commit == ""
        (built,) = [each["build"] for each in services().values() if "build" in each]
        assert built["args"] == {"COMMIT": "${COMMIT:-}"}

    def test_it_ends_without_root(self) -> None:
        assert of("USER")[-1] == "10001:10001"
        assert instructions()[-1][0] == "CMD"

    def test_its_default_instance_is_the_one_on_ecs(self) -> None:
        home = image_environment()["DAGSTER_HOME"]
        assert f"deploy/dagster.yaml {home}/dagster.yaml" in of("COPY")

    def test_its_command_is_in_exec_form_so_that_signals_arrive(self) -> None:
        command = json.loads(of("CMD")[-1])
        assert command == services()["code-location"]["command"]

    def test_its_command_is_the_process_with_the_code_so_that_it_is_started_again(self) -> None:
        # `dagster code-server` would outlive the process with the code, `dagster api grpc` the
        # thread of its own that notices dead workers; both would be called healthy.
        assert json.loads(of("CMD")[-1]) == ["python", "-m", code_location.__name__]

    def test_a_volume_on_ecs_keeps_the_owner_of_what_is_written_to(self) -> None:
        assert "/tmp" in of("VOLUME")
        assert image_environment()["HOME"] == "/tmp"


class TestCompose:
    def test_it_refuses_to_start_without_a_password(self) -> None:
        text = (DEPLOY / "compose.yaml").read_text()
        uses = re.findall(rf"\${{{SECRET}(.)", text)
        assert uses == [":", ":"]
        assert text.count(f"${{{SECRET}:?") == 2
        assert f"\n{SECRET}=\n" in (DEPLOY / ".env.example").read_text()

    def test_the_example_names_every_variable(self) -> None:
        used = set(VARIABLE.findall((DEPLOY / "compose.yaml").read_text()))
        lines = (DEPLOY / ".env.example").read_text().splitlines()
        assert {line.partition("=")[0] for line in lines if line and line[0] != "#"} == used

    def test_only_this_machine_reaches_what_it_publishes(self) -> None:
        published = [port for service in services().values() for port in service.get("ports", [])]
        assert len(published) == 2
        assert all(port.startswith("127.0.0.1:") for port in published)

    def test_published_ports_are_those_that_the_services_listen_on(self) -> None:
        environment = image_environment()
        (web,), (endpoint,) = services()["webserver"]["ports"], services()["endpoint"]["ports"]
        assert web.rpartition(":")[2] == environment["DAGSTER_WEBSERVER_PORT"]
        own = services()["endpoint"]["environment"]
        assert endpoint.rpartition(":")[2] == own["ABALONE_ENDPOINT_PORT"]
        assert own["ABALONE_ENDPOINT_HOST"] == services()["endpoint"]["hostname"]

    @pytest.mark.parametrize("name", platform_services())
    def test_a_service_of_ours_has_no_more_rights_than_it_needs(self, name: str) -> None:
        service = services()[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["tmpfs"] == ["/tmp"]
        assert service["init"] is True
        assert "user" not in service  # the image's own

    def test_every_dependency_is_a_service_that_can_meet_the_condition(self) -> None:
        conditions = {
            (other, wanted["condition"])
            for service in services().values()
            for other, wanted in service.get("depends_on", {}).items()
        }
        for other, condition in conditions:
            if condition == "service_healthy":
                assert "healthcheck" in services()[other]
            else:
                assert condition == "service_completed_successfully"
                assert services()[other]["restart"] == "no"

    def test_nothing_of_dagster_starts_before_the_schema_is_right(self) -> None:
        first = {"postgres": set(), "migrate": {"postgres"}}
        for name, service in services().items():
            awaited = set(service.get("depends_on", {}))
            assert awaited == first.get(name, awaited)
            if name not in first:
                assert awaited & {"migrate", "code-location"}

    def test_every_long_running_service_has_a_health_check(self) -> None:
        without = {name for name, service in services().items() if "healthcheck" not in service}
        assert without == {"migrate"}

    def test_every_mounted_volume_is_declared(self) -> None:
        mounted = {
            volume.partition(":")[0]
            for service in services().values()
            for volume in service.get("volumes", [])
        }
        assert mounted == compose()["volumes"].keys()

    @pytest.mark.parametrize("name", platform_services())
    def test_its_program_is_one_that_the_image_has(self, name: str) -> None:
        assert Path(sys.executable).with_name(services()[name]["command"][0]).exists()

    def test_the_platform_knows_every_setting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in services()["endpoint"]["environment"].items():
            monkeypatch.setenv(name, value)
        assert load_settings().profile == "local"

    @pytest.mark.parametrize("file", ["compose/dagster.yaml", "workspace.yaml"])
    def test_every_variable_of_a_configuration_is_given(self, file: str) -> None:
        read = set(re.findall(r"env: (\w+)", (DEPLOY / file).read_text()))
        given = services()["daemon"]["environment"].keys() | image_environment().keys()
        assert read <= given

    def test_compose_itself_accepts_the_file(self, tmp_path: Path) -> None:
        if docker("compose", "version").returncode:
            pytest.skip("there is no `docker compose` on this machine")
        environment = tmp_path / "env"
        environment.write_text(f"{SECRET}=x\n")
        file = ("--file", str(DEPLOY / "compose.yaml"), "--env-file", str(environment))
        checked = docker("compose", *file, "config", "--quiet")
        assert checked.returncode == 0, checked.stderr
