import json
import logging
import re
from pathlib import Path
from unittest.mock import create_autospec

import pytest

from abalone_assets.external.reporting import Reporter
from abalone_assets.external.train import main
from abalone_assets.modeling.loading import load_model
from abalone_assets.modeling.models.network import NetworkModel
from abalone_assets_tests.external.support import training_environment

pytestmark = pytest.mark.xdist_group("keras")

ARGUMENTS = [
    "--framework",
    "tensorflow",
    "--hidden_units",
    "8",
    "--epochs",
    "12",
    "--learning_rate",
    "0.01",
]


def test_writes_the_network_and_its_metrics_as_the_booster_does(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    listener = create_autospec(Reporter, instance=True)
    with caplog.at_level(logging.INFO, "abalone_assets"):
        main(ARGUMENTS, training_environment(tmp_path, rows=300), listener)
    assert isinstance(load_model(tmp_path / "model"), NetworkModel)
    card = json.loads((tmp_path / "model/model_card.json").read_text())
    metrics = json.loads((tmp_path / "data/metrics.json").read_text())
    assert (card["framework"], card["hyperparameters"]["hidden_units"]) == ("tensorflow", 8)
    assert (tmp_path / "model/model.keras").exists()
    assert len(metrics["history"]["train"]) == 12
    [told] = listener.report_metadata.call_args_list
    assert told.kwargs == {"data_version": card["model_sha256"]}
    pattern = r"\[10\] train:rmse=\d+\.\d+; validation:rmse=\d+\.\d+"
    assert re.fullmatch(pattern, caplog.messages[0])
    assert caplog.messages[-1].startswith("[final: ")
