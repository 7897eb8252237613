"""The steps of a trial: what a release does, on some hundred simulated animals."""

from __future__ import annotations

import time
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.aws.failures import error_code, translate_errors
from abalone_assets.doctor.finding import TroubleError
from abalone_assets.doctor.live.dagster_run import in_a_run
from abalone_assets.doctor.live.releases import QUICK
from abalone_assets.errors import EndpointError, StorageError
from abalone_assets.etl.request import SPLIT_PERCENT, PrepareRequest
from abalone_assets.lake.names import DATA_FILE
from abalone_assets.modeling.hyperparameters import HYPERPARAMETERS
from abalone_assets.registry.versions import MODEL_DIGEST, PROBES
from abalone_assets.resources.ml_platform import EvaluationRequest, TrainingRequest
from abalone_assets.serving.endpoint import body_of, check_answers
from abalone_assets.storage.object_store import locate
from abalone_assets.survey.origin import SURVEYED

if TYPE_CHECKING:
    from collections.abc import Callable

    from abalone_assets.doctor.live.account import Account, Trial
    from abalone_assets.doctor.live.releases import Releases
    from abalone_assets.etl.request import PrepareReport
    from abalone_assets.registry.model_packages import ModelPackageRegistry
    from abalone_assets.registry.versions import ModelVersion
    from abalone_assets.resources.jobs import JobReport
    from abalone_assets.resources.ml_platform import EvaluationReport, TrainingReport
    from abalone_assets.serving.sagemaker.endpoint import SageMakerEndpoint

ROWS: Final = 600
SOURCE_FILE: Final = "abalone-doctor"
BAD_ROW: Final = "Q,0.455,0.365,0.095,0.514,0.2245,0.101,0.15"
"""There is no such sex."""

BAD_ROW_WORDS: Final = "sex"
LOG_LINES: Final = 12
DECISION: Final = {
    "approved": True,
    "reason": "`abalone doctor --live` deploys it to an endpoint of its own.",
    "rule": "doctor",
}
_CSV: Final = "text/csv"
_CLIENT_ERRORS: Final = range(400, 500)


