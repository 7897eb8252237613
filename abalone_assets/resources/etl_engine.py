"""Where the preparation runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import dagster as dg
from pydantic import Field

from abalone_assets.errors import SettingsError, StorageError
from abalone_assets.etl.request import PrepareReport
from abalone_assets.resources.jobs import JobReport, digest_of, job_report, pipes_options
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.storage.records import record_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import SparkSession

    from abalone_assets.etl.request import PrepareRequest


SPARK_DEFAULTS: Final = {
    "spark.app.name": "abalone",
    "spark.ui.enabled": "false",
    "spark.sql.session.timeZone": "UTC",
}


def _nothing() -> None:
    """Do what is to be done when nobody wants to be asked."""


class EtlEngine(dg.ConfigurableResource[None], ABC):
    """Runs the preparation: URIs in, counts and schemas out; no frame crosses this line."""

    @abstractmethod
    def prepare(
        self,
        request: PrepareRequest,
        context: dg.AssetExecutionContext,
        before_replacing: Callable[[], object] = _nothing,
    ) -> tuple[PrepareReport, JobReport]:
        """Merge the inputs, remove exact repeats and split; a job of its own is bound to the run.

        Args:
            request: URIs.
            context: The run's.
            before_replacing: Called by an engine in this process before what it has written can be
                seen; when it raises, that is not put in place.

        Returns:
            What it did, and the job that did it.

        Raises:
            StorageError: An input cannot be read or an output cannot be written.
            Failure: A job of its own did not run to its end; reason, log and metadata say more.
        """


class PolarsEngine(EtlEngine):
    """Polars in this process, lazy and streaming."""

    def prepare(
        self,
        request: PrepareRequest,
        context: dg.AssetExecutionContext,  # noqa: ARG002 - runs here
        before_replacing: Callable[[], object] = _nothing,
    ) -> tuple[PrepareReport, JobReport]:
        """Run it here."""
        from abalone_assets.etl import polars_engine

        report = polars_engine.prepare(request, before_replacing)
        return report, JobReport(report.seconds)


class SparkEngine(EtlEngine):
    """Spark with any master, by default this machine; the expressions are `PolarsEngine`'s."""

    spark_config: dict[str, str] = Field(
        default={}, description="Spark's settings, such as spark.master; they win over ours."
    )

    def prepare(
        self,
        request: PrepareRequest,
        context: dg.AssetExecutionContext,  # noqa: ARG002 - the session is this process's
        before_replacing: Callable[[], object] = _nothing,
    ) -> tuple[PrepareReport, JobReport]:
        """Run it in this process's Spark session.

        Raises:
            SettingsError: Spark is not installed, or does not start.
        """
        spark = _spark_session({**SPARK_DEFAULTS, **self.spark_config})
        from abalone_assets.etl import spark_engine

        report = spark_engine.prepare(spark, request, before_replacing)
        return report, JobReport(report.seconds)


class GlueEngine(EtlEngine):
    """Spark in a Glue job, which runs the same expressions as `PolarsEngine`."""

    jobs_uri: str = Field(description="s3:// prefix of what jobs are given and give back.")
    job: str = Field(description="Name of the Glue job.")
    max_runtime_seconds: int = Field(description="A run that takes longer is stopped.")
    poll_seconds: float = Field(description="Wait between two looks at the run.")

    def prepare(
        self,
        request: PrepareRequest,
        context: dg.AssetExecutionContext,
        before_replacing: Callable[[], object] = _nothing,
    ) -> tuple[PrepareReport, JobReport]:
        """Run it as a run of the Glue job, which asks nobody before it replaces an object.

        Raises:
            PipesJobError: The run failed; the message has Glue's reason and the last log lines.
        """
        from abalone_assets.aws.clients import client, region
        from abalone_assets.aws.parameters import resolve
        from abalone_assets.aws.prices import GLUE_PRICES
        from abalone_assets.pipes import PipesGlueJobClient
        from abalone_assets.resources.aws.code_bundle import CodeBundles

        jobs = ObjectStore(self.jobs_uri)
        script, modules = CodeBundles(jobs).preparation()
        before_replacing()
        document = asdict(request)
        invocation = PipesGlueJobClient(
            **pipes_options(jobs, self.poll_seconds),
            client=client("glue", retries=False),  # a repeated StartJobRun would start two runs
            prices=GLUE_PRICES,
        ).run(
            context=context,
            start_job_run_params={
                "JobName": resolve(self.job),
                "Timeout": -(-self.max_runtime_seconds // 60),
                "Arguments": {
                    "--scriptLocation": script,
                    "--extra-py-files": modules,
                    "--conf": s3a_region(region()),
                    "--aws-region": region(),
                },
            },
            extras={"request": document},
            inputs=digest_of(document),
        )
        reports = [message["report"] for message in invocation.get_custom_messages()]
        name = invocation.job.name
        if not reports:
            raise StorageError(f"{name}: the Glue script ended without a report")
        report = record_of(
            PrepareReport, reports[-1], f"the report of {name}", remedy="see its last log lines"
        )
        return report, job_report(invocation, "Glue")


def s3a_region(region: str) -> str:
    """Glue's ``--conf`` by which Spark's S3 connector finds its region.

    Since 5.1 that is S3A, which takes us-east-2 unless it is told:
    https://docs.aws.amazon.com/glue/latest/dg/migrating-version-51.html
    """
    return f"spark.hadoop.fs.s3a.endpoint.region={region}"


def _spark_session(config: dict[str, str]) -> SparkSession:
    from abalone_assets.etl.java import ensure_java

    try:
        from dagster_pyspark import LazyPySparkResource
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException
    except ImportError as error:
        raise SettingsError(
            f"the Spark engine needs {error.name}: pip install 'abalone-assets[spark]'"
        ) from error
    ensure_java()
    try:
        session: SparkSession = LazyPySparkResource(spark_config=config).spark_session
    except (Py4JError, PySparkException) as error:
        raise SettingsError(
            f"Spark does not start: {error} Check spark_config, and what Spark itself has written"
        ) from error
    return session
