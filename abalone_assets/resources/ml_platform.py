"""Where models are trained and evaluated: entry scripts that keep SageMaker's contract."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from abalone_assets.modeling.hyperparameters import Framework
from abalone_assets.resources.jobs import JobReport
from abalone_assets.storage import ObjectStore, locate
from abalone_assets.survey import FEATURES

if TYPE_CHECKING:
    from abalone_assets.modeling.archive import ModelCard

PROBES: Final = 5
SCRIPTS: Final[dict[Framework, str]] = {"xgboost": "train", "tensorflow": "train_network"}
"""Name of the entry script that trains with a framework, in ``abalone_assets.external``."""


@dataclass(frozen=True)
class TrainingRequest:
    """One training job.

    Attributes:
        job_name: Unique name; the archive goes to ``<output_uri>/<job_name>/output/``.
        channels: Folder or prefix of each input channel, by its name.
        output_uri: Folder or prefix of the models.
        hyperparameters: Passed to the entry script as ``--name value``.
        framework: Which entry script trains, and in which container on SageMaker.
        inputs: Names the content of the channels, such as a digest: a job that already ran for the
            same content in the same run is not run again.
    """

    job_name: str
    channels: dict[str, str]
    output_uri: str
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    framework: Framework = "xgboost"
    inputs: str = ""

    @property
    def model_uri(self) -> str:
        """Where SageMaker would put the model archive, and where every platform does."""
        from abalone_assets.modeling.archive import ARCHIVE_NAME

        return f"{self.output_uri}/{self.job_name}/output/{ARCHIVE_NAME}"


@dataclass(frozen=True)
class TrainingReport:
    """A finished training job: its archive, the model card in it, and the job."""

    model_uri: str
    card: ModelCard
    job: JobReport


@dataclass(frozen=True)
class EvaluationRequest:
    """One evaluation of a model, and of its champion on the same rows.

    Attributes:
        job_name: Unique name.
        model_uri: The model archive.
        test_uri: Folder or prefix of the test split.
        champion_uri: The champion's archive, if there is a champion.
        champion_version: Its version in the registry.
        inputs: Names the content of the test split, as in `TrainingRequest`.
    """

    job_name: str
    model_uri: str
    test_uri: str
    champion_uri: str | None = None
    champion_version: int | None = None
    inputs: str = ""


@dataclass(frozen=True)
class EvaluationReport:
    """A finished evaluation.

    Attributes:
        evaluation: The metrics document.
        plots: PNG by name.
        probes: Some test rows as requests (CSV lines), each with the rings that the model answers.
        job: The job that evaluated.
    """

    evaluation: dict[str, Any]
    plots: dict[str, bytes]
    probes: list[tuple[str, float]]
    job: JobReport


class MLPlatform(dg.ConfigurableResource[None], ABC):
    """Trains and evaluates models."""

    @abstractmethod
    def train(self, request: TrainingRequest, context: dg.AssetExecutionContext) -> TrainingReport:
        """Run the training entry script to its end.

        Args:
            request: What to train.
            context: Of the asset that asks; a job of its own is bound to its run.

        Raises:
            AbaloneError: The data or a hyperparameter is refused; the message says which.
        """

    @abstractmethod
    def evaluate(
        self, request: EvaluationRequest, context: dg.AssetExecutionContext
    ) -> EvaluationReport:
        """Run the evaluation entry script to its end.

        Args:
            request: What to evaluate, and on what.
            context: Of the asset that asks; a job of its own is bound to its run.

        Raises:
            AbaloneError: The model archive or the data is refused; the message says which.
        """


class LocalMLPlatform(MLPlatform):
    """Calls the entry scripts' functions in this process, in a folder laid out as a container's."""

    def train(self, request: TrainingRequest, context: dg.AssetExecutionContext) -> TrainingReport:  # noqa: ARG002 - runs here
        """Train here and put the archive where SageMaker would."""
        from abalone_assets.modeling.archive import ARCHIVE_NAME, pack, read_card

        started = time.perf_counter()
        with TemporaryDirectory(prefix="training-") as folder:
            root = Path(folder)
            environ = {
                "SM_MODEL_DIR": str(_made(root / "model")),
                "SM_OUTPUT_DATA_DIR": str(_made(root / "output" / "data")),
            }
            for channel, uri in request.channels.items():
                data = fetch(uri, root / "input" / "data" / channel)
                environ[f"SM_CHANNEL_{channel.upper()}"] = str(data)
            arguments = [
                part
                for name, value in request.hyperparameters.items()
                for part in (f"--{name}", str(value))
            ]
            script = import_module(f"abalone_assets.external.{SCRIPTS[request.framework]}")
            script.main(arguments, environ)
            archive = root / ARCHIVE_NAME
            pack(root / "model", archive)
            card = read_card(archive)
            _put(request.model_uri, archive.read_bytes())
        return TrainingReport(request.model_uri, card, JobReport(time.perf_counter() - started))

    def evaluate(
        self,
        request: EvaluationRequest,
        context: dg.AssetExecutionContext,  # noqa: ARG002 - runs here
    ) -> EvaluationReport:
        """Evaluate here."""
        from abalone_assets.external import evaluate
        from abalone_assets.modeling.archive import ARCHIVE_NAME

        started = time.perf_counter()
        with TemporaryDirectory(prefix="processing-") as folder:
            root = Path(folder)
            output = _made(root / "evaluation")
            _get(request.model_uri, _made(root / "model") / ARCHIVE_NAME)
            arguments = ["--model-dir", str(root / "model"), "--output-dir", str(output)]
            arguments += ["--test-dir", str(fetch(request.test_uri, root / "test"))]
            if request.champion_uri is not None:
                _get(request.champion_uri, _made(root / "champion") / ARCHIVE_NAME)
                arguments += ["--champion-dir", str(root / "champion")]
                arguments += ["--champion-version", str(request.champion_version)]
            evaluate.main(arguments)
            return evaluation_report(output, JobReport(time.perf_counter() - started))


def evaluation_report(output: Path, job: JobReport) -> EvaluationReport:
    """What the evaluation script wrote to its output folder."""
    return EvaluationReport(
        evaluation=json.loads((output / "evaluation.json").read_text()),
        plots={plot.stem: plot.read_bytes() for plot in sorted(output.glob("*.png"))},
        probes=_probes(output / "predictions.parquet"),
        job=job,
    )


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def fetch(uri: str, folder: Path) -> Path:
    """The folder itself when it is local, else a copy of every object below the prefix."""
    store = ObjectStore(uri)
    if store.root is not None:
        return store.root
    for found in store.list():
        target = folder / found.key
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(store.read(found.key))
    return folder


def _get(uri: str, path: Path) -> None:
    store, key = locate(uri)
    path.write_bytes(store.read(key))


def _put(uri: str, data: bytes) -> None:
    store, key = locate(uri)
    store.write(key, data)


def _probes(predictions: Path) -> list[tuple[str, float]]:
    import polars as pl

    rows = pl.read_parquet(predictions).head(PROBES)
    lines = rows.select(FEATURES).write_csv(include_header=False).splitlines()
    return list(zip(lines, rows["predicted"].to_list(), strict=True))