class Proof:
    """One trial's steps, in their order; each returns what it found, and raises what went wrong.

    Args:
        account: What is proved.
        trial: Under which names.
        releases: What releases use, already under these names.
        say: Told, in lines, how it goes on.
    """

    def __init__(
        self, account: Account, trial: Trial, releases: Releases, say: Callable[[str], None]
    ) -> None:
        self.account = account
        self.trial = trial
        self.releases = releases
        self.say = say
        self.cost = 0.0
        self._training: TrainingReport
        self._evaluation: EvaluationReport
        self._registry: ModelPackageRegistry
        self._endpoint: SageMakerEndpoint
        self._version: ModelVersion

    def steps(self) -> dict[str, Callable[[], str]]:
        """The steps by name, in their order."""
        return {
            "data": self.data,
            "Glue job": self.preparation,
            "training job": self.training,
            "processing job": self.evaluation,
            "model package": self.package,
            "endpoint created": self._with_log(self.creation),
            "good row": self._with_log(self.good_row),
            "bad row": self.bad_row,
            "endpoint updated": self._with_log(self.update),
        }

    def data(self) -> str:
        """Store some of the bundled animals, as ingestion would."""
        import polars as pl

        from abalone_assets.ingest.frames import to_parquet
        from abalone_assets.sample_data import base_survey
        from abalone_assets.survey import COLUMNS

        names = [column.name for column in COLUMNS]
        rows = pl.read_csv(base_survey(), has_header=False, new_columns=names).head(ROWS)
        told = rows.with_columns(source_file=pl.lit(SOURCE_FILE), origin=pl.lit(SURVEYED))
        self.trial.store.write(f"lake/raw_abalone/{DATA_FILE}", to_parquet(told))
        return f"{ROWS} animals in {self.trial.jobs_uri}"

    def preparation(self) -> str:
        """Merge and split in a run of the Glue job."""
        request = PrepareRequest(
            inputs=(self._uri("raw_abalone"),),
            merged=self._uri("merged_dataset"),
            splits={name: self._uri(name) for name in SPLIT_PERCENT},
        )
        engine = self.releases.etl_engine
        report: PrepareReport
        report, job = in_a_run(
            f"{self.trial.asset_prefix}_prepare",
            lambda context: engine.prepare(request, context),
            self.say,
        )
        empty = [name for name in SPLIT_PERCENT if not report.rows.get(name)]
        if empty:
            raise StorageError(f"Glue wrote no rows to {', '.join(empty)}: {report.rows}")
        return f"{report.engine}: {report.rows['merged_dataset']} rows; {self._told(job)}"

    def training(self) -> str:
        """Train a small model in a training job."""
        platform = self.releases.ml_platform
        framework = platform.framework
        known = {each.name for each in fields(HYPERPARAMETERS[framework])}
        quick = {name: value for name, value in QUICK.items() if name in known}
        request = TrainingRequest(
            channels={name: self._uri(f"{name}_split") for name in ("train", "validation")},
            output_uri=f"{self.trial.jobs_uri}/lake/trained_model",
            hyperparameters={**platform.hyperparameters_of(framework), **quick},
            framework=framework,
        )
        self._training = in_a_run(
            f"{self.trial.asset_prefix}_train",
            lambda context: platform.train(request, context),
            self.say,
        )
        return f"{framework}, {self._training.model_uri}; {self._told(self._training.job)}"

    def evaluation(self) -> str:
        """Evaluate the model in a processing job."""
        platform, training = self.releases.ml_platform, self._training
        splits = {name: self._uri(f"{name}_split") for name in ("train", "validation", "test")}
        request = EvaluationRequest(
            model_sha256=training.card.model_sha256,
            folders={"model": training.model_uri, **splits},
        )
        self._evaluation = in_a_run(
            f"{self.trial.asset_prefix}_evaluate",
            lambda context: platform.evaluate(request, context),
            self.say,
        )
        rmse = self._evaluation.evaluation["rmse"]
        return f"RMSE {rmse:.2f} rings; {self._told(self._evaluation.job)}"

    def package(self) -> str:
        """Register the model as an approved package of a group of the trial's own."""
        self.account.sagemaker.create_model_package_group(
            ModelPackageGroupName=self.trial.name,
            ModelPackageGroupDescription="Made by `abalone doctor --live`; delete it",
        )
        self._registry = self.releases.model_registry.open()
        self._version = self._registered(1)
        return f"{self.trial.name}, version {self._version.version}, approved"

    def creation(self) -> str:
        """Deploy the model to an endpoint that does not exist yet."""
        self._endpoint = self.releases.endpoint_host.open()
        return self._deployed()

    def good_row(self) -> str:
        """Ask about the animals whose answers the evaluation recorded."""
        probes = self._evaluation.probes
        started = time.perf_counter()
        answer = self._asked(body_of(probes))
        took = time.perf_counter() - started
        text = answer["Body"].read().decode(errors="replace")
        try:
            rings = [float(field) for field in text.split()]
        except ValueError as error:
            raise EndpointError(f"endpoint {self.trial.name} answered {text[:200]!r}") from error
        check_answers(f"endpoint {self.trial.name}", probes, rings)
        return f"{len(rings)} answers as the evaluation recorded them, in {1000 * took:.0f} ms"

    def bad_row(self) -> str:
        """Ask about an animal that there cannot be; it must be refused as the client's mistake.

        Raises:
            TroubleError: It was answered, or refused otherwise: a warning where only the status is
                the server's.
        """
        from botocore.exceptions import ClientError

        try:
            answer = self._asked(BAD_ROW)
        except ClientError as error:
            if error_code(error) != "ModelError":
                raise
            return refusal(
                int(error.response.get("OriginalStatusCode") or 0),
                str(error.response.get("OriginalMessage") or error),
            )
        text = answer["Body"].read().decode(errors="replace")
        raise TroubleError(
            "failed",
            f"{BAD_ROW!r} was answered {text.strip()[:200]!r}",
            "the endpoint does not run the code of this version: look at the image and at "
            "code/inference.py in the model's archive",
        )

    def update(self) -> str:
        """Deploy another version to the endpoint, which is asked the same animals."""
        self._version = self._registered(2)
        return self._deployed()

    def _with_log(self, step: Callable[[], str]) -> Callable[[], str]:
        """A step whose failure tells the last lines of the endpoint's log, which goes with it."""

        def logged() -> str:
            try:
                with translate_errors(EndpointError, f"endpoint {self.trial.name}"):
                    return step()
            except EndpointError as error:
                is_models = "access denied" not in str(error)
                groups = self.trial.log_groups if is_models else ()
                told_by = (last_lines(self.account.logs, group) for group in groups)
                lines = next(filter(None, told_by), [])
                if not lines:
                    raise
                told = " | ".join(lines)
                raise EndpointError(f"{error}; the last lines of its log: {told}") from error

        return logged

    def _uri(self, asset: str) -> str:
        return f"{self.trial.jobs_uri}/lake/{asset}/{DATA_FILE}"

    def _told(self, job: JobReport) -> str:
        cost = job.estimated_cost_usd
        self.cost += cost or 0.0
        price = "price not known" if cost is None else f"USD {cost:.4f}"
        return f"{job.platform}, {job.billable_seconds:.0f} s billed, {price}"

    def _registered(self, number: int) -> ModelVersion:
        """The model as a version of its own; without its digest, none stands for it already."""
        store, key = locate(self._training.model_uri)
        evaluation = {**self._evaluation.evaluation, PROBES: self._evaluation.probes}
        evaluation.pop(MODEL_DIGEST)
        return self._registry.register(
            store.read(key),
            evaluation=evaluation,
            decision=DECISION,
            release_digest=f"doctor-{number}",
        )

    def _deployed(self) -> str:
        deployment = self._endpoint.deploy(self._version.version, self._evaluation.probes, self.say)
        return f"{self.trial.name}: {deployment.message}"

    def _asked(self, body: str) -> dict[str, Any]:
        answer: dict[str, Any] = self._endpoint.runtime.invoke_endpoint(
            EndpointName=self.trial.name, ContentType=_CSV, Accept=_CSV, Body=body.encode()
        )
        return answer


