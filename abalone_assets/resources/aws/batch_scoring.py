"""Scoring by SageMaker's batch transform."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
from pydantic import Field

from abalone_assets.errors import StorageError
from abalone_assets.resources.batch_scoring import (
    BLOCK_BYTES,
    BatchScorer,
    ScoredBlocks,
    ScoringReport,
    ScoringRequest,
    animal_blocks,
    answers_in,
    write_scores,
)
from abalone_assets.resources.jobs import JobReport, job_report, pipes_options
from abalone_assets.resources.models import SageMakerEndpointHost
from abalone_assets.storage.object_store import ObjectStore

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from abalone_assets.ageing.ages import AnimalBlock
    from abalone_assets.modeling.inference import Predictions

JOB_NAME_PREFIX: Final = "scoring"
"""How the names of the transform jobs begin; the run role may start no others."""

ANIMALS_FILE: Final = "animals.csv"
_PAYLOAD_MB: Final = BLOCK_BYTES >> 20


class SageMakerBatchScorer(BatchScorer):
    """A batch transform job, with the model that the endpoint would run.

    The job is given a copy of the animals that were checked, named by its content: what else lies
    in the bucket it need not read, and what becomes of the file meanwhile does not matter.
    """

    host: SageMakerEndpointHost
    jobs_uri: str = Field(description="s3:// prefix of what jobs are given and give back.")
    instance_type: str = Field(description="Scores.")
    max_runtime_seconds: int = Field(description="A job that runs longer is stopped.")
    poll_seconds: float = Field(description="Wait between two looks at a job.")

    def score(self, request: ScoringRequest, context: dg.AssetExecutionContext) -> ScoringReport:
        """Score in a transform job.

        Raises:
            PipesJobError: The job failed; the message has its reason and the last log lines.
        """
        with TemporaryDirectory(prefix="scoring-") as folder:
            scored = self._score(
                animal_blocks(request.animals_uri), request.version, context, Path(folder)
            )
            write_scores(scored.answers, request.scores_uri, Path(folder))
        return ScoringReport(request.scores_uri, scored.animals, scored.job)

    def score_blocks(
        self,
        blocks: Callable[[], Iterator["AnimalBlock"]],
        version: int,
        context: dg.AssetExecutionContext,
    ) -> ScoredBlocks:
        """Score all blocks in one transform job; its answers are read as they are asked for.

        Raises:
            PipesJobError: The job failed; the message has its reason and the last log lines.
        """
        with TemporaryDirectory(prefix="scoring-") as folder:
            written = (block.csv.encode() for block in blocks())
            scored = self._score(written, version, context, Path(folder))
        answered = ((block, _predictions(scored.answers, len(block.frame))) for block in blocks())
        return ScoredBlocks(answered, scored.job)

    def _score(
        self,
        blocks: Iterator[bytes],
        version: int,
        context: dg.AssetExecutionContext,
        folder: Path,
    ) -> "_Scored":
        from abalone_assets.aws.clients import client
        from abalone_assets.aws.prices import INSTANCE_PRICES
        from abalone_assets.pipes import PipesSageMakerTransformClient

        jobs = ObjectStore(self.jobs_uri)
        model = self.host.open().ensure_model(version)
        copy = folder / ANIMALS_FILE
        digest, animals = _copy(blocks, copy)
        place = f"scoring/{digest}"
        jobs.upload(f"{place}/{ANIMALS_FILE}", copy)
        output = f"{place}/{model}"
        invocation = PipesSageMakerTransformClient(
            **pipes_options(jobs, self.poll_seconds),
            client=client("sagemaker"),
            prices=INSTANCE_PRICES,
        ).run(
            context=context,
            create_transform_job_params=self._transform_job(
                model, jobs.uri_of(f"{place}/{ANIMALS_FILE}"), jobs.uri_of(output)
            ),
            job_name_prefix=JOB_NAME_PREFIX,
            max_runtime_seconds=self.max_runtime_seconds,
        )
        answers = _answers(jobs, f"{output}/{ANIMALS_FILE}.out", animals)
        return _Scored(answers, animals, job_report(invocation, "SageMaker batch transform"))

    def _transform_job(self, model: str, animals_uri: str, output_uri: str) -> dict[str, Any]:
        """The request; the network is the model's, as of an endpoint, and so is the key."""
        boundary = self.host.boundary
        source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": animals_uri}}
        return {
            "ModelName": model,
            "BatchStrategy": "MultiRecord",
            "MaxPayloadInMB": _PAYLOAD_MB,
            "TransformInput": {
                "DataSource": source,
                "ContentType": "text/csv",
                "SplitType": "Line",
            },
            # An answer is one line of JSON: so each request's can be told from the next.
            "TransformOutput": {
                "S3OutputPath": output_uri,
                "Accept": "application/json",
                "AssembleWith": "Line",
                **boundary.key(),
            },
            "TransformResources": {
                "InstanceType": self.instance_type,
                "InstanceCount": 1,
                **boundary.volume_key(self.instance_type),
            },
        }


@dataclass(frozen=True)
class _Scored:
    """What a job answered, animal by animal."""

    answers: Iterator[dict[str, float]]
    animals: int
    job: JobReport


def _predictions(answers: Iterator[dict[str, float]], count: int) -> "Predictions":
    """The next answers, as a model gives them."""
    import numpy as np

    from abalone_assets.modeling.inference import Predictions

    found = list(islice(answers, count))

    def column(name: str) -> "NDArray[np.float64]":
        return np.array([each[name] for each in found], dtype=np.float64)

    if not found or "rings_low" not in found[0]:
        return Predictions(column("rings"))
    return Predictions(column("rings"), column("rings_low"), column("rings_high"))


def _copy(blocks: Iterator[bytes], path: Path) -> tuple[str, int]:
    """Write the blocks; their digest and how many lines they have."""
    digest, lines = hashlib.sha256(), 0
    with path.open("wb") as file:
        for block in blocks:
            file.write(block)
            digest.update(block)
            lines += block.count(b"\n")
    return digest.hexdigest()[:16], lines


def _answers(jobs: ObjectStore, key: str, expected: int) -> Iterator[dict[str, float]]:
    """What the container answered.

    Raises:
        StorageError: It is not one answer for each animal.
    """
    found = 0
    for line in jobs.lines(key):
        if line.strip():  # an answer may end its line itself
            answers = answers_in(line)
            found += len(answers)
            yield from answers
    if found != expected:
        raise StorageError(
            f"{jobs.uri_of(key)}: holds {found} answers for {expected} animals; delete it and score"
            " the file again"
        )
