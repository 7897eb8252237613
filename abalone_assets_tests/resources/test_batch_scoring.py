"""A file of animals is scored the same by a batch transform job and in the process."""

from __future__ import annotations

import gc
import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl
import pytest

from abalone_assets.ageing.ages import AnimalBlock
from abalone_assets.modeling import inference
from abalone_assets.resources import batch_scoring
from abalone_assets.resources.aws.batch_scoring import SageMakerBatchScorer
from abalone_assets.resources.batch_scoring import LocalBatchScorer, ScoringReport, ScoringRequest
from abalone_assets.resources.models import (
    LocalModelRegistry,
    SageMakerEndpointHost,
    SageMakerModelRegistry,
)
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.survey import FEATURES
from abalone_assets_tests.deploy.iam import as_deployed, denied, policy_of
from abalone_assets_tests.pipes.lab import asset_of
from abalone_assets_tests.pipes.lab import lab as lab  # noqa: PLC0414 - a fixture
from abalone_assets_tests.serving.sagemaker.hosting import ENDPOINT, GROUP, IMAGE, constant_archive
from abalone_assets_tests.serving.support import LINES, register, tiny_archive

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.modeling.inference import Predictions
    from abalone_assets_tests.fakes.standin import AwsStandIn
    from abalone_assets_tests.pipes.lab import Lab
    from abalone_assets_tests.serving.sagemaker.hosting import Account

ARCHIVE = tiny_archive(1)


class Local:
    """The scorer of the profile local, with version 1 in its registry."""

    def __init__(self, folder: Path) -> None:
        registry = LocalModelRegistry(uri=str(folder / "registry"))
        register(registry.open(), ARCHIVE)
        self.store = ObjectStore(folder / "data")
        self.scorer = LocalBatchScorer(registry=registry)

    def score(self, text: str, version: int = 1) -> ScoringReport:
        self.store.write("animals.csv", text.encode())
        return self.scorer.score(request_in(self.store, version), dg.build_asset_context())

    def score_blocks(self, blocks: list[AnimalBlock]) -> list[tuple[AnimalBlock, Predictions]]:
        scored = self.scorer.score_blocks(lambda: iter(blocks), 1, dg.build_asset_context())
        assert scored.job is None
        return list(scored.answers)