def last_lines(logs: Any, group: str) -> list[str]:  # noqa: ANN401 - made at run time
    """The last lines of a log group's latest stream; none where there is none to be read."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        found = logs.describe_log_streams(
            logGroupName=group, orderBy="LastEventTime", descending=True, limit=1
        )
        for stream in found["logStreams"]:
            told = logs.get_log_events(
                logGroupName=group, logStreamName=stream["logStreamName"], limit=LOG_LINES
            )
            return [event["message"].strip() for event in told["events"]]
    except (BotoCoreError, ClientError):
        pass
    return []


def refusal(status: int, message: str) -> str:
    """What the model's refusal of a bad row says, when it is one.

    Raises:
        TroubleError: It says nothing of the row, or its status is no client's error: CloudWatch
            counts that against the model.
    """
    said = " ".join(message.split())[:300]
    if BAD_ROW_WORDS not in said:
        raise TroubleError(
            "failed",
            f"the endpoint's refusal ({status}) does not say what is wrong with the row: {said}",
            "its container does not run the code of this version: look at the image and its log",
        )
    if status not in _CLIENT_ERRORS:
        raise TroubleError(
            "warning",
            f"refused with the status {status}: {said}",
            "a server's status for a client's mistake lets the alarms roll a good version back; "
            "release a model with the inference code of this version",
        )
    return f"refused ({status}): {said}"
