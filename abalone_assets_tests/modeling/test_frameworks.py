"""What every framework must do; one that is added is looked at without a change here."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pytest

from abalone_assets.errors import ModelArchiveError
from abalone_assets.modeling.archive import VENDORED, extract, read_archived, write_archive
from abalone_assets.modeling.framework import framework_named
from abalone_assets.modeling.hyperparameters import (
    HYPERPARAMETERS,
    Framework,
    HyperparameterError,
    SearchedFramework,
    chosen_hyperparameters,
    describe_frameworks,
)
from abalone_assets.modeling.loading import load_model
from abalone_assets.modeling.models.model import predict_rings
from abalone_assets.modeling.scores import rmse
from abalone_assets.modeling.training.train import fit
from abalone_assets_tests.modeling.support import CREATED_AT, CSV_ROW, packed, rows

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.modeling.card import FittedModel

CHEAP: dict[str, dict[str, Any]] = {"tensorflow": {"epochs": 3}, "blend": {"landmarks": 60}}
"""What makes some of them learn in no time."""

every = pytest.mark.parametrize(
    "name",
    [
        pytest.param(each, marks=[pytest.mark.xdist_group("keras")] if each == "tensorflow" else [])
        for each in HYPERPARAMETERS
    ],
)


@cache
def trained(name: Framework) -> FittedModel:
    chosen = chosen_hyperparameters(name, {"folds": 2, **CHEAP.get(name, {})})
    return fit(name, rows(0, 500), rows(500, 620), chosen, created_at=CREATED_AT)


def test_every_name_has_its_hyperparameters_and_its_module() -> None:
    assert set(get_args(Framework)) == set(HYPERPARAMETERS)
    assert [framework_named(name).name for name in HYPERPARAMETERS] == [*HYPERPARAMETERS]
    assert all(f"{name}: " in describe_frameworks() for name in HYPERPARAMETERS)
    files = [framework_named(name).file for name in HYPERPARAMETERS]
    assert len(set(files)) == len(files)
    with pytest.raises(HyperparameterError, match=r"must be blend or .*, not 'catboost'"):
        framework_named("catboost")


def test_the_searched_are_those_that_say_what_is_tried() -> None:
    searched = {name for name in HYPERPARAMETERS if framework_named(name).parts}
    assert searched == set(get_args(SearchedFramework))


@every
def test_it_learns_the_same_bytes_from_the_same_rows(name: Framework) -> None:
    model, framework = trained(name), framework_named(name)
    again = trained.__wrapped__(name)
    assert again.files[framework.file] == model.files[framework.file]
    assert again.card.model_sha256 == model.card.model_sha256
    assert model.card.framework == name
    assert set(framework.versions()) <= set(model.card.versions)
    assert model.history["validation"]


@every
def test_it_learns_more_than_the_mean_and_is_read_back_as_it_was(
    name: Framework, tmp_path: Path
) -> None:
    test = rows(620, 900)
    archived = read_archived(packed(trained(name), tmp_path))
    answers = predict_rings(archived.model, test)
    mean = float(np.mean(rows(0, 500)["rings"]))
    assert rmse(answers, test["rings"]) < rmse(np.full(answers.size, mean), test["rings"])
    alone = predict_rings(archived.model, {key: values[:1] for key, values in test.items()})
    assert alone[0] == answers[0], "an answer does not depend on who else is asked about"
    assert archived.out_of_fold is not None
    contributions = archived.model.contributions(np.ones((2, len(archived.model.features)), "f4"))
    assert contributions is None or contributions.shape == (2, len(archived.model.features) + 1)


@every
def test_a_file_that_was_changed_is_never_read(name: Framework, tmp_path: Path) -> None:
    write_archive(trained(name), tmp_path)
    file = tmp_path / framework_named(name).file
    load_model(tmp_path)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ModelArchiveError, match="damaged"):
        load_model(tmp_path)
    file.unlink()
    with pytest.raises(ModelArchiveError, match=f"not an extracted model archive with {file.name}"):
        load_model(tmp_path)


@every
@pytest.mark.service
def test_its_archive_answers_where_nothing_of_the_project_is(
    name: Framework, tmp_path: Path
) -> None:
    write_archive(trained(name), tmp_path / "model")
    code = f"""
import json, sys
sys.path.insert(0, "code")
from abalone_assets.modeling.inference import input_fn, model_fn, output_fn, predict_fn
answer, _ = output_fn(predict_fn(input_fn({CSV_ROW!r}, "text/csv"), model_fn(".")), "text/csv")
heavy = {{"dagster", "keras", "polars", "pydantic", "torch"}}
print(json.dumps([float(answer), sorted(heavy & sys.modules.keys())]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path / "model",
        env={"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer, heavy = json.loads(done.stdout)
    assert 3 < answer < 30
    assert heavy == []


def test_the_archive_carries_every_frameworks_module(tmp_path: Path) -> None:
    assert "modeling/frameworks/*.py" in VENDORED
    extract(packed(trained("xgboost"), tmp_path), tmp_path / "read")
    carried = {
        path.stem for path in tmp_path.glob("read/code/abalone_assets/modeling/frameworks/*")
    }
    assert carried == {"__init__", *HYPERPARAMETERS}