class OnSageMaker:
    """The scorer of the profile aws, with version 1 in its registry."""

    def __init__(self, lab: Lab, account: Account) -> None:
        aws = account.aws
        account.register(ARCHIVE)
        self.lab = lab
        self.store = ObjectStore(f"s3://{aws.bucket}/data")
        self.scorer = scorer_on(aws)

    def score(self, text: str, version: int = 1) -> ScoringReport:
        self.store.write("animals.csv", text.encode())
        found: list[ScoringReport] = []

        def run(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
            found.append(self.scorer.score(request_in(self.store, version), context))
            return dg.MaterializeResult(metadata=found[0].job.metadata())

        dg.materialize([asset_of(run)], instance=self.lab.instance)
        return found[0]

    def score_blocks(self, blocks: list[AnimalBlock]) -> list[tuple[AnimalBlock, Predictions]]:
        found: list[tuple[AnimalBlock, Predictions]] = []

        def run(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
            scored = self.scorer.score_blocks(lambda: iter(blocks), 1, context)
            assert scored.job is not None
            found.extend(scored.answers)
            return dg.MaterializeResult(metadata=scored.job.metadata())

        dg.materialize([asset_of(run)], instance=self.lab.instance)
        return found


def scorer_on(aws: AwsStandIn, kind: str = "ml.m5.large", **boundary: Any) -> SageMakerBatchScorer:
    """The scorer of an endpoint that has these settings besides."""
    host = SageMakerEndpointHost(
        registry=SageMakerModelRegistry(
            group=GROUP,
            uri=f"s3://{aws.bucket}/registry",
            image=IMAGE,
            instance_type="ml.m5.large",
        ),
        endpoint_name=ENDPOINT,
        role_arn=aws.role_arn,
        capture_uri=f"s3://{aws.bucket}/captured_requests",
        instance_type="ml.m5.large",
        instance_count=2,
        alarms="none",
        canary_percent=50,
        canary_wait_seconds=0,
        timeout_seconds=600,
        poll_seconds=0.1,
        **boundary,
    )
    return SageMakerBatchScorer(
        host=host,
        jobs_uri=f"s3://{aws.bucket}/jobs",
        instance_type=kind,
        max_runtime_seconds=600,
        poll_seconds=0.1,
    )


def request_in(store: ObjectStore, version: int) -> ScoringRequest:
    return ScoringRequest(store.uri_of("animals.csv"), store.uri_of("scores.jsonl"), version)


@pytest.fixture(params=["in the process", "sagemaker"])
def scoring(request: pytest.FixtureRequest, tmp_path: Path) -> Local | OnSageMaker:
    if request.param == "in the process":
        return Local(tmp_path)
    return OnSageMaker(request.getfixturevalue("lab"), request.getfixturevalue("account"))


def answers(scoring: Local | OnSageMaker) -> list[dict[str, float]]:
    return [json.loads(line) for line in scoring.store.read("scores.jsonl").splitlines()]


def expected(lines: list[str], folder: Path) -> list[dict[str, float]]:
    """What the archive's own code answers."""
    from abalone_assets.modeling.archive import extract

    extract(ARCHIVE, folder / "model")
    rows = inference.input_fn("\n".join(lines), "text/csv")
    predictions = inference.predict_fn(rows, inference.model_fn(folder / "model"))
    found: list[dict[str, float]] = json.loads(
        inference.output_fn(predictions, "application/json")[0]
    )["predictions"]
    return found


@pytest.mark.service
def test_animals_are_answered_in_their_order(
    scoring: Local | OnSageMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_scoring, "BLOCK_BYTES", 100)  # some blocks
    lines = list(LINES) * 4
    report = scoring.score("\ufeff" + "\n\n".join(lines) + "\r\n")  # no end, empty lines, a BOM
    assert report.animals == len(lines)
    assert report.scores_uri == scoring.store.uri_of("scores.jsonl")
    assert report.job.seconds > 0
    assert answers(scoring) == expected(lines, tmp_path)
    assert answers(scoring)[0].keys() == {"rings", "age_years", "rings_low", "rings_high"}
    if isinstance(scoring, OnSageMaker):
        calls = as_deployed(scoring.lab.aws.calls)
        of_the_job = [call for call in calls if "Transform" in call.operation]
        of_the_job += [call for call in calls if call.service == "logs"]
        assert denied(policy_of("run"), of_the_job) == []


@pytest.mark.service
def test_blocks_are_answered_in_their_order_and_like_a_file(
    scoring: Local | OnSageMaker, tmp_path: Path
) -> None:
    lines = list(LINES) * 4
    frame = pl.read_csv("\n".join(lines).encode(), has_header=False, new_columns=list(FEATURES))
    frame = frame.with_columns(pl.lit("animals.20250303120000").alias("source_file"))
    blocks = [AnimalBlock("2025-03-03", frame[at : at + 5]) for at in range(0, len(lines), 5)]
    told = scoring.score_blocks(blocks)
    assert [len(block.frame) for block, _ in told] == [5, 5, 2]
    found = [
        {"rings": rings, "rings_low": low, "rings_high": high}
        for _, each in told
        if each.low is not None and each.high is not None
        for rings, low, high in zip(each.rings, each.low, each.high, strict=True)
    ]
    assert found == [
        {name: pytest.approx(each[name], abs=1e-4) for name in found[0]}
        for each in expected(lines, tmp_path)
    ]
    if isinstance(scoring, OnSageMaker):
        jobs = [c for c in scoring.lab.aws.calls if c.operation == "CreateTransformJob"]
        assert len(jobs) == 1


@pytest.mark.service
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no animals"),
        ("\n \n", "holds no animals"),
        (f"{LINES[0]}\n\nQ{LINES[1][1:]}\n", r"animals\.csv, line 3: .*column sex"),
        ("sex,length,diameter\n", r"animals\.csv, line 1: "),
    ],
)
def test_an_impossible_file_is_refused_before_a_job_is_paid_for(
    scoring: Local | OnSageMaker, text: str, words: str
) -> None:
    with pytest.raises(Exception, match=words):
        scoring.score(text)
    assert scoring.store.find("scores.jsonl") is None
    if isinstance(scoring, OnSageMaker):
        asked = {call.operation for call in scoring.lab.aws.calls}
        assert "CreateTransformJob" not in asked


@pytest.mark.service
def test_a_version_that_nobody_knows_is_refused(scoring: Local | OnSageMaker) -> None:
    with pytest.raises(Exception, match="no model version 7"):
        scoring.score(LINES[0], version=7)


@pytest.mark.service
def test_a_version_that_is_not_approved_answers_nothing(scoring: Local | OnSageMaker) -> None:
    registry = (
        scoring.scorer.registry if isinstance(scoring, Local) else scoring.scorer.host.registry
    )
    registry.open().reject(1, because="it is wrong", by="ana")
    with pytest.raises(Exception, match=r"reject|Reject|not Approved"):
        scoring.score(LINES[0])


def test_a_large_file_takes_no_more_memory_than_a_small_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_scoring, "BLOCK_BYTES", 4096)
    local = Local(tmp_path)

    def peak(animals: int) -> int:
        text = "\n".join(LINES * (animals // len(LINES)))
        local.store.write("animals.csv", text.encode())
        tracemalloc.start()
        local.scorer.score(request_in(local.store, 1), dg.build_asset_context())
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(300)  # whatever is imported by the first
    usual = gc.get_threshold()
    gc.set_threshold(100, 2, 2)  # garbage that was not collected yet is no use of memory
    try:
        assert peak(12_000) < 1.5 * peak(300)
    finally:
        gc.set_threshold(*usual)


@pytest.mark.service
def test_a_job_that_answered_too_little_is_no_success(lab: Lab, account: Account) -> None:
    scoring = OnSageMaker(lab, account)
    inference_code = """
import json
def model_fn(model_dir): return None
def input_fn(body, content_type): return body
def predict_fn(rows, model): return None
def output_fn(prediction, accept): return json.dumps({{"predictions": [{{"rings": 1.0}}]}}), accept
"""
    account.register(constant_archive(1.0, inference_code))
    with pytest.raises(Exception, match="holds 1 answers for 3 animals"):
        scoring.score("\n".join(LINES), version=2)
