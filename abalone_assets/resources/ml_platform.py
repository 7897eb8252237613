"""Where models are trained and evaluated: entry scripts that keep SageMaker's contract."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, Literal

import dagster as dg
from pydantic import Field

from abalone_assets.errors import StorageError
from abalone_assets.external.local_training import arguments_of
from abalone_assets.lake.names import DATA_FILE
from abalone_assets.modeling.hyperparameters import (
    DEFAULT_FRAMEWORK,
    MAX_SYNTHETIC_SHARE,
    Framework,
)
from abalone_assets.resources.jobs import JobReport
from abalone_assets.storage.object_store import locate
from abalone_assets.survey import FEATURES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abalone_assets.modeling.card import ModelCard

ChosenFramework = Literal["default", Framework]
"""A framework by name, or the one that the platform's settings name."""

_COMPARED: Final = frozenset({"champion", "reference"})
_ARCHIVES: Final = _COMPARED | {"model"}
PROBES: Final = 5


@dataclass(frozen=True)
class TrainingRequest:
    """One training job.

    Attributes:
        channels: URI of each input channel's one Parquet object, by the channel's name.
        output_uri: Folder or prefix of the models; the archive goes to
            ``<output_uri>/<job>/output/``, and the platform names the job.
        hyperparameters: Passed to the entry script as ``--name value``.
        framework: What trains, and in which container on SageMaker.
        inputs: Names the content of the channels, such as a digest: a job that already ran for the
            same content in the same run is not run again.
        sha256: Of each channel's object, by the channel's name, where that is known.
    """

    channels: dict[str, str]
    output_uri: str
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    framework: Framework = DEFAULT_FRAMEWORK
    inputs: str = ""
    sha256: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingReport:
    """A finished training job.

    Attributes:
        model_uri: Its archive: the only word on where that is.
        machine: What is known of where it was trained, by name.
    """

    model_uri: str
    card: ModelCard
    job: JobReport
    machine: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class EvaluationRequest:
    """One evaluation of a model, and of those it must hold against on the same rows.

    Attributes:
        model_sha256: Digest of the model, as its card says.
        folders: URI of the one object in each of the script's input folders: ``model``, ``train``,
            ``validation``, ``test`` and, where there is one, ``champion`` and ``reference``.
        options: The script's other arguments, by name; None leaves one out.
        inputs: Names the content of the splits, as in `TrainingRequest`.
    """

    model_sha256: str
    folders: Mapping[str, str]
    options: Mapping[str, object] = field(default_factory=dict)
    inputs: str = ""


@dataclass(frozen=True)
class EvaluationReport:
    """A finished evaluation.

    Attributes:
        evaluation: The metrics document.
        plots: SVG by name; none of an evaluation without a report.
        report: The HTML file with everything in it; empty where there is none.
        probes: Some test rows as requests (CSV lines), each with the rings that the model answers.
        job: The job that evaluated.
    """

    evaluation: dict[str, Any]
    plots: dict[str, bytes]
    report: bytes
    probes: list[tuple[str, float]]
    job: JobReport


class MLPlatform(dg.ConfigurableResource[None], ABC):
    """Trains and evaluates models."""

    framework: Framework = Field(
        default=DEFAULT_FRAMEWORK, description="What trains every release."
    )
    hyperparameters: dict[str, Any] = Field(
        default={}, description="Its hyperparameters that are not the defaults, by name."
    )

    max_synthetic_share: float = Field(
        default=MAX_SYNTHETIC_SHARE,
        description="Largest share of simulated rows in the weight of training.",
    )

    def chosen_framework(self, asked: ChosenFramework) -> Framework:
        """The framework that a run asks for, or the one that trains every release."""
        return self.framework if asked == "default" else asked

    def hyperparameters_of(self, framework: str) -> dict[str, Any]:
        """What is set for a framework: of one that does not train releases, only the share."""
        own = self.hyperparameters if framework == self.framework else {}
        return {"max_synthetic_share": self.max_synthetic_share, **own}

    @abstractmethod
    def train(self, request: TrainingRequest, context: dg.AssetExecutionContext) -> TrainingReport:
        """Run the training entry script to its end; a job of its own is bound to the run.

        Raises:
            AbaloneError: The data or a hyperparameter is refused; the message says which.
            Failure: A job of its own did not run to its end; reason, log and metadata say more.
        """

    @abstractmethod
    def evaluate(
        self, request: EvaluationRequest, context: dg.AssetExecutionContext
    ) -> EvaluationReport:
        """Run the evaluation entry script to its end; a job of its own is bound to the run.

        It goes as far as the gate needs: report, plots and studies may be missing, see `report`.

        Raises:
            AbaloneError: The model archive or the data is refused, or the evaluation is of another
                model; the message says which.
            Failure: A job of its own did not run to its end; reason, log and metadata say more.
        """

    @abstractmethod
    def report(
        self,
        request: EvaluationRequest,
        evaluated: dict[str, Any],
        context: dg.AssetExecutionContext,
    ) -> EvaluationReport:
        """The whole evaluation, report and plots included, of what `evaluate` has said before.

        Raises:
            AbaloneError: As `evaluate` does.
            Failure: As `evaluate` does.
        """


