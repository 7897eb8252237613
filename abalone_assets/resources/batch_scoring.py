"""Where a file of many animals is scored at once."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import dagster as dg

from abalone_assets.errors import StorageError
from abalone_assets.resources.jobs import JobReport
from abalone_assets.resources.models import LocalModelRegistry
from abalone_assets.storage.object_store import locate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from abalone_assets.ageing.ages import AnimalBlock
    from abalone_assets.modeling.inference import Predictions

BLOCK_BYTES: Final = 1 << 20
"""How much of a file is scored at once; SageMaker's container gets no larger requests either."""


@dataclass(frozen=True)
class ScoringRequest:
    """One file to be scored.

    Attributes:
        animals_uri: The file: an animal a line, in the endpoint's ``text/csv``; empty lines do not
            count.
        scores_uri: Where the answers go: JSON Lines, one for each animal in their order, each as in
            the endpoint's ``application/json``.
        version: The approved version that answers.
    """

    animals_uri: str
    scores_uri: str
    version: int


@dataclass(frozen=True)
class ScoringReport:
    """A file that was scored.

    Attributes:
        scores_uri: The answers.
        animals: How many there are.
        job: The job that scored them.
    """

    scores_uri: str
    animals: int
    job: JobReport


@dataclass(frozen=True)
class ScoredBlocks:
    """Blocks of animals with what a model predicts for them.

    Attributes:
        answers: Each block and its predictions, in their order; they are made as they are asked
            for where no job of its own made them.
        job: The job that made them; None where none did.
    """

    answers: Iterator[tuple[AnimalBlock, Predictions]]
    job: JobReport | None = None


class BatchScorer(dg.ConfigurableResource[None], ABC):
    """Scores a file of animals with a version of the registry."""

    @abstractmethod
    def score(self, request: ScoringRequest, context: dg.AssetExecutionContext) -> ScoringReport:
        """Score the file; a job of its own is bound to the run.

        No more than some megabytes of it are in memory at a time, and the answers are written whole
        or not at all.

        Raises:
            StorageError: The file is missing, has no animals or holds an impossible one, which is
                told with its line before anything is paid for.
            AbaloneError: The version is unknown, or may not answer.
            Failure: A job of its own did not run to its end; reason, log and metadata say more.
        """

    @abstractmethod
    def score_blocks(
        self,
        blocks: Callable[[], Iterator[AnimalBlock]],
        version: int,
        context: dg.AssetExecutionContext,
    ) -> ScoredBlocks:
        """Score blocks of animals, which are gone through once or twice.

        Raises:
            AbaloneError: The version is unknown, or its archive is damaged.
            Failure: A job of its own did not run to its end; reason, log and metadata say more.
        """


class LocalBatchScorer(BatchScorer):
    """Scores in this process."""

    registry: LocalModelRegistry

    def score(
        self,
        request: ScoringRequest,
        context: dg.AssetExecutionContext,  # noqa: ARG002 - runs here
    ) -> ScoringReport:
        """Score block by block."""
        from abalone_assets.modeling.archive import extract
        from abalone_assets.modeling.inference import CSV, JSON, input_fn, output_fn, predict_fn
        from abalone_assets.modeling.inference import model_fn as load

        started = time.perf_counter()
        registry = self.registry.open()
        version = registry.get(request.version)
        if not version.approved:
            raise StorageError(
                f"version {version.version} is {version.status}: {version.reason} Approve it first:"
                f" abalone approve {version.version}"
            )
        with TemporaryDirectory(prefix="scoring-") as folder:
            model = Path(folder, "model")
            extract(registry.read_model(version.version), model)
            predictor = load(model)
            answers = (
                answer
                for block in animal_blocks(request.animals_uri)
                for answer in answers_in(
                    output_fn(predict_fn(input_fn(block, CSV), predictor), JSON)[0]
                )
            )
            animals = write_scores(answers, request.scores_uri, Path(folder))
        return ScoringReport(request.scores_uri, animals, JobReport(time.perf_counter() - started))

    def score_blocks(
        self,
        blocks: Callable[[], Iterator[AnimalBlock]],
        version: int,
        context: dg.AssetExecutionContext,  # noqa: ARG002 - runs here
    ) -> ScoredBlocks:
        """Score block by block, by the code of the endpoint."""
        from abalone_assets.modeling.inference import predict_fn
        from abalone_assets.serving.model_host import load_model

        predictor = load_model(self.registry.open(), version).predictor
        return ScoredBlocks((block, predict_fn(block.rows, predictor)) for block in blocks())


def animal_blocks(uri: str) -> Iterator[bytes]:
    """A file's animals: its lines but for empty ones, so many at a time as are scored at once.

    Raises:
        StorageError: The file is missing, has no animals, or holds an impossible one.
    """
    store, key = locate(uri)
    block: list[bytes] = []
    numbers: list[int] = []
    size = blocks = 0
    for number, line in enumerate(store.lines(key), start=1):
        if not line.strip():
            continue
        if size + len(line) > BLOCK_BYTES and block:
            yield _checked(block, numbers, uri)
            block, numbers, size, blocks = [], [], 0, blocks + 1
        block.append(line if line.endswith(b"\n") else line + b"\n")
        numbers.append(number)
        size += len(line)
    if block:
        yield _checked(block, numbers, uri)
    elif not blocks:
        raise StorageError(f"{uri}: holds no animals; put at least one line into it")


def answers_in(body: str | bytes) -> list[dict[str, float]]:
    """The answers of one ``application/json`` body."""
    answers: list[dict[str, float]] = json.loads(body)["predictions"]
    return answers


def write_scores(answers: Iterable[dict[str, float]], uri: str, folder: Path) -> int:
    """Write answers as JSON Lines, by way of a file in the folder.

    Returns:
        How many there were.
    """
    written = 0
    path = folder / "scores.jsonl"
    with path.open("w") as file:
        for answer in answers:
            file.write(json.dumps(answer) + "\n")
            written += 1
    store, key = locate(uri)
    store.upload(key, path)
    return written


def _checked(block: list[bytes], numbers: list[int], uri: str) -> bytes:
    from abalone_assets.modeling.inference import CSV, InvalidRequestError, input_fn

    body = b"".join(block)
    try:
        rows = input_fn(body, CSV)
    except InvalidRequestError as error:
        line = numbers[error.row - 1] if error.row else numbers[0]
        raise StorageError(f"{uri}, line {line}: {error}; correct the line") from error
    if len(rows) != len(block):
        raise StorageError(f"{uri}, from line {numbers[0]} on: a line break within quotes")
    return body
