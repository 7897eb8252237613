import json
import logging
import re
from pathlib import Path

import pytest

from abalone_assets.external.entry import ArgumentError
from abalone_assets.external.train_network import TRAINER, main
from abalone_assets.modeling.archive import ARCHIVE_NAME, pack, read_card
from abalone_assets.modeling.hyperparameters import HyperparameterError, NetworkHyperparameters
from abalone_assets.modeling.models.model import load_model
from abalone_assets.modeling.models.network import NetworkModel
from abalone_assets_tests.external.support import Listener, training_environment

pytestmark = pytest.mark.xdist_group("keras")

ARGUMENTS = ["--hidden_units", "8", "--epochs", "12", "--learning_rate", "0.01"]


def test_writes_the_network_and_its_metrics_as_the_booster_does(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    listener = Listener()
    with caplog.at_level(logging.INFO, "abalone_assets"):
        main(ARGUMENTS, training_environment(tmp_path, rows=300), listener)
    assert isinstance(load_model(tmp_path / "model"), NetworkModel)
    pack(tmp_path / "model", tmp_path / ARCHIVE_NAME)
    card = read_card(tmp_path / ARCHIVE_NAME)
    metrics = json.loads((tmp_path / "data/metrics.json").read_text())
    assert card.framework == "tensorflow"
    assert card.hyperparameters["hidden_units"] == 8
    assert card.model_sha256 == metrics["model_sha256"]
    assert card.metrics["validation"] == metrics["validation"]
    assert len(metrics["history"]["train"]) == 12
    assert (tmp_path / "model/model.keras").exists()
    assert listener.told == [(card.headlines(), card.model_sha256)]
    pattern = r"\[10\] train:rmse=\d+\.\d+; validation:rmse=\d+\.\d+"
    assert re.fullmatch(pattern, caplog.messages[0])
    assert caplog.messages[-1].startswith("[final: ")


def test_arguments_default_to_those_of_the_network() -> None:
    assert TRAINER.parse([]) == NetworkHyperparameters()
    assert TRAINER.parse(["--batch_size", "64"]) == NetworkHyperparameters(batch_size=64)


def test_refuses_arguments_of_another_framework_and_values_out_of_range() -> None:
    with pytest.raises(ArgumentError, match="--eta"):
        TRAINER.parse(["--eta", "0.1"])
    with pytest.raises(HyperparameterError, match="patience must be 1 to 10000, not 0"):
        TRAINER.parse(["--patience", "0"])