class LocalMLPlatform(MLPlatform):
    """Calls the entry scripts' functions in this process, in a folder laid out as a container's."""

    def train(self, request: TrainingRequest, context: dg.AssetExecutionContext) -> TrainingReport:
        """Train here and put the archive where SageMaker would."""
        from abalone_assets.external.local_training import require_digest, this_machine, train_here
        from abalone_assets.modeling.archive import ARCHIVE_NAME, read_card

        started = time.perf_counter()
        channels = {
            channel: require_digest(_read(uri), request.sha256.get(channel, ""), uri)
            for channel, uri in request.channels.items()
        }
        archive = train_here(request.framework, channels, request.hyperparameters)
        job = f"train-{context.op_execution_context.run_id}"
        model_uri = f"{request.output_uri}/{job}/output/{ARCHIVE_NAME}"
        store, key = locate(model_uri)
        store.write(key, archive)
        took = JobReport(time.perf_counter() - started)
        return TrainingReport(model_uri, read_card(archive), took, this_machine())

    def evaluate(
        self,
        request: EvaluationRequest,
        context: dg.AssetExecutionContext,  # noqa: ARG002 - runs here
    ) -> EvaluationReport:
        """Evaluate here, without the report, which takes most of the time."""
        return self._evaluate(replace(request, options={**request.options, "report": "no"}))

    def report(
        self,
        request: EvaluationRequest,
        evaluated: dict[str, Any],
        context: dg.AssetExecutionContext,  # noqa: ARG002 - runs here
    ) -> EvaluationReport:
        """Add report, plots and studies here; nothing is judged anew."""
        return self._evaluate(request, evaluated)

    def _evaluate(
        self, request: EvaluationRequest, evaluated: dict[str, Any] | None = None
    ) -> EvaluationReport:
        from abalone_assets.external import evaluate
        from abalone_assets.modeling.archive import ARCHIVE_NAME

        started = time.perf_counter()
        with TemporaryDirectory(prefix="processing-") as folder:
            root = Path(folder)
            output = _made(root / "output")
            needed = request.folders.items()
            if evaluated is not None:
                document = _made(root / "evaluated") / evaluate.EVALUATION_FILE
                document.write_text(json.dumps(evaluated), encoding="utf-8")
                needed = {name: uri for name, uri in needed if name not in _COMPARED}.items()
            for name, uri in needed:
                file = ARCHIVE_NAME if name in _ARCHIVES else DATA_FILE
                (_made(root / name) / file).write_bytes(_read(uri))
            folders = {f"{each.name}-dir": each for each in root.iterdir()}
            evaluate.main(arguments_of({**folders, **request.options}))
            return evaluation_report(output, request, JobReport(time.perf_counter() - started))


def evaluation_report(output: Path, request: EvaluationRequest, job: JobReport) -> EvaluationReport:
    """What the evaluation script wrote to its output folder.

    Raises:
        StorageError: It is of another model.
    """
    evaluation = json.loads((output / "evaluation.json").read_text())
    if evaluation["model_sha256"] != request.model_sha256:
        model_uri = request.folders["model"]
        raise StorageError(
            f"{model_uri}: holds the model {request.model_sha256}, but the evaluation is of"
            f" {evaluation['model_sha256']}; materialize trained_model and evaluation"
            " again: launch the job `release`"
        )
    return EvaluationReport(
        evaluation=evaluation,
        plots={plot.stem: plot.read_bytes() for plot in sorted(output.glob("*.svg"))},
        report=report.read_bytes() if (report := output / "report.html").exists() else b"",
        probes=_probes(output / "predictions.parquet"),
        job=job,
    )


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _read(uri: str) -> bytes:
    store, key = locate(uri)
    return store.read(key)


def _probes(predictions: Path) -> list[tuple[str, float]]:
    import polars as pl

    rows = pl.read_parquet(predictions).head(PROBES)
    lines = rows.select(FEATURES).write_csv(include_header=False).splitlines()
    return list(zip(lines, rows["predicted"].to_list(), strict=True))
